//! Small private files, written whole and durably or not at all.
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{KeysError, sealing};

/// Makes `dir` and its parents if they are missing, and closes it to others in any case.
pub(super) fn private_dir(dir: &Path) -> Result<(), KeysError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io("creating", dir))?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(io("closing to others", dir))?;
    sync_dir(dir)?;
    dir.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), sync_dir)
}

/// Closes an existing file to others, whatever a copy or a restore left behind.
pub(super) fn private_file(path: &Path) -> Result<(), KeysError> {
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io("closing to others", path))
}

/// `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, KeysError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("reading", path)(error)),
    }
}

/// Replaces `path` by `bytes` in one step.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    write_beside(path, bytes, |temporary| std::fs::rename(temporary, path))
}

/// Writes `bytes` unless `path` exists by now: of two processes starting at once, both end up with the first one's.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    write_beside(path, bytes, |temporary| {
        let linked = std::fs::hard_link(temporary, path);
        std::fs::remove_file(temporary)?;
        linked.or_else(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                Ok(())
            } else {
                Err(error)
            }
        })
    })
}

fn write_beside(
    path: &Path,
    bytes: &[u8],
    publish: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), KeysError> {
    let temporary = path.with_extension(format!("{}.tmp", URL_SAFE_NO_PAD.encode(sealing::random::<9>())));
    let written = write_synced(&temporary, bytes).and_then(|()| publish(&temporary));
    if let Err(error) = written {
        // Best effort: what is left over is a private file nobody reads.
        let _ = std::fs::remove_file(&temporary);
        return Err(io("writing", path)(error));
    }
    sync_dir(path.parent().expect("a key file lies in the folder of the keys"))
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(super) fn sync_dir(dir: &Path) -> Result<(), KeysError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io("syncing", dir))
}

pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeysError {
    move |source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => KeysError::Full,
        _ => KeysError::Io {
            doing,
            path: path.to_owned(),
            source,
        },
    }
}
