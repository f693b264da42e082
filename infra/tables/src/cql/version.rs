//! Reads of one version, asked of the server.
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use bytes::Bytes;
use futures_util::TryStreamExt;
use scylla::value::CqlValue;

use super::error::{is_missing_table, next_row};
use super::names::{key_of, stored_key};
use super::register::Generation;
use super::server::Server;
use super::writes::Writes;
use crate::content::Content;
use crate::error::check_name;
use crate::{Order, Position, Row, TablesError};

const COLUMNS: &str = "pk, sk, value, log_partition, log_offset";
const READING: &str = "reading rows";

type Stored = (String, String, Bytes, i32, i64);

pub(super) struct Version {
    pub server: Arc<Server>,
    pub generation: Generation,
    pub dropped: AtomicBool,
    pub bulk: AtomicBool,
    known: RwLock<Known>,
    /// The tables this handle has made sure of. Held while one is made, so that threads do not make it together.
    pub made: tokio::sync::Mutex<BTreeSet<String>>,
    /// Commits that failed on their way, in their order, and the right to finish them, with the time of the last failure.
    pub unfinished: Mutex<Vec<Arc<Writes>>>,
    pub finishing: tokio::sync::Mutex<Option<Instant>>,
}

/// As of the last look at the register, and of what was written through this handle.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// Each logical table, with the name of the one that holds it.
    pub tables: BTreeMap<String, String>,
    pub checkpoints: BTreeMap<u16, u64>,
}

/// The page of a scan starts after this row.
pub(super) type After = Option<(String, String)>;

impl Version {
    pub async fn open(server: Arc<Server>, generation: Generation) -> Result<Self, TablesError> {
        let version = Self {
            server,
            generation,
            dropped: AtomicBool::new(false),
            bulk: AtomicBool::new(false),
            known: RwLock::default(),
            made: tokio::sync::Mutex::default(),
            unfinished: Mutex::default(),
            finishing: tokio::sync::Mutex::default(),
        };
        version.refresh().await?;
        Ok(version)
    }

    pub async fn refresh(&self) -> Result<(), TablesError> {
        // The checkpoints first: a table is registered before the checkpoint of its first row is written.
        let checkpoints = self.generation.checkpoints(&self.server).await?;
        let tables = self.generation.tables(&self.server).await?;
        if checkpoints.is_empty() && tables.is_empty() && !self.generation.is_live(&self.server).await? {
            self.dropped.store(true, Ordering::Release);
            return Err(TablesError::Dropped);
        }
        self.learn(checkpoints, tables);
        Ok(())
    }

    pub fn learn(
        &self,
        checkpoints: impl IntoIterator<Item = (u16, u64)>,
        tables: impl IntoIterator<Item = (String, String)>,
    ) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.tables.extend(tables);
        for (partition, next) in checkpoints {
            let checkpoint = known.checkpoints.entry(partition).or_default();
            *checkpoint = (*checkpoint).max(next);
        }
    }

    #[cfg(test)]
    pub fn forget(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    pub fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn get(&self, table: &str, pk: &str, sk: &str) -> Result<Option<Row>, TablesError> {
        let Some(stored_as) = self.stored_as(table).await? else {
            return Ok(None);
        };
        let select = format!("SELECT {COLUMNS} FROM {stored_as} WHERE pk = ? AND sk = ?");
        let found = self.server.first(READING, &select, (stored_key(pk), sk));
        Ok(self.or_empty(found).await?.map(row))
    }

    pub async fn range(
        &self,
        table: &str,
        pk: &str,
        (from, to): (Bound<String>, Bound<String>),
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, TablesError> {
        let Some(stored_as) = self.stored_as(table).await? else {
            return Ok(Vec::new());
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut select = format!("SELECT {COLUMNS} FROM {stored_as} WHERE pk = ?");
        let mut values = vec![CqlValue::Text(stored_key(pk).to_owned())];
        for (bound, included, excluded) in [
            (from, " AND sk >= ?", " AND sk > ?"),
            (to, " AND sk <= ?", " AND sk < ?"),
        ] {
            let (condition, value) = match bound {
                Bound::Included(value) => (included, value),
                Bound::Excluded(value) => (excluded, value),
                Bound::Unbounded => continue,
            };
            select.push_str(condition);
            values.push(CqlValue::Text(value));
        }
        select.push_str(match order {
            Order::Ascending => " ORDER BY sk ASC LIMIT ?",
            Order::Descending => " ORDER BY sk DESC LIMIT ?",
        });
        values.push(CqlValue::Int(limited(limit)));
        self.rows(&select, values).await
    }

    /// The rest of the last row's partition, then what follows in the order of the partitions' tokens. (Of two keys with the
    /// same token of 64 bits, a page that ends at the first would skip the second. Among a hundred million keys
    /// there is such a pair with a chance of 3 in 10,000, and a page ends there even more rarely; `content_hash` pages
    /// otherwise and does not depend on it.)
    pub async fn scan(&self, table: &str, after: After, limit: usize) -> Result<Vec<Row>, TablesError> {
        let Some(stored_as) = self.stored_as(table).await? else {
            return Ok(Vec::new());
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let Some((pk, sk)) = after else {
            let select = format!("SELECT {COLUMNS} FROM {stored_as} LIMIT ?");
            return self.rows(&select, vec![CqlValue::Int(limited(limit))]).await;
        };
        let rest = (Bound::Excluded(sk), Bound::Unbounded);
        let mut rows = self.range(table, &pk, rest, Order::Ascending, limit).await?;
        if rows.len() < limit {
            let select = format!("SELECT {COLUMNS} FROM {stored_as} WHERE token(pk) > token(?) LIMIT ?");
            let wanted = CqlValue::Int(limited(limit - rows.len()));
            let after = CqlValue::Text(stored_key(&pk).to_owned());
            rows.extend(self.rows(&select, vec![after, wanted]).await?);
        }
        Ok(rows)
    }

    pub async fn count(&self, table: &str, pk: Option<String>) -> Result<u64, TablesError> {
        let Some(stored_as) = self.stored_as(table).await? else {
            return Ok(0);
        };
        if let Some(pk) = pk {
            let select = format!("SELECT count(*) FROM {stored_as} WHERE pk = ?");
            let found = self.server.first(READING, &select, (stored_key(&pk),));
            let found: Option<(i64,)> = self.or_empty(found).await?;
            return Ok(found.map_or(0, |(count,)| count.cast_unsigned()));
        }
        // One answer for a whole table would come too late for its time-out, so the rows are counted here, page by page.
        let select = format!("SELECT log_partition FROM {stored_as}");
        let rows = self.server.stream(READING, &select, ());
        let Some(rows) = self.or_empty(async { rows.await.map(Some) }).await? else {
            return Ok(0);
        };
        let count = rows.try_fold(0, |count, (_,): (i32,)| std::future::ready(Ok(count + 1)));
        count.await.map_err(next_row(READING))
    }

    pub async fn content_hash(&self) -> Result<String, TablesError> {
        self.refresh().await?;
        let tables = self.known().tables.clone();
        let mut content = Content::default();
        for (table, stored_as) in tables {
            let select = format!("SELECT {COLUMNS} FROM {}.{stored_as}", self.server.keyspace);
            let rows = self.server.stream(READING, &select, ());
            let Some(mut rows) = self.or_empty(async { rows.await.map(Some) }).await? else {
                continue;
            };
            while let Some(found) = rows.try_next().await.map_err(next_row(READING))? {
                let Row { pk, sk, value, .. } = row(found);
                content.add(table.as_bytes(), pk.as_bytes(), sk.as_bytes(), &value);
            }
        }
        Ok(content.hash())
    }

    /// With the keyspace; `None` when nobody wrote to the table yet.
    async fn stored_as(&self, table: &str) -> Result<Option<String>, TablesError> {
        check_name(table)?;
        let known = || self.known().tables.get(table).cloned();
        let stored_as = match known() {
            None => {
                // Another process may have.
                self.refresh().await?;
                known()
            }
            stored_as => stored_as,
        };
        Ok(stored_as.map(|name| format!("{}.{name}", self.server.keyspace)))
    }

    async fn rows(&self, select: &str, values: Vec<CqlValue>) -> Result<Vec<Row>, TablesError> {
        let found: Vec<Stored> = self.or_empty(self.server.all(READING, select, values)).await?;
        Ok(found.into_iter().map(row).collect())
    }

    /// A table that was registered and is not there yet has no rows. (The process that was making it may have died.)
    async fn or_empty<T: Default>(
        &self,
        asked: impl Future<Output = Result<T, TablesError>>,
    ) -> Result<T, TablesError> {
        match self.told(asked).await {
            Err(error) if is_missing_table(&error) => Ok(T::default()),
            answer => answer,
        }
    }

    /// When a table is missing because another process dropped the version, that is the better answer.
    pub async fn told<T>(
        &self,
        asked: impl Future<Output = Result<T, TablesError>>,
    ) -> Result<T, TablesError> {
        let answer = asked.await;
        let missing = answer.as_ref().is_err_and(is_missing_table);
        if missing && !self.generation.is_live(&self.server).await? {
            self.dropped.store(true, Ordering::Release);
            return Err(TablesError::Dropped);
        }
        answer
    }
}

fn row((pk, sk, value, partition, offset): Stored) -> Row {
    let partition = u16::try_from(partition).expect("only partitions of the log are written");
    let offset = offset.cast_unsigned();
    Row {
        pk: key_of(pk),
        sk,
        value,
        position: Position { partition, offset },
    }
}

fn limited(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}
