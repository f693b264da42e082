//! Writes a batch: all rows, many at once, then the checkpoints.
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch as Statements, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::error::{execution, is_missing_table};
use super::names::{TableName, stored_key};
use super::schema::{self, CHECKPOINTS};
use super::server::Server;
use super::timestamps;
use super::version::Version;
use crate::TablesError;
use crate::batch::Sorted;

/// Statements on their way at once. More does not make a single node faster; a view that serves leaves room for its readers.
const IN_FLIGHT: usize = 128;
const IN_FLIGHT_BULK: usize = 256;
/// Rows of one partition go together, up to these. The servers warn of larger ones, and slow neighbours down.
const TOGETHER_ROWS: usize = 64;
const TOGETHER_BYTES: usize = 32 << 10;
const WRITING: &str = "writing rows";

/// What one commit is to write, apart from the batch it was taken from.
pub(super) struct Writes {
    /// Sorted by table and keys, so that the rows of one partition follow each other.
    pub rows: Vec<Write>,
    pub checkpoints: Vec<(u16, u64)>,
}

pub(super) struct Write {
    table: usize,
    pk: String,
    sk: String,
    value: Option<Bytes>,
    partition: i32,
    offset: u64,
}

/// Rows of one partition that go to the server in one request.
enum Request {
    Put(usize, Vec<Put>),
    Delete(usize, Vec<Delete>),
}

type Put = (String, String, Bytes, i32, i64, i64);
type Delete = (i64, String, String);

struct Prepared {
    put: PreparedStatement,
    delete: PreparedStatement,
}

impl Writes {
    /// Also the tables they go to, which the rows name by number.
    pub fn new(sorted: &[Sorted<'_>], checkpoints: Vec<(u16, u64)>) -> (Self, Vec<String>) {
        let mut tables: Vec<String> = Vec::new();
        let mut rows = Vec::with_capacity(sorted.len());
        for Sorted { table, pk, sk, write } in sorted {
            if tables.last().is_none_or(|last| last != table) {
                tables.push((*table).to_owned());
            }
            rows.push(Write {
                table: tables.len() - 1,
                pk: stored_key(pk).to_owned(),
                sk: (*sk).to_owned(),
                value: write.value.clone(),
                partition: i32::from(write.at.partition),
                offset: write.at.offset,
            });
        }
        (Self { rows, checkpoints }, tables)
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.checkpoints.is_empty()
    }

    /// Puts and deletions of a partition apart: all statements of one request are the same one. No row is in the batch
    /// twice, so their order does not matter.
    fn requests(self) -> (Vec<Request>, Vec<(u16, u64)>) {
        let mut requests = Vec::new();
        let mut puts = Together::default();
        let mut deletes = Together::default();
        for Write {
            table,
            pk,
            sk,
            value,
            partition,
            offset,
        } in self.rows
        {
            match value {
                Some(value) => {
                    let bytes = value.len();
                    if let Some((table, full)) = puts.make_room(table, &pk, bytes) {
                        requests.push(Request::Put(table, full));
                    }
                    let timestamp = timestamps::put(offset);
                    puts.rows
                        .push((pk, sk, value, partition, offset.cast_signed(), timestamp));
                }
                None => {
                    if let Some((table, full)) = deletes.make_room(table, &pk, 0) {
                        requests.push(Request::Delete(table, full));
                    }
                    deletes.rows.push((timestamps::delete(offset), pk, sk));
                }
            }
        }
        requests.extend(puts.rest().map(|(table, rows)| Request::Put(table, rows)));
        requests.extend(deletes.rest().map(|(table, rows)| Request::Delete(table, rows)));
        (requests, self.checkpoints)
    }
}

/// Rows of one partition that are being put together.
struct Together<T> {
    table: usize,
    pk: String,
    bytes: usize,
    rows: Vec<T>,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        let (pk, rows) = (String::new(), Vec::new());
        Self {
            table: 0,
            pk,
            bytes: 0,
            rows,
        }
    }
}

impl<T> Together<T> {
    /// What has to go before the next row can be taken, if anything.
    fn make_room(&mut self, table: usize, pk: &str, bytes: usize) -> Option<(usize, Vec<T>)> {
        let same = self.table == table && self.pk == pk;
        let fits = self.rows.len() < TOGETHER_ROWS && self.bytes + bytes <= TOGETHER_BYTES;
        if same && fits {
            self.bytes += bytes;
            return None;
        }
        let full = (self.table, std::mem::take(&mut self.rows));
        self.table = table;
        if !same {
            pk.clone_into(&mut self.pk);
        }
        self.bytes = bytes;
        (!full.1.is_empty()).then_some(full)
    }

    fn rest(self) -> Option<(usize, Vec<T>)> {
        (!self.rows.is_empty()).then_some((self.table, self.rows))
    }
}

impl Version {
    pub async fn commit(&self, writes: Writes, tables: Vec<String>) -> Result<(), TablesError> {
        let mut prepared = Vec::with_capacity(tables.len());
        for table in &tables {
            prepared.push(self.prepare(table).await?);
        }
        let in_flight = if self.bulk.load(Ordering::Relaxed) {
            IN_FLIGHT_BULK
        } else {
            IN_FLIGHT
        };
        let (requests, checkpoints) = writes.requests();
        let sent = stream::iter(requests)
            .map(|request| send(&self.server, &prepared, request))
            .buffer_unordered(in_flight)
            .try_for_each(|()| std::future::ready(Ok(())));
        self.told(sent).await?;
        // Only now: whoever sees the checkpoint sees the rows.
        let insert = format!(
            "INSERT INTO {}.{CHECKPOINTS} (view_name, version, generation, log_partition, next_offset)
             VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
            self.server.keyspace
        );
        let (view, version, generation) = self.generation.key();
        stream::iter(checkpoints.clone())
            .map(|(partition, next): (u16, u64)| {
                let next_offset = next.cast_signed();
                let timestamp = timestamps::checkpoint(next);
                let values = (
                    view,
                    version,
                    generation,
                    i32::from(partition),
                    next_offset,
                    timestamp,
                );
                self.server.write("writing a checkpoint", &insert, values)
            })
            .buffer_unordered(in_flight)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await?;
        self.learn(checkpoints, []);
        Ok(())
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
}

async fn send(server: &Server, prepared: &[Prepared], request: Request) -> Result<(), TablesError> {
    match request {
        Request::Put(table, rows) => send_all(server, &prepared[table].put, rows).await,
        Request::Delete(table, rows) => send_all(server, &prepared[table].delete, rows).await,
    }
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
