//! One SQLite file for each version of a view: opened, replaced when it cannot be used, removed.
//!
//! A file that cannot be trusted is never repaired and never a reason not to start: tables can be rebuilt.
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::{io, store};
use crate::{Opened, TablesError};

/// "SPOL": tells our files from any other SQLite file.
const APPLICATION_ID: i64 = 0x5350_4f4c;
/// The layout of this code. Another layout is not migrated but rebuilt.
const FORMAT: i64 = 1;
/// Up to this size a file is checked through when opened (some 100 ms); larger ones by `ViewTables::integrity`.
const CHECKED_AT_OPEN_BYTES: u64 = 64 << 20;

/// Opens or creates the file, and returns the connection that writes.
pub(super) fn open(path: &Path) -> Result<(Connection, Opened), TablesError> {
    if mark(path).exists() {
        remove(path)?;
        let reason = "a rebuild was cut short".to_owned();
        return Ok((
            create(path)?,
            Opened::Replaced {
                reason,
                moved_to: None,
            },
        ));
    }
    let existed = std::fs::metadata(path).is_ok_and(|found| found.len() > 0);
    if !existed {
        return Ok((create(path)?, Opened::Created));
    }
    match open_existing(path)? {
        Ok((writer, opened)) => Ok((writer, opened)),
        Err(reason) => {
            let moved_to = Some(move_aside(path)?);
            Ok((create(path)?, Opened::Replaced { reason, moved_to }))
        }
    }
}

/// The inner error is the reason why the file cannot be used.
fn open_existing(path: &Path) -> Result<Result<(Connection, Opened), String>, TablesError> {
    let read = || -> Result<Result<(Connection, Opened), String>, TablesError> {
        let writer = connect(path)?;
        let application_id = pragma(&writer, path, "application_id")?;
        let format = pragma(&writer, path, "user_version")?;
        let tables: i64 = writer
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
            .map_err(store("reading the schema", path))?;
        match (application_id, format) {
            // Killed between the creation of the file and of what is in it.
            (0, 0) if tables == 0 => {
                lay_out(&writer, path)?;
                return Ok(Ok((writer, Opened::Created)));
            }
            (APPLICATION_ID, FORMAT) => {}
            (APPLICATION_ID, other) => {
                return Ok(Err(format!(
                    "its format is {other}, this program writes {FORMAT}"
                )));
            }
            _ => return Ok(Err("it is no file of ours".to_owned())),
        }
        let small = std::fs::metadata(path).is_ok_and(|found| found.len() <= CHECKED_AT_OPEN_BYTES);
        let damage = if small {
            problems(&writer, path, "quick_check")?
        } else {
            Vec::new()
        };
        Ok(if damage.is_empty() {
            Ok((writer, Opened::Existing))
        } else {
            Err(damage.join("; "))
        })
    };
    match read() {
        Err(TablesError::Corrupt { reason, .. }) => Ok(Err(reason)),
        other => other,
    }
}

fn create(path: &Path) -> Result<Connection, TablesError> {
    let writer = connect(path)?;
    lay_out(&writer, path)?;
    sync_dir(path)?;
    Ok(writer)
}

fn connect(path: &Path) -> Result<Connection, TablesError> {
    let writer = Connection::open(path).map_err(store("opening", path))?;
    // NORMAL: a power cut may take back the last commits, rows and checkpoint together; the fold makes them again.
    // secure_delete: what an erasure removes must not linger in the file. Pages of 8 KiB keep rows of up to 2 KB
    // in one piece.
    writer
        .execute_batch(
            "PRAGMA page_size = 8192;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             PRAGMA secure_delete = ON;
             PRAGMA busy_timeout = 10000;
             PRAGMA cache_size = -16384;",
        )
        .map_err(store("setting up", path))?;
    writer.set_prepared_statement_cache_capacity(128);
    Ok(writer)
}

fn lay_out(writer: &Connection, path: &Path) -> Result<(), TablesError> {
    writer
        .execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE spool_checkpoints (partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL);
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {FORMAT};
             COMMIT;"
        ))
        .map_err(store("laying out", path))
}

/// What `quick_check` or `integrity_check` complains about; nothing when all is well.
pub(super) fn problems(
    connection: &Connection,
    path: &Path,
    check: &str,
) -> Result<Vec<String>, TablesError> {
    let mut statement = connection
        .prepare(&format!("PRAGMA {check}(10)"))
        .map_err(store("checking", path))?;
    let lines = statement
        .query_map([], |row| row.get(0))
        .map_err(store("checking", path))?;
    let lines: Vec<String> = lines.collect::<Result<_, _>>().map_err(store("checking", path))?;
    Ok(if lines == ["ok"] { Vec::new() } else { lines })
}

fn pragma(connection: &Connection, path: &Path, name: &str) -> Result<i64, TablesError> {
    connection
        .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        .map_err(store("reading the header", path))
}

/// Exists while the file is written without any syncs; found at the next start, the file cannot be trusted.
pub(super) fn mark(path: &Path) -> PathBuf {
    path.with_extension("rebuilding")
}

pub(super) fn set_mark(path: &Path) -> Result<(), TablesError> {
    let mark = mark(path);
    File::create(&mark)
        .and_then(|file| file.sync_all())
        .map_err(io("marking", &mark))?;
    sync_dir(path)
}

/// Makes everything in the file durable, then says so by removing the mark.
pub(super) fn clear_mark(path: &Path) -> Result<(), TablesError> {
    // A sync covers all writes to the file, whichever connection made them.
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io("syncing", path))?;
    remove_quietly(&mark(path))?;
    sync_dir(path)
}

/// Removes the version's files. The database goes first: without it the others are ignored, while a database without
/// its write-ahead log could pass for a whole one.
pub(super) fn remove(path: &Path) -> Result<(), TablesError> {
    remove_quietly(path)?;
    for companion in companions(path) {
        remove_quietly(&companion)?;
    }
    sync_dir(path)?;
    remove_quietly(&mark(path))
}

fn move_aside(path: &Path) -> Result<PathBuf, TablesError> {
    let aside = path.with_extension("db.aside");
    let pairs = companions(path).into_iter().zip(companions(&aside));
    for (from, to) in std::iter::once((path.to_owned(), aside.clone())).chain(pairs) {
        remove_quietly(&to)?;
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(io("moving aside", &from)(error));
            }
            _ => {}
        }
    }
    sync_dir(path)?;
    Ok(aside)
}

fn companions(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

pub(super) fn remove_quietly(path: &Path) -> Result<(), TablesError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("removing", path)(error)),
        _ => Ok(()),
    }
}

pub(super) fn sync_dir(path: &Path) -> Result<(), TablesError> {
    let dir = path.parent().expect("a version lies in the folder of its view");
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io("syncing", dir))
}
