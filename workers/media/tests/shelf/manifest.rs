//! A folder of films with a MANIFEST.tsv that says what must become of each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What an upload of a file must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// It may become a film.
    pub accept: bool,
    /// It may be refused.
    pub refuse: bool,
    /// If accepted, it must be said that it is not whole.
    pub degraded: bool,
}

#[derive(Debug, Clone)]
pub struct Line {
    pub name: String,
    pub path: PathBuf,
    pub what: String,
    /// From the `ffprobe` column, where it has one.
    pub duration_s: Option<f64>,
    pub expected: Expected,
}

/// The lines about films and sounds; decks are left out.
pub fn read(folder: &Path) -> io::Result<Vec<Line>> {
    let text = fs::read_to_string(folder.join("MANIFEST.tsv"))?;
    Ok(text
        .lines()
        .skip(1)
        .filter_map(|line| parse(folder, line))
        .collect())
}

fn parse(folder: &Path, line: &str) -> Option<Line> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, _bytes, what, _source, _licence, probed, upload, ..] = columns.as_slice() else {
        return None;
    };
    if name.starts_with("decks/") {
        return None;
    }
    Some(Line {
        name: (*name).to_owned(),
        path: folder.join(name),
        what: (*what).to_owned(),
        duration_s: probed
            .split_whitespace()
            .find_map(|word| word.strip_suffix('s').and_then(|number| number.parse().ok())),
        expected: expected(upload),
    })
}

fn expected(upload: &str) -> Expected {
    let accept = upload.starts_with("accept");
    Expected {
        accept: accept || upload.contains("policy"),
        // Sound alone is refused here, clearly: the policy of this product for now.
        refuse: !accept || upload.contains("or-"),
        degraded: upload.contains("degraded"),
    }
}
