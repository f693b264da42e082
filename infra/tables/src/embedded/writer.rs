//! The one connection that writes a version: a batch and its checkpoints in one transaction.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::batch::{Batch, Sorted};
use crate::error::store;
use crate::{Committed, TablesError};

use super::file;

/// After so many rows whoever waits for the core goes first.
const ROWS_AT_A_STRETCH: usize = 16;

pub(super) struct Writer {
    path: PathBuf,
    connection: Connection,
    pub tables: BTreeSet<String>,
    pub checkpoints: BTreeMap<u16, u64>,
}

impl Writer {
    pub fn new(path: PathBuf, connection: Connection) -> Result<Self, TablesError> {
        let tables = tables(&connection).map_err(store("reading the schema", &path))?;
        let checkpoints = checkpoints(&connection).map_err(store("reading the checkpoints", &path))?;
        Ok(Self {
            path,
            connection,
            tables,
            checkpoints,
        })
    }

    /// Nothing of the batch is kept unless all of it is.
    pub fn commit(&mut self, batch: &Batch) -> Result<Committed, TablesError> {
        let (sorted, next) = batch.past(&self.checkpoints)?;
        let repeated = batch.len() - sorted.len();
        if sorted.is_empty() && next.is_empty() {
            return Ok(Committed {
                written: 0,
                skipped: repeated,
            });
        }
        let mut done = Committed {
            written: 0,
            skipped: repeated,
        };
        let mut created = Vec::new();
        let write = |transaction: &Transaction<'_>| -> rusqlite::Result<()> {
            for group in sorted.chunk_by(|a, b| a.table == b.table) {
                let table = group[0].table;
                if !self.tables.contains(table) {
                    create_table(transaction, table)?;
                    created.push(table.to_owned());
                }
                let written = write_group(transaction, table, group)?;
                done.written += written;
                done.skipped += group.len() - written;
            }
            write_checkpoints(transaction, &next)
        };
        in_transaction(&mut self.connection, write).map_err(store("writing", &self.path))?;
        self.tables.extend(created);
        self.checkpoints.extend(next);
        Ok(done)
    }

    /// Stops syncing. A power cut from now on can spoil the file, so a mark says not to trust it.
    pub fn begin_bulk(&mut self) -> Result<(), TablesError> {
        file::set_mark(&self.path)?;
        self.set("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8000;")
    }

    /// Makes durable what was written in bulk, and syncs from now on.
    pub fn finish_bulk(&mut self) -> Result<(), TablesError> {
        self.set(
            "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 1000;",
        )?;
        // What readers keep in the write-ahead log is synced there.
        self.checkpoint()?;
        file::clear_mark(&self.path)
    }

    /// Moves everything into the main file and empties the write-ahead log.
    pub fn truncate_wal(&mut self) -> Result<(), TablesError> {
        let emptied = self.checkpoint()?;
        if emptied {
            Ok(())
        } else {
            Err(TablesError::Busy(self.path.clone()))
        }
    }

    /// Whether the write-ahead log could be emptied.
    fn checkpoint(&mut self) -> Result<bool, TablesError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                Ok(row.get::<_, i64>(0)? == 0)
            })
            .map_err(store("emptying the write-ahead log", &self.path))
    }

    fn set(&self, pragmas: &str) -> Result<(), TablesError> {
        self.connection
            .execute_batch(pragmas)
            .map_err(store("setting up", &self.path))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn in_transaction(
    connection: &mut Connection,
    write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // An error drops the transaction, which rolls it back.
    write(&transaction)?;
    transaction.commit()
}

/// Each logical table is a table of its own, in the order of its keys, so that anybody can open the file and look.
fn create_table(transaction: &Transaction<'_>, table: &str) -> rusqlite::Result<()> {
    transaction.execute_batch(&format!(
        "CREATE TABLE \"{table}\" (pk TEXT NOT NULL, sk TEXT NOT NULL, value BLOB NOT NULL,
         partition INTEGER NOT NULL, \"offset\" INTEGER NOT NULL, PRIMARY KEY (pk, sk)) WITHOUT ROWID"
    ))
}

/// How many rows were written; one that is at this position or past it stays as it is.
fn write_group(transaction: &Transaction<'_>, table: &str, group: &[Sorted<'_>]) -> rusqlite::Result<usize> {
    let mut put = transaction.prepare_cached(&format!(
        "INSERT INTO \"{table}\" (pk, sk, value, partition, \"offset\") VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (pk, sk) DO UPDATE
         SET value = excluded.value, partition = excluded.partition, \"offset\" = excluded.\"offset\"
         WHERE partition <> excluded.partition OR \"offset\" < excluded.\"offset\""
    ))?;
    let mut delete = transaction.prepare_cached(&format!(
        "DELETE FROM \"{table}\" WHERE pk = ?1 AND sk = ?2 AND (partition <> ?3 OR \"offset\" < ?4)"
    ))?;
    let mut written = 0;
    for (number, Sorted { pk, sk, write, .. }) in group.iter().enumerate() {
        if number % ROWS_AT_A_STRETCH == ROWS_AT_A_STRETCH - 1 {
            std::thread::yield_now();
        }
        let (partition, offset) = (write.at.partition, write.at.offset.cast_signed());
        written += match &write.value {
            Some(value) => put.execute(params![pk, sk, value.as_ref(), partition, offset])?,
            None => {
                delete.execute(params![pk, sk, partition, offset])?;
                // Deleting what is not there is as good as deleting it.
                1
            }
        };
    }
    Ok(written)
}

fn write_checkpoints(transaction: &Transaction<'_>, next: &[(u16, u64)]) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO spool_checkpoints (partition, next_offset) VALUES (?1, ?2)",
    )?;
    for (partition, next) in next {
        put.execute(params![partition, next.cast_signed()])?;
    }
    Ok(())
}

fn tables(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut select = connection.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table'
         AND name NOT LIKE 'spool\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    select.query_map([], |row| row.get(0))?.collect()
}

fn checkpoints(connection: &Connection) -> rusqlite::Result<BTreeMap<u16, u64>> {
    let mut select = connection.prepare("SELECT partition, next_offset FROM spool_checkpoints")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    rows.collect()
}
