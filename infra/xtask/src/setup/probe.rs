//! Whether a thing is there, asked in the way it will be used, whoever installed it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;

pub enum Probe {
    Program(&'static str),
    AnyProgram(&'static [&'static str]),
    /// A C library that pkg-config can find.
    Library(&'static str),
    /// The shared libclang that bindgen loads.
    LibClang,
    /// A Java of exactly this version.
    Java17,
    /// Python's venv, with which infra/services fetches a newer Go and clients in Python.
    PythonVenv,
}

impl Probe {
    pub fn is_present(&self) -> bool {
        match self {
            Probe::Program(name) => is_on_path(name),
            Probe::AnyProgram(names) => names.iter().any(|name| is_on_path(name)),
            Probe::Library(name) => Command::new("pkg-config")
                .args(["--exists", name])
                .status()
                .is_ok_and(|status| status.success()),
            Probe::LibClang => libclang_folders().iter().any(|folder| has_libclang(folder)),
            Probe::Java17 => services_find("java17"),
            Probe::PythonVenv => venv_works(),
        }
    }
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

pub fn venv_works() -> bool {
    runs(Command::new("python3").args(["-c", "import venv, ensurepip"]))
}

/// Asks the scripts of `infra/services`, which know best what they will use.
fn services_find(function: &str) -> bool {
    let places = cargo::root().join("infra/services/places.sh");
    let line = format!("set -e; source '{}'; {function}", places.display());
    runs(Command::new("bash").args(["-c", &line]))
}

pub fn is_on_path(name: &str) -> bool {
    find_on_path(name).is_some()
}

/// Looks along PATH and in the folders for root's programs, which a user's PATH may lack.
pub fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(extra)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn libclang_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
    ]
    .into_iter()
    .chain(["/usr/lib/aarch64-linux-gnu"])
    .map(PathBuf::from)
    .collect();
    folders.extend(std::env::var_os("LIBCLANG_PATH").map(PathBuf::from));
    let versions = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    folders.extend(
        versions
            .filter(|path| named_like(path, "llvm"))
            .map(|path| path.join("lib")),
    );
    folders
}

fn has_libclang(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| named_like(&path, "libclang.so") || named_like(&path, "libclang-"))
}

fn named_like(path: &Path, start: &str) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(start))
}
