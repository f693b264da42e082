//! The way back: pages of a partition's stream, and its end.

use std::sync::Arc;

use ::eventstore::{Client, Error, ReadStreamOptions, RecordedEvent, StreamPosition};
use bytes::Bytes;
use uuid::Uuid;

use super::servers::{Servers, Trouble};
use super::{COMMIT, Shared, UNPOISONED, wait};
use crate::{ReadError, Record};

/// How many bytes are read at once where nobody says how many are wanted.
pub const PAGE_BYTES: usize = 4 << 20;

impl Shared {
    /// The same as [`crate::Log::read`]. Blocking.
    pub fn read(
        self: &Arc<Self>,
        partition: u16,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let head = self.head(partition);
        if from > head {
            return Err(ReadError::BeyondHead {
                partition,
                from,
                head,
            });
        }
        if from == head {
            return Ok(Vec::new());
        }
        let memory = self.memory.lock().expect(UNPOISONED);
        if let Some(records) = memory.read(partition, from, max_bytes) {
            return Ok(records);
        }
        drop(memory);
        let shared = Arc::clone(self);
        let reading = async move { shared.page(partition, from, head, max_bytes).await };
        self.finished(partition, wait(&self.runtime, reading))
    }

    /// What came of reading, `None` being that the log was dropped meanwhile.
    pub fn finished<T>(&self, partition: u16, outcome: Option<Result<T, Trouble>>) -> Result<T, ReadError> {
        let problem = match outcome {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(trouble)) => trouble.into_problem(),
            None => "the log was closed meanwhile".into(),
        };
        Err(ReadError::Servers {
            place: self.servers.place(),
            partition,
            problem,
        })
    }

    /// Commits from `from` to below `to`, which are there, up to `max_bytes`, but at least one.
    pub async fn page(
        &self,
        partition: u16,
        from: u64,
        to: u64,
        max_bytes: usize,
    ) -> Result<Vec<Record>, Trouble> {
        let stream = self.config.stream(partition);
        let page = self
            .servers
            .ask(|client| page(client, stream.clone(), from, to, max_bytes))
            .await?;
        let expected: Vec<u64> = (from..).take(page.len().max(1)).collect();
        let found: Vec<u64> = page.iter().map(|event| event.revision).collect();
        if found != expected {
            let problem = format!(
                "stream {stream} was to go on at revision {from}, but the server has {found:?} there; streams of the log \
                 must not be truncated or written to by others: restore the server from a backup"
            );
            return Err(Trouble::Lasting(problem));
        }
        if let Some(foreign) = page.iter().find(|event| event.event_type != COMMIT) {
            let problem = format!(
                "stream {stream} has an event of type {} at revision {}, which this log did not write",
                foreign.event_type, foreign.revision
            );
            return Err(Trouble::Lasting(problem));
        }
        let record = |event: RecordedEvent| Record {
            offset: event.revision,
            payload: event.data,
        };
        Ok(page.into_iter().map(record).collect())
    }

    /// The number of commits that the server has of a partition.
    pub async fn tip(&self, partition: u16) -> Result<u64, Trouble> {
        tip(&self.servers, self.config.stream(partition)).await
    }

    /// Makes visible what the server has below `to`.
    pub async fn catch_up(&self, partition: u16, to: u64) -> Result<(), Trouble> {
        loop {
            let head = self.head(partition);
            if head >= to {
                return Ok(());
            }
            let records = self.page(partition, head, to, PAGE_BYTES).await?;
            let commits: Vec<Bytes> = records.into_iter().map(|record| record.payload).collect();
            self.advance(partition, head, commits);
        }
    }

    /// The id of the event at a revision.
    pub async fn id_at(&self, partition: u16, revision: u64) -> Result<Option<Uuid>, Trouble> {
        let stream = self.config.stream(partition);
        let asked = self
            .servers
            .ask(|client| page(client, stream.clone(), revision, revision + 1, 0));
        let event = match asked.await {
            Ok(events) => events.into_iter().next(),
            Err(Trouble::NotThere) => None,
            Err(trouble) => return Err(trouble),
        };
        Ok(event.map(|event| event.id))
    }
}

/// Events from `from` on. Ends early, and lets the server stop sending, as soon as there is enough: what nobody takes would
/// fill the connection that all others share.
async fn page(
    client: Client,
    stream: String,
    from: u64,
    to: u64,
    max_bytes: usize,
) -> Result<Vec<RecordedEvent>, Error> {
    let options = ReadStreamOptions::default()
        .position(StreamPosition::Position(from))
        .max_count(usize::try_from(to - from).unwrap_or(usize::MAX))
        .requires_leader(true);
    let mut events = client.read_stream(stream, &options).await?;
    let mut page = Vec::new();
    let mut bytes = 0;
    while let Some(event) = events.next().await? {
        let Some(event) = event.event else { continue };
        bytes += event.data.len();
        if bytes > max_bytes && !page.is_empty() {
            break;
        }
        page.push(event);
        if bytes >= max_bytes {
            break;
        }
    }
    Ok(page)
}

/// The number of events in a stream.
pub async fn tip(servers: &Servers, stream: String) -> Result<u64, Trouble> {
    let last = servers.ask(|client| last(client, stream.clone())).await?;
    Ok(last.map_or(0, |event| event.revision + 1))
}

/// The last event of a stream, if it has any.
pub async fn last(client: Client, stream: String) -> Result<Option<RecordedEvent>, Error> {
    let options = ReadStreamOptions::default()
        .position(StreamPosition::End)
        .max_count(1)
        .requires_leader(true);
    let found = async { client.read_stream(stream, &options).await?.next().await };
    match found.await {
        Ok(event) => Ok(event.and_then(|event| event.event)),
        Err(Error::ResourceNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
