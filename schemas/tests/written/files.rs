//! The folders of samples and schemas, and whether this run may write to them.

use std::path::{Path, PathBuf};

pub const HOW_TO_UPDATE: &str =
    "run UPDATE=1 cargo test -p spool-schemas, look at the difference and commit it";

/// Whether this run writes what is missing instead of complaining.
pub fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The JSON files directly in `folder`, by name without `.json`, sorted.
pub fn json_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (stem(&path), path))
        .collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().expect("a listed file has a name");
    stem.to_str().expect("our names are ASCII").to_owned()
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

pub fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("a file is in a folder");
    std::fs::create_dir_all(folder).expect("the folder can be made");
    std::fs::write(path, text).unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
}

/// `VideoCreated.v1` or `VideoCreated.v1.private`: type, version and the sample's own word.
pub fn parse_name(name: &str) -> (&str, u16, Option<&str>) {
    let parts: Vec<&str> = name.split('.').collect();
    let (event, version, word) = match parts[..] {
        [event, version] => (event, version, None),
        [event, version, word] => (event, version, Some(word)),
        _ => panic!("{name}: not <Event>.v<version>[.<word>].json"),
    };
    let number = version.strip_prefix('v').and_then(|number| number.parse().ok());
    let number = number.unwrap_or_else(|| panic!("{name}: {version} is no version"));
    (event, number, word)
}
