//! Writes a batch: the journal, then all rows, many at once, then the checkpoints.
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch as Statements, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::error::{execution, is_missing_table, unavailable};
use super::names::TableName;
use super::schema::{self, CHECKPOINTS};
use super::server::Server;
use super::timestamps;
use super::version::Version;
use super::writes::{Write, Writes};
use crate::TablesError;
use crate::error::check_name;

/// Requests on their way at once. More does not make a single node faster; a view that serves leaves room for its readers.
const IN_FLIGHT: usize = 128;
const IN_FLIGHT_BULK: usize = 256;
/// Rows of one partition go together, up to these. The servers warn of larger ones, and slow neighbours down.
const TOGETHER_ROWS: usize = 64;
const TOGETHER_BYTES: usize = 32 << 10;
const WRITING: &str = "writing rows";

/// As the statements take them.
type Put<'a> = (&'a str, &'a str, &'a Bytes, i32, i64, i64);
type Delete<'a> = (i64, &'a str, &'a str);

struct Prepared {
    put: PreparedStatement,
    delete: PreparedStatement,
}

impl Version {
    /// After an error the commit has happened as far as this handle is concerned: the next call finishes it first, because
    /// some of its rows may be there.
    pub async fn commit(&self, writes: Writes) -> Result<(), TablesError> {
        let written = self.write(&writes).await;
        self.learn(writes.checkpoints.iter().copied(), []);
        if written.is_err() {
            self.unfinished().push(Arc::new(writes));
        }
        written
    }

    pub fn has_unfinished(&self) -> bool {
        !self.unfinished().is_empty()
    }

    /// Finishes what failed before. Many may ask at once: those who waited for an attempt that failed do not make another,
    /// so that nobody waits for more than two.
    pub async fn finish(&self) -> Result<(), TablesError> {
        if !self.has_unfinished() {
            return Ok(());
        }
        let asked_at = Instant::now();
        let mut failed_at = self.finishing.lock().await;
        if failed_at.is_some_and(|failed_at| failed_at > asked_at) {
            return Err(unavailable("finishing a commit", "it failed a moment ago"));
        }
        loop {
            let Some(first) = self.unfinished().first().cloned() else {
                return Ok(());
            };
            if let Err(error) = self.write(&first).await {
                *failed_at = Some(Instant::now());
                return Err(error);
            }
            self.unfinished().remove(0);
        }
    }

    /// Finishes what other writers left unfinished, and learns how far they came.
    pub async fn take_over(&self) -> Result<(), TablesError> {
        self.refresh().await?;
        for writes in self.cut_short().await? {
            let (view, version) = (&self.generation.view, self.generation.version);
            tracing::info!(
                view,
                version,
                rows = writes.rows.len(),
                "finishing a commit that was cut short"
            );
            self.write(&writes).await?;
        }
        self.refresh().await
    }

    /// As far as a process gets that is killed in the middle: so many rows, and so many of the checkpoints before the last.
    #[cfg(test)]
    pub async fn commit_partly(
        &self,
        writes: Writes,
        rows: usize,
        checkpoints: usize,
    ) -> Result<(), TablesError> {
        let mut prepared = Vec::new();
        for table in &writes.tables {
            prepared.push(self.prepare(table).await?);
        }
        self.write_down(&writes).await?;
        let rows = &writes.rows[..rows.min(writes.rows.len())];
        self.write_rows(rows, &prepared).await?;
        let slot = writes.slot();
        let before_the_last = writes
            .checkpoints
            .iter()
            .filter(|checkpoint| **checkpoint != slot);
        for checkpoint in before_the_last.take(checkpoints) {
            self.write_checkpoint(*checkpoint).await?;
        }
        Ok(())
    }

    pub async fn make_all(&self, tables: &[String]) -> Result<(), TablesError> {
        for table in tables {
            check_name(table)?;
            self.prepare(table).await?;
        }
        Ok(())
    }

    async fn write(&self, writes: &Writes) -> Result<(), TablesError> {
        if !writes.rows.is_empty() {
            let mut prepared = Vec::with_capacity(writes.tables.len());
            for table in &writes.tables {
                prepared.push(self.prepare(table).await?);
            }
            self.write_down(writes).await?;
            self.told(self.write_rows(&writes.rows, &prepared)).await?;
        }
        // Only now: whoever sees a checkpoint sees the rows.
        self.write_checkpoints(writes).await
    }

    async fn write_rows(&self, rows: &[Write], prepared: &[Prepared]) -> Result<(), TablesError> {
        let in_flight = self.in_flight();
        let mut sending = FuturesUnordered::new();
        for together in rows.chunk_by(|a, b| a.table == b.table && a.pk == b.pk) {
            for request in cut(together) {
                if sending.len() >= in_flight {
                    sending.try_next().await?;
                }
                sending.push(send(&self.server, prepared, request));
            }
        }
        while sending.try_next().await?.is_some() {}
        Ok(())
    }

    /// The slot's comes last: when it is there, the commit is done.
    async fn write_checkpoints(&self, writes: &Writes) -> Result<(), TablesError> {
        let slot = writes.slot();
        let mut sending = FuturesUnordered::new();
        for checkpoint in writes
            .checkpoints
            .iter()
            .filter(|checkpoint| **checkpoint != slot)
        {
            sending.push(self.write_checkpoint(*checkpoint));
        }
        while sending.try_next().await?.is_some() {}
        self.write_checkpoint(slot).await
    }

    async fn write_checkpoint(&self, (partition, next): (u16, u64)) -> Result<(), TablesError> {
        let insert = format!(
            "INSERT INTO {}.{CHECKPOINTS} (view_name, version, generation, log_partition, next_offset)
             VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
            self.server.keyspace
        );
        let (view, version, generation) = self.generation.key();
        let (partition, next_offset) = (i32::from(partition), next.cast_signed());
        let timestamp = timestamps::checkpoint(next);
        let values = (view, version, generation, partition, next_offset, timestamp);
        self.server.write("writing a checkpoint", &insert, values).await
    }

    async fn prepare(&self, table: &str) -> Result<Prepared, TablesError> {
        let known = self.known().tables.get(table).cloned();
        if let Some(stored_as) = known {
            match self.told(self.statements(&stored_as)).await {
                // Registered by a process that has not made it yet, or never did.
                Err(error) if is_missing_table(&error) => {}
                prepared => return prepared,
            }
        }
        let stored_as = self.make(table).await?;
        self.told(self.statements(&stored_as)).await
    }

    async fn statements(&self, stored_as: &str) -> Result<Prepared, TablesError> {
        let (server, keyspace) = (&self.server, &self.server.keyspace);
        let put = format!(
            "INSERT INTO {keyspace}.{stored_as} (pk, sk, value, log_partition, log_offset)
             VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
        );
        let delete = format!("DELETE FROM {keyspace}.{stored_as} USING TIMESTAMP ? WHERE pk = ? AND sk = ?");
        Ok(Prepared {
            put: server.prepared(WRITING, &put).await?,
            delete: server.prepared(WRITING, &delete).await?,
        })
    }

    /// Makes the table of the server for a logical table that is written to for the first time.
    async fn make(&self, table: &str) -> Result<String, TablesError> {
        let (server, generation) = (&*self.server, &self.generation);
        let (view, version, number) = (&generation.view, generation.version, generation.number);
        let name = TableName::of_rows(&server.keyspace, view, version, number, table);
        let mut made = self.made.lock().await;
        if made.contains(table) {
            return Ok(name.name);
        }
        if !generation.is_live(server).await? {
            return Err(self.gone());
        }
        // Registered first, so that a drop finds it whatever happens in between.
        generation.add_table(server, table, &name.name).await?;
        let columns =
            "pk text, sk text, value blob, log_partition int, log_offset bigint, PRIMARY KEY (pk, sk)";
        let comment = format!("{table} of view {view} version {version}");
        schema::create_table(server, &name, columns, &comment).await?;
        if !generation.is_live(server).await? {
            // Dropped meanwhile, perhaps without seeing the table.
            schema::drop_table(server, &name.name).await?;
            return Err(self.gone());
        }
        made.insert(table.to_owned());
        self.learn([], [(table.to_owned(), name.name.clone())]);
        Ok(name.name)
    }

    fn gone(&self) -> TablesError {
        self.dropped.store(true, Ordering::Release);
        TablesError::Dropped
    }

    fn in_flight(&self) -> usize {
        if self.bulk.load(Ordering::Relaxed) {
            IN_FLIGHT_BULK
        } else {
            IN_FLIGHT
        }
    }

    fn unfinished(&self) -> MutexGuard<'_, Vec<Arc<Writes>>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts rows of one partition into requests: puts and deletions apart, because all statements of a request are the same
/// one. No row is in a batch twice, so their order does not matter.
fn cut(rows: &[Write]) -> Vec<Vec<&Write>> {
    let mut requests: Vec<Vec<&Write>> = Vec::new();
    let (puts, deletions): (Vec<&Write>, Vec<&Write>) = rows.iter().partition(|row| row.value.is_some());
    for kind in [puts, deletions] {
        let mut bytes = usize::MAX;
        for row in kind {
            let more = row.value.as_ref().map_or(0, Bytes::len);
            bytes = bytes.saturating_add(more);
            match requests.last_mut() {
                Some(last) if bytes <= TOGETHER_BYTES && last.len() < TOGETHER_ROWS => last.push(row),
                _ => {
                    requests.push(vec![row]);
                    bytes = more;
                }
            }
        }
    }
    requests
}

async fn send(server: &Server, prepared: &[Prepared], rows: Vec<&Write>) -> Result<(), TablesError> {
    let Prepared { put, delete } = &prepared[rows[0].table];
    if rows[0].value.is_none() {
        let mut deletions: Vec<Delete<'_>> = Vec::with_capacity(rows.len());
        for row in &rows {
            deletions.push((timestamps::delete(row.offset), &row.pk, &row.sk));
        }
        return send_all(server, delete, deletions).await;
    }
    let mut puts: Vec<Put<'_>> = Vec::with_capacity(rows.len());
    for row in &rows {
        let value = row.value.as_ref().expect("puts and deletions are apart");
        let (partition, offset) = (i32::from(row.partition), row.offset.cast_signed());
        puts.push((
            &row.pk,
            &row.sk,
            value,
            partition,
            offset,
            timestamps::put(row.offset),
        ));
    }
    send_all(server, put, puts).await
}

async fn send_all<T: SerializeRow>(
    server: &Server,
    prepared: &PreparedStatement,
    mut rows: Vec<T>,
) -> Result<(), TablesError> {
    let session = server.session();
    if rows.len() == 1 {
        let row = rows.pop().expect("there is one");
        let sent = session.execute_unpaged(prepared, row).await;
        return sent.map(drop).map_err(execution(WRITING));
    }
    // Unlogged: rows of one partition are one write for the server anyway.
    let statements = vec![BatchStatement::PreparedStatement(prepared.clone()); rows.len()];
    let mut statements = Statements::new_with_statements(BatchType::Unlogged, statements);
    statements.set_is_idempotent(true);
    let sent = session.batch(&statements, rows).await;
    sent.map(drop).map_err(execution(WRITING))
}
