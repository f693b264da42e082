//! Snapshots: the state of streams in a local table, so that a start reads only the log's tail. They can
//! be lost at any time; the log is read from its beginning then.

use crate::features::AnyState;
use crate::partition::{Partition, Tip};
use crate::streams::Entry;
use crate::window::Accepted;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spool_domain::ids::StreamId;
use spool_tables::{Batch, Order, Position, Tables, TablesError, ViewTables};
use std::ops::Bound::{Excluded, Unbounded};
use uuid::Uuid;

/// Raised when the written form of a state changes (`tests/executor/format.rs` notices); snapshots of
/// another format are dropped.
const FORMAT: u32 = 5;
const NAME: &str = "snapshots";
const PAGE: usize = 1_000;

/// Handle on the snapshot tables of all partitions. Blocking.
#[derive(Clone)]
pub struct Snapshots {
    tables: ViewTables,
}

#[derive(Serialize, Deserialize)]
struct KnownCommand {
    command: Uuid,
    #[serde(flatten)]
    accepted: Accepted,
}

#[derive(Serialize, Deserialize)]
struct StoredOrigin {
    manager: String,
    partition: u16,
    position: (u64, u32),
}

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Tables(#[from] TablesError),
    #[error("the snapshot of {0} is unreadable")]
    Unreadable(String),
    #[error("the state of {stream} cannot be written: {source}")]
    Unwritable {
        stream: StreamId,
        source: serde_json::Error,
    },
}

/// What one snapshot of a partition writes, taken while nothing changes.
pub struct Snapshot {
    partition: u16,
    pub next: u64,
    tip: Tip,
    streams: Vec<(StreamId, Entry)>,
    commands: Vec<(Uuid, Accepted)>,
    /// The offset of the oldest command that is still known.
    oldest_command: u64,
    origins: Vec<StoredOrigin>,
}

impl Snapshots {
    pub fn open(tables: &Tables) -> Result<Self, SnapshotError> {
        let versions = tables.versions(NAME)?;
        for old in versions.into_iter().filter(|version| *version != FORMAT) {
            tables.drop_version(NAME, old)?;
        }
        let tables = tables.view(NAME, FORMAT)?;
        Ok(Self { tables })
    }

    /// Forgets everything.
    pub fn start_over(tables: &Tables) -> Result<Self, SnapshotError> {
        tables.drop_version(NAME, FORMAT)?;
        Self::open(tables)
    }

    pub fn hold_anything(&self) -> bool {
        !self.tables.checkpoints().is_empty()
    }

    /// The offset that `partition`'s snapshot has reached.
    pub fn next(&self, partition: u16) -> u64 {
        self.tables.checkpoint(partition)
    }

    /// The state and version of a stream that has any.
    pub fn stream(&self, stream: StreamId) -> Result<Option<(AnyState, u64)>, SnapshotError> {
        let name = stream.to_string();
        let Some(row) = self.tables.get("streams", &name, "")? else {
            return Ok(None);
        };
        let unreadable = || SnapshotError::Unreadable(name.clone());
        let (version, state) = row.value.split_first_chunk().ok_or_else(unreadable)?;
        let state = AnyState::read(stream.feature, state).map_err(|_| unreadable())?;
        Ok(Some((state, u64::from_be_bytes(*version))))
    }

    /// Puts what the snapshot knows, but for the streams, into a partition that starts.
    pub fn restore(&self, partition: &mut Partition) -> Result<(), SnapshotError> {
        let key = partition.number.to_string();
        partition.next = self.next(partition.number);
        self.each("timers", &key, |name, value| {
            let stream = name
                .parse()
                .map_err(|_| SnapshotError::Unreadable(format!("a timer of {name}")))?;
            partition.timers.insert((read("a timer", value)?, stream));
            Ok(())
        })?;
        self.each("commands", &key, |_, value| {
            let KnownCommand { command, accepted } = read("a command", value)?;
            partition.window.insert(command, accepted);
            Ok(())
        })?;
        self.each("origins", &key, |_, value| {
            let origin: StoredOrigin = read("an origin", value)?;
            partition
                .origins
                .insert((origin.manager, origin.partition), origin.position);
            Ok(())
        })?;
        if let Some(row) = self.tables.get("tips", &key, "")? {
            partition.tip = read("a partition's tip", &row.value)?;
        }
        Ok(())
    }

    fn each(
        &self,
        table: &str,
        key: &str,
        mut visit: impl FnMut(&str, &[u8]) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let mut after = None::<String>;
        loop {
            let from = after.as_deref().map_or(Unbounded, Excluded);
            let rows = self
                .tables
                .range(table, key, (from, Unbounded), Order::Ascending, PAGE)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.sk.clone());
            rows.iter().try_for_each(|row| visit(&row.sk, &row.value))?;
        }
    }

    /// What is to be written for `partition`, or nothing if nothing has happened.
    pub fn take(&self, partition: &Partition) -> Option<Snapshot> {
        let written = self.next(partition.number);
        if partition.next == written {
            return None;
        }
        let window = &partition.window;
        let new = window
            .iter()
            .rev()
            .take_while(|(_, accepted)| accepted.offset >= written);
        let origins = partition.origins.iter();
        Some(Snapshot {
            partition: partition.number,
            next: partition.next,
            tip: partition.tip,
            streams: partition.streams.changed(),
            commands: new
                .map(|(command, accepted)| (*command, accepted.clone()))
                .collect(),
            oldest_command: window.iter().next().map_or(0, |(_, accepted)| accepted.offset),
            origins: origins
                .map(|((manager, partition), position)| StoredOrigin {
                    manager: manager.clone(),
                    partition: *partition,
                    position: *position,
                })
                .collect(),
        })
    }

    /// Writes a snapshot whose commits are durable. One transaction.
    pub fn write(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let mut batch = Batch::new();
        let key = snapshot.partition.to_string();
        snapshot.write_streams(&key, &mut batch)?;
        snapshot.write_commands(&key, &mut batch);
        self.forget_commands(snapshot, &key, &mut batch)?;
        for origin in &snapshot.origins {
            let name = format!("{}/{}", origin.manager, origin.partition);
            batch.put("origins", &key, &name, json(origin), snapshot.last());
        }
        batch.put("tips", &key, "", json(&snapshot.tip), snapshot.last());
        batch.advance(snapshot.partition, snapshot.next);
        self.tables.commit(&batch)?;
        Ok(())
    }

    /// At most so many more than there are new ones, so that a snapshot never takes long and the table does
    /// not grow.
    fn forget_commands(
        &self,
        snapshot: &Snapshot,
        key: &str,
        batch: &mut Batch,
    ) -> Result<(), SnapshotError> {
        let oldest = order(snapshot.oldest_command);
        let limit = PAGE + snapshot.commands.len();
        let below = (Unbounded, Excluded(oldest.as_str()));
        for row in self
            .tables
            .range("commands", key, below, Order::Ascending, limit)?
        {
            batch.delete("commands", key, &row.sk, snapshot.last());
        }
        Ok(())
    }
}

impl Snapshot {
    fn last(&self) -> Position {
        self.at(self.next - 1)
    }

    const fn at(&self, offset: u64) -> Position {
        Position {
            partition: self.partition,
            offset,
        }
    }

    fn write_streams(&self, key: &str, batch: &mut Batch) -> Result<(), SnapshotError> {
        for (stream, entry) in &self.streams {
            let at = entry.changed_at.map_or(self.last(), |offset| self.at(offset));
            let name = stream.to_string();
            let unwritable = |source| SnapshotError::Unwritable {
                stream: *stream,
                source,
            };
            let mut value = entry.version.to_be_bytes().to_vec();
            value.extend(entry.state.write().map_err(unwritable)?);
            batch.put("streams", &name, "", value, at);
            match entry.due {
                Some(due) => batch.put("timers", key, &name, json(&due), at),
                None => batch.delete("timers", key, &name, at),
            }
        }
        Ok(())
    }

    fn write_commands(&self, key: &str, batch: &mut Batch) {
        for (command, accepted) in &self.commands {
            let known = KnownCommand {
                command: *command,
                accepted: accepted.clone(),
            };
            let at = self.at(accepted.offset);
            batch.put("commands", key, &order(accepted.offset), json(&known), at);
        }
    }
}

fn order(offset: u64) -> String {
    format!("{offset:020}")
}

fn read<T: DeserializeOwned>(what: &str, value: &[u8]) -> Result<T, SnapshotError> {
    serde_json::from_slice(value).map_err(|_| SnapshotError::Unreadable(what.to_owned()))
}

/// Our own plain structs.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("no value here that JSON cannot write")
}
