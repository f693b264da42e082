//! What can go wrong with tables, and what that means for the caller.
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::Position;

/// `Full` and `Unavailable` may be tried again later; after `Corrupt` the version is to be dropped and rebuilt; the names
/// and keys are the caller's mistakes; the rest is the operator's trouble.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    #[error("no room for the rows; nothing of the batch was kept")]
    Full,
    #[error("{} is damaged and must be rebuilt: {reason}", path.display())]
    Corrupt { path: PathBuf, reason: String },
    /// Somebody read without end, so the write-ahead log could not be emptied; nothing is lost by it.
    #[error("the write-ahead log of {} is being read", .0.display())]
    Busy(PathBuf),
    /// The server is away, too few replicas answer, or it took too long. What was being written may be there or not.
    #[error("the CQL server does not answer ({doing}): {reason}")]
    Unavailable { doing: &'static str, reason: String },
    /// In one line, what whoever runs this has to put right: settings, credentials, rights, or the program's age.
    #[error("{0}")]
    Setup(String),
    /// Something the server said that it should never say to this program.
    #[error("{doing} in the CQL server: {reason}")]
    Server { doing: &'static str, reason: String },
    /// Take over again before going on: see `ViewTables::take_over`.
    #[error("another writer of these rows has been at partition {} offset {} already", .0.partition, .0.offset)]
    Overtaken(Position),
    #[error("this version of the view was dropped")]
    Dropped,
    #[error("{0:?} is no name of a view or a table: [a-z][a-z0-9_]* is, up to 64 characters")]
    BadName(String),
    #[error("{0:?} is no name of a keyspace: [a-z][a-z0-9_]* is, up to 48 characters")]
    BadKeyspace(String),
    #[error("a key holds a NUL character")]
    BadKey,
    #[error("{doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{doing} in {}", path.display())]
    Store {
        doing: &'static str,
        path: PathBuf,
        source: rusqlite::Error,
    },
}

pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> TablesError {
    move |source| match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => TablesError::Full,
        _ => TablesError::Io {
            doing,
            path: path.to_owned(),
            source,
        },
    }
}

pub(crate) fn store(doing: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> TablesError {
    move |source| {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => TablesError::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => TablesError::Corrupt {
                path,
                reason: source.to_string(),
            },
            _ => TablesError::Store { doing, path, source },
        }
    }
}

/// Names become names of tables and files, so they are held to what needs no quoting anywhere.
pub(crate) fn check_name(name: &str) -> Result<(), TablesError> {
    let taken = name.starts_with("sqlite_") || name.starts_with("spool_");
    if is_plain(name) && !taken && name.len() <= 64 {
        return Ok(());
    }
    Err(TablesError::BadName(name.to_owned()))
}

/// As long as servers take it. No name in there is ours already.
pub(crate) fn check_keyspace(name: &str) -> Result<(), TablesError> {
    if is_plain(name) && name.len() <= 48 {
        return Ok(());
    }
    Err(TablesError::BadKeyspace(name.to_owned()))
}

fn is_plain(name: &str) -> bool {
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    starts_well && name.bytes().all(plain)
}
