//! One version of a view, for callers that block.
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::blocking::Threads;
use super::version::Version;
use super::writes::Writes;
use crate::{Batch, Committed, Opened, Order, Row, TablesError};

#[derive(Clone)]
pub(crate) struct View {
    threads: Arc<Threads>,
    version: Arc<Version>,
    opened: Arc<Opened>,
}

impl View {
    pub(super) fn new(threads: Arc<Threads>, version: Version) -> Self {
        // One that nobody wrote to yet is as good as new, whichever process made it.
        let untouched = version.known().checkpoints.is_empty();
        let opened = if untouched {
            Opened::Created
        } else {
            Opened::Existing
        };
        Self {
            threads,
            version: Arc::new(version),
            opened: Arc::new(opened),
        }
    }

    pub fn name(&self) -> &str {
        &self.version.generation.view
    }

    pub fn version(&self) -> u32 {
        self.version.generation.version
    }

    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    pub fn get(&self, table: &str, pk: &str, sk: &str) -> Result<Option<Row>, TablesError> {
        let [table, pk, sk] = [table, pk, sk].map(str::to_owned);
        self.ask(|version| async move { version.get(&table, &pk, &sk).await })
    }

    pub fn range(
        &self,
        table: &str,
        pk: &str,
        (from, to): (Bound<&str>, Bound<&str>),
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, TablesError> {
        let [table, pk] = [table, pk].map(str::to_owned);
        let bounds = (from.map(str::to_owned), to.map(str::to_owned));
        self.ask(move |version| async move { version.range(&table, &pk, bounds, order, limit).await })
    }

    pub fn scan(
        &self,
        table: &str,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Row>, TablesError> {
        let table = table.to_owned();
        let after = after.map(|(pk, sk)| (pk.to_owned(), sk.to_owned()));
        self.ask(move |version| async move { version.scan(&table, after, limit).await })
    }

    pub fn count(&self, table: &str, pk: Option<&str>) -> Result<u64, TablesError> {
        let (table, pk) = (table.to_owned(), pk.map(str::to_owned));
        self.ask(move |version| async move { version.count(&table, pk).await })
    }

    pub fn tables(&self) -> Vec<String> {
        self.version.known().tables.keys().cloned().collect()
    }

    pub fn checkpoints(&self) -> BTreeMap<u16, u64> {
        self.version.known().checkpoints.clone()
    }

    pub fn checkpoint(&self, partition: u16) -> u64 {
        let known = self.version.known();
        known.checkpoints.get(&partition).copied().unwrap_or(0)
    }

    pub fn refresh(&self) -> Result<(), TablesError> {
        self.ask(|version| async move { version.refresh().await })
    }

    pub fn take_over(&self) -> Result<(), TablesError> {
        self.ask(|version| async move { version.take_over().await })
    }

    pub fn make(&self, tables: &[&str]) -> Result<(), TablesError> {
        let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        self.ask(|version| async move { version.make_all(&tables).await })
    }

    pub fn commit(&self, batch: &Batch) -> Result<Committed, TablesError> {
        self.check_dropped()?;
        // What failed before comes first: it may have to be repeated, and this batch may repeat it.
        if self.version.has_unfinished() {
            self.ask(|_| std::future::ready(Ok(())))?;
        }
        let (writes, done) = {
            let known = self.version.known();
            let (sorted, rising) = batch.past(&known.checkpoints)?;
            let (written, skipped) = (sorted.len(), batch.len() - sorted.len());
            (Writes::new(&sorted, rising), Committed { written, skipped })
        };
        if writes.is_empty() {
            return Ok(done);
        }
        self.ask(|version| async move { version.commit(writes).await })?;
        Ok(done)
    }

    pub fn begin_bulk(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.version.bulk.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub fn finish_bulk(&self) -> Result<(), TablesError> {
        self.check_dropped()?;
        self.version.bulk.store(false, Ordering::Relaxed);
        Ok(())
    }

    pub fn content_hash(&self) -> Result<String, TablesError> {
        self.ask(|version| async move { version.content_hash().await })
    }

    /// As it is in a process that opened it before anything was committed.
    #[cfg(test)]
    pub fn forgetful(self) -> Self {
        self.version.forget();
        self
    }

    #[cfg(test)]
    pub fn commit_partly(&self, batch: &Batch, rows: usize, checkpoints: usize) -> Result<(), TablesError> {
        let (sorted, rising) = batch.past(&self.version.known().checkpoints)?;
        let writes = Writes::new(&sorted, rising);
        self.ask(move |version| async move { version.commit_partly(writes, rows, checkpoints).await })
    }

    pub(super) fn set_dropped(&self) {
        self.version.dropped.store(true, Ordering::Release);
    }

    fn ask<T, F>(&self, ask: impl FnOnce(Arc<Version>) -> F) -> Result<T, TablesError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TablesError>> + Send + 'static,
    {
        self.check_dropped()?;
        let version = self.version.clone();
        let answer = ask(version.clone());
        self.threads.run(async move {
            version.finish().await?;
            answer.await
        })
    }

    fn check_dropped(&self) -> Result<(), TablesError> {
        if self.version.dropped.load(Ordering::Acquire) {
            Err(TablesError::Dropped)
        } else {
            Ok(())
        }
    }
}
