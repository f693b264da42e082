//! Who this worker is: a name that outlives the process, so that it takes its own jobs up again after a crash.

use std::io::{self, Write};
use std::path::Path;
use uuid::Uuid;

/// The name kept in `data`, made at the first start. The log's lock keeps two processes from sharing it.
pub fn worker_name(data: &Path) -> io::Result<String> {
    let path = data.join("worker-name");
    match std::fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Ok(_) => make(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path),
        Err(error) => Err(error),
    }
}

/// A name that a power cut takes away again only costs the wait for a lease to end, but it is whole or absent.
fn make(path: &Path) -> io::Result<String> {
    let name = format!("worker-{}", Uuid::now_v7());
    let unfinished = path.with_extension("new");
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(name.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(name)
}
