//! Where the scripts are, what they are told in common, and the folders that running servers write to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Failed;

/// The file in which versions, ports and credentials stand.
const VERSIONS: &str = include_str!("../versions.sh");

pub fn scripts() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `versions.sh` gives a name.
pub fn setting(name: &str) -> &'static str {
    VERSIONS
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
        .expect("every setting asked for stands in versions.sh")
}

/// Below the target folder, as `places.sh` has it too.
pub fn cache() -> PathBuf {
    let top = scripts()
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the top");
    let target = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    top.join(target.unwrap_or_else(|| "target".into()))
        .join("services")
}

/// Makes sure that a server's programs are there. Quick when they are; else it takes as long as the network does.
pub fn fetch(name: &str) -> Result<(), Failed> {
    let output = Command::new(scripts().join("fetch.sh"))
        .arg(name)
        .stdin(Stdio::null())
        .output()
        .map_err(Failed::doing("start infra/services/fetch.sh"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failed::because(format!(
        "could not fetch {name}: {}",
        said.trim()
    )))
}

/// A folder of one server's own, removed when dropped. With `SPOOL_SERVICES_KEEP` set it stays, to be looked at.
pub struct Folder(PathBuf);

impl Folder {
    pub fn fresh(name: &str) -> Result<Self, Failed> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = cache()
            .join("run")
            .join(format!("{name}-{}-{number}", std::process::id()));
        // Left by a process with the same number, long ago.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(Failed::doing(format!("make {}", folder.display())))?;
        Ok(Self(folder))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var_os("SPOOL_SERVICES_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
