//! One version of a view: reads of its rows, and commits.
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use crate::readers::Readers;
use crate::writer::{Committed, Writer};
use crate::{Batch, Opened, Order, Position, Row, TablesError, file};

const COLUMNS: &str = "pk, sk, value, partition, \"offset\"";

/// The tables of one version of one view. Clones share them. Reads see whole commits only, and do not wait for writes.
#[derive(Clone)]
pub struct ViewTables(Arc<Shared>);

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

impl ViewTables {
    pub(crate) fn open(name: &str, version: u32, path: PathBuf) -> Result<Self, TablesError> {
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

    /// What was found when this version was opened.
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

    /// At most `limit` rows of `pk` with sort keys between the bounds.
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

    /// A page of all rows of the table by partition key and sort key, after the given ones.
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

    /// How many rows the table has, in all or with this partition key. Counts them one by one.
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

    /// The tables that were ever written to, by name.
    pub fn tables(&self) -> Vec<String> {
        self.known().tables.clone()
    }

    /// For each partition the offset of the first commit of the log that is not in the rows yet.
    pub fn checkpoints(&self) -> BTreeMap<u16, u64> {
        self.known().checkpoints.clone()
    }

    /// The checkpoint of one partition, 0 when nothing of it is in the rows.
    pub fn checkpoint(&self, partition: u16) -> u64 {
        self.known().checkpoints.get(&partition).copied().unwrap_or(0)
    }

    /// Writes rows and checkpoints in one transaction, all or nothing. A write below the checkpoint of its partition,
    /// or at or below the position its row is at, changes nothing.
    pub fn commit(&self, batch: &Batch) -> Result<Committed, TablesError> {
        self.check_dropped()?;
        let mut writer = self.writer();
        let committed = writer.commit(batch)?;
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = known(&writer);
        Ok(committed)
    }

    /// Writes without syncing from now on, for a rebuild (in batches of some 10,000 events). A process that dies
    /// before [`ViewTables::finish_bulk`] leaves a version that starts empty again.
    pub fn begin_bulk(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.writer().begin_bulk()
    }

    /// Makes durable what was written since [`ViewTables::begin_bulk`].
    pub fn finish_bulk(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.writer().finish_bulk()
    }

    /// SHA-256 in hex over all rows (table, keys, value) in order: equal exactly when the rows are, whatever way and
    /// in whatever order they came to be. Positions and checkpoints do not count.
    pub fn content_hash(&self) -> Result<String, TablesError> {
        let tables = self.tables();
        let digest = self.read_any(|connection| {
            // One transaction, so that all tables are as of the same commit.
            let snapshot = connection.unchecked_transaction()?;
            let mut hash = Sha256::new();
            for table in &tables {
                hash_table(&snapshot, table, &mut hash)?;
            }
            Ok(hash.finalize())
        })?;
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Empties the write-ahead log into the main file, after which nothing overwritten or deleted can be found in
    /// either (an erasure).
    pub fn truncate_wal(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.writer().truncate_wal()
    }

    /// Reads the whole file through and returns what is wrong with it; nothing when it is sound.
    pub fn integrity(&self) -> Result<Vec<String>, TablesError> {
        let path = self.writer().path().to_owned();
        let problems =
            self.read_any(|connection| Ok(file::problems(connection, &path, "integrity_check")))?;
        match problems {
            Err(TablesError::Corrupt { reason, .. }) => Ok(vec![reason]),
            problems => problems,
        }
    }

    pub(crate) fn drop_files(&self) -> Result<(), TablesError> {
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

fn hash_table(connection: &Connection, table: &str, hash: &mut Sha256) -> rusqlite::Result<()> {
    let mut select = connection.prepare(&format!("SELECT pk, sk, value FROM \"{table}\" ORDER BY pk, sk"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (pk, sk, value) = (
            row.get_ref(0)?.as_bytes()?,
            row.get_ref(1)?.as_bytes()?,
            row.get_ref(2)?.as_bytes()?,
        );
        for part in [table.as_bytes(), pk, sk, value] {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(())
}
