//! Lists the built pages, so that they are part of the binary. Without them it builds too, and says so when asked.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let pages = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=web/dist");
    let mut files = vec![];
    if pages.is_dir() {
        list(&pages, &mut files)?;
    }
    files.sort();
    let mut table = String::from("[\n");
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file
            .strip_prefix(&pages)
            .expect("it was listed below")
            .to_string_lossy()
            .replace('\\', "/");
        writeln!(
            table,
            "    ({name:?}, include_bytes!({:?})),",
            file.display().to_string()
        )
        .expect("a string takes all text");
    }
    table.push(']');
    fs::write(
        PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("pages.rs"),
        table,
    )
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // Source maps help nobody who has only the binary.
        let is_map = path.extension().is_some_and(|extension| extension == "map");
        match path.is_dir() {
            true => list(&path, files)?,
            false if is_map => {}
            false => files.push(path),
        }
    }
    Ok(())
}
