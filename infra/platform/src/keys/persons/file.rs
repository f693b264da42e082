//! The persons' keys of a single node, in a small SQLite file.
//!
//! `secure_delete` overwrites an erased key in its page, and the write-ahead log that held it is emptied at once.
//! A row without a key is the mark of an erasure and stays.
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use uuid::Uuid;

use super::super::master::Master;
use super::super::{KeysError, check, files};
use super::Stored;

pub(super) struct File {
    pub path: PathBuf,
    connection: Mutex<Connection>,
}

impl File {
    pub fn open(path: &Path, master: &Master) -> Result<Self, KeysError> {
        let connection = Connection::open(path).map_err(store)?;
        files::private_file(path)?;
        // FULL: a key must be durable before anything sealed with it is.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA secure_delete = ON;
                 PRAGMA busy_timeout = 5000;
                 CREATE TABLE IF NOT EXISTS persons (person BLOB PRIMARY KEY, wrapped BLOB) WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS master_check (one INTEGER PRIMARY KEY CHECK (one = 1), wrapped BLOB NOT NULL);",
            )
            .map_err(store)?;
        check_master(&connection, path, master)?;
        files::sync_dir(path.parent().expect("the file lies in the folder of the keys"))?;
        Ok(Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
        })
    }

    pub fn get(&self, person: Uuid) -> Result<Option<Stored>, KeysError> {
        get(&self.lock(), person)
    }

    /// Everybody of whom anything is known.
    pub fn all(&self) -> Result<Vec<(Uuid, Stored)>, KeysError> {
        let connection = self.lock();
        let mut select = connection
            .prepare("SELECT person, wrapped FROM persons")
            .map_err(store)?;
        let rows = select.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?)));
        let rows = rows.map_err(store)?.map(|row| {
            let (person, wrapped): ([u8; 16], Option<Vec<u8>>) = row.map_err(store)?;
            let stored = wrapped.map_or(Stored::Erased, Stored::Wrapped);
            Ok((Uuid::from_bytes(person), stored))
        });
        rows.collect()
    }

    pub fn add(&self, person: Uuid, wrapped: &[u8]) -> Result<Stored, KeysError> {
        let connection = self.lock();
        connection
            .prepare_cached("INSERT OR IGNORE INTO persons (person, wrapped) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute((person.as_bytes(), wrapped)))
            .map_err(store)?;
        get(&connection, person).map(|stored| stored.expect("it was inserted, or was there"))
    }

    pub fn erase(&self, person: Uuid) -> Result<(), KeysError> {
        let erase = "INSERT INTO persons (person, wrapped) VALUES (?1, NULL) ON CONFLICT DO UPDATE SET wrapped = NULL";
        let erased = self.lock().execute(erase, [person.as_bytes()]);
        erased.map(drop).map_err(store)
    }

    pub fn sweep(&self) -> Result<(), KeysError> {
        self.lock()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(store)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Each use is one statement that changes something, so a panic cannot have left half of anything.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn get(connection: &Connection, person: Uuid) -> Result<Option<Stored>, KeysError> {
    let found: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT wrapped FROM persons WHERE person = ?1")
        .and_then(|mut select| select.query_row([person.as_bytes()], |row| row.get(0)).optional())
        .map_err(store)?;
    Ok(found.map(|wrapped| wrapped.map_or(Stored::Erased, Stored::Wrapped)))
}

fn check_master(connection: &Connection, path: &Path, master: &Master) -> Result<(), KeysError> {
    connection
        .execute(
            "INSERT OR IGNORE INTO master_check (one, wrapped) VALUES (1, ?1)",
            [master.wrap(check::TEXT, check::TEXT)],
        )
        .map_err(store)?;
    let wrapped: Vec<u8> = connection
        .query_row("SELECT wrapped FROM master_check", [], |row| row.get(0))
        .map_err(store)?;
    check::opens(master, &wrapped, || path.display().to_string())
}

fn store(error: rusqlite::Error) -> KeysError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => KeysError::Full,
        _ => KeysError::Persons(error),
    }
}
