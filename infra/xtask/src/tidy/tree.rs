//! The files of the project, as git sees them.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::cargo;

pub struct Tree {
    pub files: Vec<SourceFile>,
}

pub struct SourceFile {
    /// From the top folder, with forward slashes.
    pub path: String,
    pub bytes: u64,
    /// Nothing when the file is not text.
    pub text: Option<String>,
}

impl Tree {
    /// Committed files and new ones that are not ignored.
    pub fn of_this_project() -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(cargo::root())
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = cargo::output(&mut git)?;
        let paths = listed.split('\0').filter(|path| !path.is_empty());
        let mut files: Vec<SourceFile> = paths.filter_map(SourceFile::read).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text.as_deref()
    }
}

impl SourceFile {
    /// Nothing for a file that was deleted and not yet committed so.
    fn read(path: &str) -> Option<Self> {
        let bytes = fs::read(cargo::root().join(path)).ok()?;
        let is_text = !bytes.contains(&0);
        let size = bytes.len() as u64;
        let text = if is_text {
            String::from_utf8(bytes).ok()
        } else {
            None
        };
        Some(Self {
            path: path.to_owned(),
            bytes: size,
            text,
        })
    }
}

#[cfg(test)]
impl Tree {
    /// A tree made up for a test.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: (*path).to_owned(),
            bytes: text.len() as u64,
            text: Some((*text).to_owned()),
        };
        Self {
            files: files.iter().map(file).collect(),
        }
    }
}
