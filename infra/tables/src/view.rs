//! One version of a view: reads of its rows, and commits.
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{Batch, Committed, Opened, Order, Row, TablesError, cql, embedded};

/// The tables of one version of one view. Clones share them. Reads do not wait for writes; the embedded backend shows whole
/// commits only, the CQL backend all of a commit once its checkpoint is there.
#[derive(Clone)]
pub struct ViewTables(Backend);

#[derive(Clone)]
enum Backend {
    Embedded(embedded::View),
    Cql(cql::View),
}

/// The same call on whichever backend it is.
macro_rules! on {
    ($self:ident, $view:ident => $call:expr) => {
        match &$self.0 {
            Backend::Embedded($view) => $call,
            Backend::Cql($view) => $call,
        }
    };
}

impl ViewTables {
    pub(crate) fn embedded(view: embedded::View) -> Self {
        Self(Backend::Embedded(view))
    }

    pub(crate) fn cql(view: cql::View) -> Self {
        Self(Backend::Cql(view))
    }

    pub fn name(&self) -> &str {
        on!(self, view => view.name())
    }

    pub fn version(&self) -> u32 {
        on!(self, view => view.version())
    }

    /// What was found when this version was opened.
    pub fn opened(&self) -> &Opened {
        on!(self, view => view.opened())
    }

    pub fn get(&self, table: &str, pk: &str, sk: &str) -> Result<Option<Row>, TablesError> {
        on!(self, view => view.get(table, pk, sk))
    }

    /// At most `limit` rows of `pk` with sort keys between the bounds.
    pub fn range(
        &self,
        table: &str,
        pk: &str,
        bounds: (Bound<&str>, Bound<&str>),
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, TablesError> {
        on!(self, view => view.range(table, pk, bounds, order, limit))
    }

    /// A page of all rows of the table after the one with the given keys. Rows with the same partition key follow
    /// each other by sort key. The order of partition keys is the backend's own (by their bytes in SQLite, by token in
    /// CQL) and always the same.
    pub fn scan(
        &self,
        table: &str,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Row>, TablesError> {
        on!(self, view => view.scan(table, after, limit))
    }

    /// How many rows the table has, in all or with this partition key. Counts them one by one.
    pub fn count(&self, table: &str, pk: Option<&str>) -> Result<u64, TablesError> {
        on!(self, view => view.count(table, pk))
    }

    /// The tables that were ever written to, by name; in CQL also those that were made.
    pub fn tables(&self) -> Vec<String> {
        on!(self, view => view.tables())
    }

    /// For each partition the offset of the first commit of the log that is not in the rows yet. In CQL as this handle
    /// knows it: by its own commits, and by the last [`ViewTables::refresh`] for those of others.
    pub fn checkpoints(&self) -> BTreeMap<u16, u64> {
        on!(self, view => view.checkpoints())
    }

    /// The checkpoint of one partition, 0 when nothing of it is in the rows.
    pub fn checkpoint(&self, partition: u16) -> u64 {
        on!(self, view => view.checkpoint(partition))
    }

    /// Asks the server how far other processes have brought this version. The embedded backend knows: nobody else
    /// writes its files.
    pub fn refresh(&self) -> Result<(), TablesError> {
        match &self.0 {
            Backend::Embedded(_) => Ok(()),
            Backend::Cql(view) => view.refresh(),
        }
    }

    /// To be called by whoever is going to write, before reading what to go on from: finishes the commits that the writer
    /// before was killed in the middle of, and learns how far it came. Embedded, there is nothing to finish.
    pub fn take_over(&self) -> Result<(), TablesError> {
        match &self.0 {
            Backend::Embedded(_) => Ok(()),
            Backend::Cql(view) => view.take_over(),
        }
    }

    /// Makes the tables that rows will be written to. In CQL the first write to a table would make it too, and everybody who
    /// waits for that row would wait for the schema to change. Embedded, there is nothing to make.
    pub fn make(&self, tables: &[&str]) -> Result<(), TablesError> {
        match &self.0 {
            Backend::Embedded(_) => Ok(()),
            Backend::Cql(view) => view.make(tables),
        }
    }

    /// Writes rows and checkpoints. A write below the checkpoint of its partition, or at or below the position its row
    /// is at, changes nothing. Embedded, this is one transaction, all or nothing. In CQL the batch is written down
    /// first, then the rows, then the checkpoints: an error may leave it halfway, and the next call of this handle, or
    /// [`ViewTables::take_over`] by another one, finishes it.
    pub fn commit(&self, batch: &Batch) -> Result<Committed, TablesError> {
        on!(self, view => view.commit(batch))
    }

    /// Writes for throughput from now on, for a rebuild (in batches of some 10,000 events). Embedded, that is without
    /// syncing, and a process that dies before [`ViewTables::finish_bulk`] leaves a version that starts empty again.
    pub fn begin_bulk(&self) -> Result<(), TablesError> {
        on!(self, view => view.begin_bulk())
    }

    /// Makes durable what was written since [`ViewTables::begin_bulk`].
    pub fn finish_bulk(&self) -> Result<(), TablesError> {
        on!(self, view => view.finish_bulk())
    }

    /// A hash in hex of all rows (table, keys, value): equal exactly when the rows are, whatever way, in whatever order and
    /// in whatever backend they came to be. Positions and checkpoints do not count.
    pub fn content_hash(&self) -> Result<String, TablesError> {
        on!(self, view => view.content_hash())
    }

    /// Empties the write-ahead log into the main file, after which nothing overwritten or deleted can be found in
    /// either (an erasure). CQL cannot promise that: what was overwritten goes when the server compacts, and what makes
    /// personal data unreadable is that its key is destroyed.
    pub fn truncate_wal(&self) -> Result<(), TablesError> {
        match &self.0 {
            Backend::Embedded(view) => view.truncate_wal(),
            Backend::Cql(_) => Ok(()),
        }
    }

    /// Reads the whole file through and returns what is wrong with it; nothing when it is sound. A CQL server looks
    /// after its own files.
    pub fn integrity(&self) -> Result<Vec<String>, TablesError> {
        match &self.0 {
            Backend::Embedded(view) => view.integrity(),
            Backend::Cql(_) => Ok(Vec::new()),
        }
    }
}
