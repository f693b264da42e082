//! One data key for each person, wrapped by the master key, in a small SQLite file.
//!
//! `secure_delete` overwrites an erased key in its page, and the write-ahead log that held it is emptied at once.
//! A row without a key is the mark of an erasure and stays.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use uuid::Uuid;

use super::master::Master;
use super::sealing::{self, KEY_LEN, SealingKey};
use super::{KeysError, files};

/// How many opened keys are kept in memory (some 600 bytes each).
const CACHED: usize = 50_000;
const CHECK: &[u8] = b"the master key opens this";

pub(super) struct Persons {
    path: PathBuf,
    master: Arc<Master>,
    file: Mutex<Connection>,
    opened: RwLock<HashMap<Uuid, Arc<SealingKey>>>,
}

impl Persons {
    pub fn open(path: &Path, master: Arc<Master>) -> Result<Self, KeysError> {
        let file = Connection::open(path).map_err(store)?;
        files::private_file(path)?;
        // FULL: a key must be durable before anything sealed with it is.
        file.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA busy_timeout = 5000;
             CREATE TABLE IF NOT EXISTS persons (person BLOB PRIMARY KEY, wrapped BLOB) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS master_check (one INTEGER PRIMARY KEY CHECK (one = 1), wrapped BLOB NOT NULL);",
        )
        .map_err(store)?;
        check_master(&file, path, &master)?;
        files::sync_dir(path.parent().expect("the file lies in the folder of the keys"))?;
        Ok(Self {
            path: path.to_owned(),
            master,
            file: Mutex::new(file),
            opened: RwLock::default(),
        })
    }

    pub fn key(&self, person: Uuid) -> Result<Arc<SealingKey>, KeysError> {
        if let Some(key) = self.cached(person) {
            return Ok(key);
        }
        let file = self.file();
        match stored(&file, person)? {
            Some(Some(wrapped)) => self.unwrap(person, &wrapped),
            Some(None) | None => Err(KeysError::Erased),
        }
    }

    pub fn key_or_new(&self, person: Uuid) -> Result<Arc<SealingKey>, KeysError> {
        if let Some(key) = self.cached(person) {
            return Ok(key);
        }
        let file = self.file();
        match stored(&file, person)? {
            Some(Some(wrapped)) => self.unwrap(person, &wrapped),
            Some(None) => Err(KeysError::Erased),
            None => {
                let wrapped = self.master.wrap(&sealing::random::<KEY_LEN>(), person.as_bytes());
                file.prepare_cached("INSERT INTO persons (person, wrapped) VALUES (?1, ?2)")
                    .and_then(|mut insert| insert.execute((person.as_bytes(), &wrapped)))
                    .map_err(store)?;
                self.unwrap(person, &wrapped)
            }
        }
    }

    pub fn erase(&self, person: Uuid) -> Result<(), KeysError> {
        let file = self.file();
        file.execute(
            "INSERT INTO persons (person, wrapped) VALUES (?1, NULL) ON CONFLICT DO UPDATE SET wrapped = NULL",
            [person.as_bytes()],
        )
        .map_err(store)?;
        self.opened
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&person);
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(store)
    }

    pub fn is_erased(&self, person: Uuid) -> Result<bool, KeysError> {
        Ok(matches!(stored(&self.file(), person)?, Some(None)))
    }

    fn cached(&self, person: Uuid) -> Option<Arc<SealingKey>> {
        self.opened
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&person)
            .cloned()
    }

    /// Called with the file locked, so an erasure cannot come between reading the key and remembering it.
    fn unwrap(&self, person: Uuid, wrapped: &[u8]) -> Result<Arc<SealingKey>, KeysError> {
        let key = self.master.unwrap(wrapped, person.as_bytes());
        let key = key.and_then(|key| <[u8; KEY_LEN]>::try_from(key).ok());
        let key = Arc::new(SealingKey::new(
            &key.ok_or_else(|| KeysError::BadFile(self.path.clone()))?,
        ));
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= CACHED {
            opened.clear();
        }
        opened.insert(person, key.clone());
        Ok(key)
    }

    fn file(&self) -> MutexGuard<'_, Connection> {
        // Each use is one statement, so a panic cannot have left half of anything.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None`: never seen; `Some(None)`: erased.
fn stored(file: &Connection, person: Uuid) -> Result<Option<Option<Vec<u8>>>, KeysError> {
    file.prepare_cached("SELECT wrapped FROM persons WHERE person = ?1")
        .and_then(|mut select| select.query_row([person.as_bytes()], |row| row.get(0)).optional())
        .map_err(store)
}

/// A wrong master key is noticed at the start, not at the first person who cannot be read.
fn check_master(file: &Connection, path: &Path, master: &Master) -> Result<(), KeysError> {
    file.execute(
        "INSERT OR IGNORE INTO master_check (one, wrapped) VALUES (1, ?1)",
        [master.wrap(CHECK, CHECK)],
    )
    .map_err(store)?;
    let wrapped: Vec<u8> = file
        .query_row("SELECT wrapped FROM master_check", [], |row| row.get(0))
        .map_err(store)?;
    let opens = master.unwrap(&wrapped, CHECK).is_some();
    if opens {
        Ok(())
    } else {
        Err(KeysError::WrongMaster(path.to_owned()))
    }
}

fn store(error: rusqlite::Error) -> KeysError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => KeysError::Full,
        _ => KeysError::Persons(error),
    }
}
