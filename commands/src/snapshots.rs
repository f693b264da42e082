//! Snapshots: the state of streams in a local table, so that a start reads only the log's tail. They can
//! be lost at any time; the log is read from its beginning then.

use crate::features::AnyState;
use crate::partition::{Entry, Partition};
use crate::window::Accepted;
use serde::{Deserialize, Serialize};
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use spool_tables::{Batch, Order, Position, Tables, TablesError, ViewTables};
use std::ops::Bound::{Excluded, Unbounded};
use uuid::Uuid;

/// Raised when a state's written form changes; older snapshots are then not looked at.
const FORMAT: u32 = 1;
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
    #[error("the snapshot of {0} is unreadable; remove the tables' folder `snapshots` and start again to replay the log")]
    Unreadable(StreamId),
    #[error("the state of {stream} cannot be written: {source}")]
    Unwritable { stream: StreamId, source: serde_json::Error },
}

/// What one snapshot of a partition writes, taken while nothing changes.
pub struct Snapshot {
    partition: u16,
    pub next: u64,
    time: Timestamp,
    streams: Vec<(StreamId, Entry)>,
    commands: Vec<(Uuid, Accepted)>,
    oldest_command: u64,
    origins: Vec<StoredOrigin>,
}

impl Snapshots {
    pub fn open(tables: &Tables) -> Result<Self, TablesError> {
        for old in tables
            .versions(NAME)?
            .into_iter()
            .filter(|version| *version != FORMAT)
        {
            tables.drop_version(NAME, old)?;
        }
        Ok(Self {
            tables: tables.view(NAME, FORMAT)?,
        })
    }

    /// The offset that `partition`'s snapshot has reached.
    pub fn next(&self, partition: u16) -> u64 {
        self.tables.checkpoint(partition)
    }

    pub fn stream(&self, stream: StreamId) -> Result<Option<(AnyState, u64)>, SnapshotError> {
        let Some(row) = self.tables.get("streams", &stream.to_string(), "")? else {
            return Ok(None);
        };
        let unreadable = || SnapshotError::Unreadable(stream);
        let (version, state) = row.value.split_at_checked(8).ok_or_else(unreadable)?;
        let version = u64::from_be_bytes(version.try_into().map_err(|_| unreadable())?);
        let state = AnyState::read(stream.feature, state).map_err(|_| unreadable())?;
        Ok(Some((state, version)))
    }

    /// Puts timers, known commands and origins back into a partition that starts.
    pub fn restore(&self, partition: &mut Partition) -> Result<(), TablesError> {
        let key = partition.number.to_string();
        self.each("timers", &key, |name, value| {
            if let (Ok(stream), Ok(at)) = (name.parse(), serde_json::from_slice(value)) {
                partition.set_timer(stream, at);
            }
        })?;
        self.each("commands", &key, |_, value| {
            if let Ok(KnownCommand { command, accepted }) = serde_json::from_slice(value) {
                partition.window.insert(command, accepted);
            }
        })?;
        self.each("origins", &key, |_, value| {
            if let Ok(origin) = serde_json::from_slice::<StoredOrigin>(value) {
                partition
                    .origins
                    .insert((origin.manager, origin.partition), origin.position);
            }
        })?;
        self.each("clock", &key, |_, value| {
            if let Ok(at) = serde_json::from_slice(value) {
                partition.saw_time(at);
            }
        })
    }

    fn each(&self, table: &str, key: &str, mut visit: impl FnMut(&str, &[u8])) -> Result<(), TablesError> {
        let mut after = None::<String>;
        loop {
            let from = after.as_deref().map_or(Unbounded, Excluded);
            let rows = self
                .tables
                .range(table, key, (from, Unbounded), Order::Ascending, PAGE)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.sk.clone());
            rows.iter().for_each(|row| visit(&row.sk, &row.value));
        }
    }

    /// What is to be written for `partition`, or nothing if nothing has happened.
    pub fn take(&self, partition: &Partition) -> Option<Snapshot> {
        let written = self.next(partition.number);
        if partition.next == written {
            return None;
        }
        let new = partition
            .window
            .iter()
            .rev()
            .take_while(|(_, accepted)| accepted.offset >= written);
        Some(Snapshot {
            partition: partition.number,
            next: partition.next,
            time: partition.last_time(),
            streams: partition.changed(),
            commands: new
                .map(|(command, accepted)| (*command, accepted.clone()))
                .collect(),
            oldest_command: partition
                .window
                .iter()
                .next()
                .map_or(0, |(_, accepted)| accepted.offset),
            origins: partition
                .origins
                .iter()
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
        let (partition, key) = (snapshot.partition, snapshot.partition.to_string());
        let last = Position {
            partition,
            offset: snapshot.next - 1,
        };
        let mut batch = Batch::new();
        for (stream, entry) in &snapshot.streams {
            let at = Position {
                partition,
                offset: entry.changed_at.unwrap_or(last.offset),
            };
            let name = stream.to_string();
            let mut value = entry.version.to_be_bytes().to_vec();
            value.extend(
                entry
                    .state
                    .write()
                    .map_err(|source| SnapshotError::Unwritable { stream: *stream, source })?,
            );
            batch.put("streams", &name, "", value, at);
            match entry.state.due() {
                Some((due, _)) => batch.put("timers", &key, &name, json(&due), at),
                None => batch.delete("timers", &key, &name, at),
            }
        }
        for (command, accepted) in &snapshot.commands {
            let at = Position {
                partition,
                offset: accepted.offset,
            };
            let known = KnownCommand {
                command: *command,
                accepted: accepted.clone(),
            };
            batch.put("commands", &key, &order(accepted.offset), json(&known), at);
        }
        let forgotten = order(snapshot.oldest_command);
        for row in self.tables.range(
            "commands",
            &key,
            (Unbounded, Excluded(&forgotten)),
            Order::Ascending,
            PAGE,
        )? {
            batch.delete("commands", &key, &row.sk, last);
        }
        for origin in &snapshot.origins {
            batch.put(
                "origins",
                &key,
                &format!("{}/{}", origin.manager, origin.partition),
                json(origin),
                last,
            );
        }
        batch.put("clock", &key, "", json(&snapshot.time), last);
        batch.advance(partition, snapshot.next);
        self.tables.commit(&batch)?;
        Ok(())
    }
}

fn order(offset: u64) -> String {
    format!("{offset:020}")
}

/// Our own plain structs.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("no value here that JSON cannot write")
}
