//! One version of a view in its SQLite file: reads of its rows, and commits.
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension};

use crate::content::Content;
use crate::{Batch, Committed, Opened, Order, Position, Row, TablesError};

use super::file;
use super::readers::Readers;
use super::writer::Writer;

const COLUMNS: &str = "pk, sk, value, partition, \"offset\"";

/// Reads see whole commits only, and do not wait for writes.
#[derive(Clone)]
pub(crate) struct View(Arc<Shared>);

struct Shared {
    name: String,
    version: u32,
    opened: Opened,
    dropped: AtomicBool,
    writer: Mutex<Writer>,
    readers: Readers,
    /// Copies of what the writer knows, so that nobody waits for a commit to ask.
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    tables: Vec<String>,
    checkpoints: BTreeMap<u16, u64>,
}

impl View {
    pub fn open(name: &str, version: u32, path: PathBuf) -> Result<Self, TablesError> {
        let (connection, opened) = file::open(&path)?;
        let writer = Writer::new(path.clone(), connection)?;
        let known = RwLock::new(known(&writer));
        let (name, dropped, readers) = (name.to_owned(), AtomicBool::new(false), Readers::new(path));
        Ok(Self(Arc::new(Shared {
            name,
            version,
            opened,
            dropped,
            writer: Mutex::new(writer),
            readers,
            known,
        })))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn version(&self) -> u32 {
        self.0.version
    }

    pub fn opened(&self) -> &Opened {
        &self.0.opened
    }

    pub fn get(&self, table: &str, pk: &str, sk: &str) -> Result<Option<Row>, TablesError> {
        self.read(table, |connection| {
            let mut select = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM \"{table}\" WHERE pk = ?1 AND sk = ?2"
            ))?;
            select.query_row([pk, sk], row).optional()
        })
    }

    pub fn range(
        &self,
        table: &str,
        pk: &str,
        (from, to): (Bound<&str>, Bound<&str>),
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, TablesError> {
        let (from_sql, from) = condition("sk >= ?3", "sk > ?3", from);
        let (to_sql, to) = condition("sk <= ?4", "sk < ?4", to);
        let direction = match order {
            Order::Ascending => "ASC",
            Order::Descending => "DESC",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM \"{table}\" WHERE pk = ?1 {from_sql} {to_sql} ORDER BY sk {direction} LIMIT ?2"
        );
        let all: [&dyn ToSql; 4] = [&pk, &limited(limit), &from, &to];
        // A parameter that the text does not mention must not be given, unless a later one is mentioned.
        let used = match (from_sql.is_empty(), to_sql.is_empty()) {
            (true, true) => 2,
            (false, true) => 3,
            (_, false) => 4,
        };
        self.read(table, |connection| {
            connection
                .prepare_cached(&sql)?
                .query_map(&all[..used], row)?
                .collect()
        })
    }

    pub fn scan(
        &self,
        table: &str,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Row>, TablesError> {
        let (pk, sk) = after.unwrap_or_default();
        // The first page starts at the least key there can be, and includes it.
        let past = if after.is_some() { ">" } else { ">=" };
        let sql = format!(
            "SELECT {COLUMNS} FROM \"{table}\" WHERE (pk, sk) {past} (?1, ?2) ORDER BY pk, sk LIMIT ?3"
        );
        let after: [&dyn ToSql; 3] = [&pk, &sk, &limited(limit)];
        self.read(table, |connection| {
            connection
                .prepare_cached(&sql)?
                .query_map(&after[..], row)?
                .collect()
        })
    }

    pub fn count(&self, table: &str, pk: Option<&str>) -> Result<u64, TablesError> {
        let count = self.read(table, |connection| match pk {
            None => connection
                .prepare_cached(&format!("SELECT count(*) FROM \"{table}\""))?
                .query_row([], |row| row.get::<_, i64>(0)),
            Some(pk) => connection
                .prepare_cached(&format!("SELECT count(*) FROM \"{table}\" WHERE pk = ?1"))?
                .query_row([pk], |row| row.get(0)),
        })?;
        Ok(count.cast_unsigned())
    }

    pub fn tables(&self) -> Vec<String> {
        self.known().tables.clone()
    }

    pub fn checkpoints(&self) -> BTreeMap<u16, u64> {
        self.known().checkpoints.clone()
    }

    pub fn checkpoint(&self, partition: u16) -> u64 {
        self.known().checkpoints.get(&partition).copied().unwrap_or(0)
    }

    pub fn commit(&self, batch: &Batch) -> Result<Committed, TablesError> {
        self.check_dropped()?;
        let mut writer = self.writer();
        let committed = writer.commit(batch)?;
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = known(&writer);
        Ok(committed)
    }

    pub fn begin_bulk(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.writer().begin_bulk()
    }

    pub fn finish_bulk(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.writer().finish_bulk()
    }

    pub fn content_hash(&self) -> Result<String, TablesError> {
        let tables = self.tables();
        self.read_any(|connection| {
            // One transaction, so that all tables are as of the same commit.
            let snapshot = connection.unchecked_transaction()?;
            let mut content = Content::default();
            for table in &tables {
                add_table(&snapshot, table, &mut content)?;
            }
            Ok(content.hash())
        })
    }

    pub fn truncate_wal(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.writer().truncate_wal()
    }

    pub fn integrity(&self) -> Result<Vec<String>, TablesError> {
        let path = self.writer().path().to_owned();
        let problems =
            self.read_any(|connection| Ok(file::problems(connection, &path, "integrity_check")))?;
        match problems {
            Err(TablesError::Corrupt { reason, .. }) => Ok(vec![reason]),
            problems => problems,
        }
    }

    pub fn drop_files(&self) -> Result<(), TablesError> {
        // Under the writer's lock: a commit under way ends first, and none begins after.
        let writer = self.writer();
        self.0.dropped.store(true, Ordering::Release);
        file::remove(writer.path())
    }

    /// A table nobody wrote to yet is empty.
    fn read<T: Default>(
        &self,
        table: &str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, TablesError> {
        if !self.known().tables.iter().any(|known| known == table) {
            self.check_dropped()?;
            return crate::error::check_name(table).map(|()| T::default());
        }
        self.read_any(read)
    }

    fn read_any<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, TablesError> {
        self.check_dropped()?;
        self.0.readers.with(read)
    }

    fn check_dropped(&self) -> Result<(), TablesError> {
        if self.0.dropped.load(Ordering::Acquire) {
            Err(TablesError::Dropped)
        } else {
            Ok(())
        }
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic inside a commit rolled the transaction back; what the writer knows is changed only after one.
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(writer: &Writer) -> Known {
    Known {
        tables: writer.tables.iter().cloned().collect(),
        checkpoints: writer.checkpoints.clone(),
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let offset: i64 = row.get(4)?;
    Ok(Row {
        pk: row.get(0)?,
        sk: row.get(1)?,
        value: Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?),
        position: Position {
            partition: row.get(3)?,
            offset: offset.cast_unsigned(),
        },
    })
}

fn condition<'a>(included: &'static str, excluded: &'static str, bound: Bound<&'a str>) -> (String, &'a str) {
    match bound {
        Bound::Unbounded => (String::new(), ""),
        Bound::Included(key) => (format!("AND {included}"), key),
        Bound::Excluded(key) => (format!("AND {excluded}"), key),
    }
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn add_table(connection: &Connection, table: &str, content: &mut Content) -> rusqlite::Result<()> {
    let mut select = connection.prepare(&format!("SELECT pk, sk, value FROM \"{table}\""))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (pk, sk) = (row.get_ref(0)?.as_bytes()?, row.get_ref(1)?.as_bytes()?);
        content.add(table.as_bytes(), pk, sk, row.get_ref(2)?.as_bytes()?);
    }
    Ok(())
}
