//! Builds the pages into gateway/web/dist, and only when their sources changed.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::NodeJs;
use crate::{cargo, say};

pub fn build(node: &NodeJs) -> Result<()> {
    let folder = cargo::root().join("gateway/web");
    if !folder.join("package.json").is_file() {
        say::line("    there are no pages yet (gateway/web has no package.json)");
        return Ok(());
    }
    let packages = Stamp::of(
        "web-packages",
        &[folder.join("package.json"), folder.join("package-lock.json")],
    )?;
    if !packages.is_fresh() || !folder.join("node_modules").is_dir() {
        let step = say::step("npm ci");
        npm(node, &folder, &["ci", "--no-audit", "--no-fund"])?;
        packages.keep()?;
        step.done();
    }
    let sources = Stamp::of("web-sources", &sources(&folder)?)?;
    if !sources.is_fresh() || !folder.join("dist/index.html").is_file() {
        let step = say::step("building the pages");
        npm(node, &folder, &["run", "build"])?;
        sources.keep()?;
        step.done();
    }
    Ok(())
}

fn npm(node: &NodeJs, folder: &Path, words: &[&str]) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.current_dir(folder).env("PATH", node.path()).args(words);
    cargo::succeed(&mut npm).context("the pages could not be built; the lines above say why")
}

/// All files below the folder that are written by people, in a fixed order.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let made_by_npm = path.ends_with("node_modules") || path.ends_with("dist");
            match path.is_dir() {
                true if !made_by_npm => open.push(path),
                true => {}
                false => files.push(path),
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A hash of some files, kept below target/ once what they are for has been done.
struct Stamp {
    file: PathBuf,
    hash: String,
}

impl Stamp {
    fn of(name: &str, files: &[PathBuf]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for file in files {
            hasher.write(file.as_os_str().as_encoded_bytes());
            let bytes = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
            hasher.write_usize(bytes.len());
            hasher.write(&bytes);
        }
        let file = cargo::target().join("xtask").join(name);
        Ok(Self {
            file,
            hash: format!("{:016x}", hasher.finish()),
        })
    }

    fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.hash)
    }

    fn keep(&self) -> Result<()> {
        fs::create_dir_all(self.file.parent().expect("the stamp lies in a folder"))?;
        fs::write(&self.file, &self.hash)?;
        Ok(())
    }
}
