//! One partition's state in memory: the streams, the window of commands, the timers. Everything here is
//! speculative until the log says otherwise; when it refuses, all of it is dropped and read again.

use crate::answer::{Ask, CommandError};
use crate::features::{AnyCommand, AnyState};
use crate::snapshots::{SnapshotError, Snapshots};
use crate::window::{Accepted, Window};
use bytes::Bytes;
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use spool_schemas::{AnyEvent, Commit, CommitRef, Event, Origin};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Streams kept in memory per partition before idle ones give way.
pub const STREAMS_MAX: usize = 20_000;

/// A stream in memory.
#[derive(Clone)]
pub struct Entry {
    pub state: AnyState,
    /// The version after its last event; 0 before the first.
    pub version: u64,
    /// The offset of its last commit, if that is newer than its snapshot.
    pub changed_at: Option<u64>,
    due: Option<Timestamp>,
}

pub struct Partition {
    pub number: u16,
    /// The next offset, counting commits that are not durable yet.
    pub next: u64,
    /// The log has refused a commit: nothing here may be built on.
    pub broken: bool,
    /// Counts how often the state was read anew.
    pub generation: u64,
    last_time: Timestamp,
    streams: HashMap<StreamId, Entry>,
    pub window: Window,
    /// Per process manager and source partition the highest position acted on.
    pub origins: HashMap<(String, u16), (u64, u32)>,
    timers: BTreeSet<(Timestamp, StreamId)>,
    snapshots: Snapshots,
}

/// What the rules made of a command.
pub enum Decision {
    /// Known already: the commit at this offset is the answer.
    Repeated { offset: u64 },
    /// A process manager's command that was acted on before.
    Overtaken { version: u64 },
    /// Nothing new to say.
    Quiet { version: u64 },
    /// To be appended at `offset`; the state counts it already.
    Commit {
        offset: u64,
        version: u64,
        record: Bytes,
        events: Vec<AnyEvent>,
    },
}

/// A record of the log that cannot be part of this partition's history.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("partition {partition} offset {offset}: {source}")]
    Decode {
        partition: u16,
        offset: u64,
        source: spool_schemas::DecodeError,
    },
    #[error("partition {partition} offset {offset}: {stream} goes from version {have} to {found}")]
    Gap {
        partition: u16,
        offset: u64,
        stream: StreamId,
        have: u64,
        found: u64,
    },
    #[error(transparent)]
    Log(#[from] spool_log::ReadError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Partition {
    /// The state at the last snapshot; the log's records from `next` on are to be applied.
    pub fn from_snapshot(number: u16, snapshots: Snapshots) -> Result<Self, RecoveryError> {
        let mut partition = Self {
            number,
            next: snapshots.next(number),
            broken: false,
            generation: 0,
            last_time: Timestamp::default(),
            streams: HashMap::new(),
            window: Window::default(),
            origins: HashMap::new(),
            timers: BTreeSet::new(),
            snapshots,
        };
        partition.snapshots.clone().restore(&mut partition).map_err(SnapshotError::from)?;
        Ok(partition)
    }

    pub fn set_timer(&mut self, stream: StreamId, at: Timestamp) {
        self.timers.insert((at, stream));
    }

    pub fn saw_time(&mut self, at: Timestamp) {
        self.last_time = self.last_time.max(at);
    }

    pub const fn last_time(&self) -> Timestamp {
        self.last_time
    }

    /// The earliest timer.
    pub fn earliest(&self) -> Option<(Timestamp, StreamId)> {
        self.timers.first().copied()
    }

    /// The command that `stream`'s timer gives at `now`. A timer that is no longer wanted is forgotten.
    pub fn due_command(
        &mut self,
        stream: StreamId,
        now: Timestamp,
    ) -> Result<Option<AnyCommand>, CommandError> {
        let entry = self.entry(stream).map_err(unavailable)?;
        let due = entry.due;
        let command = entry
            .state
            .due()
            .filter(|(at, _)| *at <= now)
            .map(|(_, command)| command);
        if command.is_none() {
            self.timers
                .retain(|(at, timed)| *timed != stream || (Some(*at) == due && *at > now));
        }
        Ok(command)
    }

    /// Decides `command` and, if it has facts, counts them as happened.
    pub fn decide(
        &mut self,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Decision, CommandError> {
        if let Some(accepted) = self.window.get(&ask.command) {
            if accepted.request != ask.request {
                return Err(CommandError::OtherRequest);
            }
            return Ok(Decision::Repeated {
                offset: accepted.offset,
            });
        }
        let overtaken = ask
            .cause
            .origin
            .as_ref()
            .is_some_and(|origin| self.has_acted_on(origin));
        let now = self.last_time.max(now);
        let entry = self.entry(stream).map_err(unavailable)?;
        let version = entry.version;
        if overtaken {
            return Ok(Decision::Overtaken { version });
        }
        if ask.expected_version.is_some_and(|expected| expected != version) {
            return Err(CommandError::Stale { version });
        }
        let events = entry.state.decide(stream, command, now)?;
        if events.is_empty() {
            return Ok(Decision::Quiet { version });
        }
        let commit = Commit {
            stream,
            version: version + 1,
            command: ask.command,
            request: ask.request.clone(),
            time: now,
            actor: ask.actor,
            cause: ask.cause.clone(),
            events: events.into_iter().map(Event).collect(),
        };
        let record = Bytes::from(commit.encode());
        let (offset, version) = (self.next, commit.last_version());
        let events: Vec<AnyEvent> = commit.events.into_iter().map(|event| event.0).collect();
        let accepted = Accepted {
            offset,
            at: now,
            request: commit.request,
        };
        self.happened(
            stream,
            version,
            &events,
            commit.command,
            commit.cause.origin,
            accepted,
        )
        .map_err(unavailable)?;
        Ok(Decision::Commit {
            offset,
            version,
            record,
            events,
        })
    }

    fn has_acted_on(&self, origin: &Origin) -> bool {
        let key = (origin.manager.clone(), origin.partition);
        self.origins
            .get(&key)
            .is_some_and(|highest| origin.position <= *highest)
    }

    fn happened(
        &mut self,
        stream: StreamId,
        version: u64,
        events: &[AnyEvent],
        command: Uuid,
        origin: Option<Origin>,
        accepted: Accepted,
    ) -> Result<(), SnapshotError> {
        let (offset, now) = (accepted.offset, accepted.at);
        let entry = self.entry(stream)?;
        let state = std::mem::replace(&mut entry.state, AnyState::before_the_first_event(stream.feature));
        entry.state = events.iter().fold(state, AnyState::evolve);
        entry.version = version;
        entry.changed_at = Some(offset);
        let due = entry.state.due().map(|(at, _)| at);
        let before = std::mem::replace(&mut entry.due, due);
        if before != due {
            if let Some(at) = before {
                self.timers.remove(&(at, stream));
            }
            self.timers.extend(due.map(|at| (at, stream)));
        }
        if let Some(origin) = origin {
            self.origins
                .insert((origin.manager, origin.partition), origin.position);
        }
        self.window.insert(command, accepted);
        self.last_time = self.last_time.max(now);
        self.next = offset + 1;
        Ok(())
    }

    /// Takes in a record of the log at `offset`, which must be the next one.
    pub fn apply(&mut self, offset: u64, record: &[u8]) -> Result<(), RecoveryError> {
        let partition = self.number;
        let wrong = |source| RecoveryError::Decode {
            partition,
            offset,
            source,
        };
        let commit = CommitRef::decode(record).map_err(wrong)?;
        let events = commit.decode_events().map_err(wrong)?;
        let have = self.entry(commit.stream)?.version;
        if commit.version != have + 1 || offset != self.next {
            let (stream, found) = (commit.stream, commit.version);
            return Err(RecoveryError::Gap {
                partition,
                offset,
                stream,
                have,
                found,
            });
        }
        let accepted = Accepted {
            offset,
            at: commit.time,
            request: commit.request.map(str::to_owned),
        };
        let (stream, version) = (commit.stream, commit.last_version());
        Ok(self.happened(
            stream,
            version,
            &events,
            commit.command,
            commit.cause.origin,
            accepted,
        )?)
    }

    /// A stream's state and version.
    pub fn state(&mut self, stream: StreamId) -> Result<(&AnyState, u64), CommandError> {
        let entry = self.entry(stream).map_err(unavailable)?;
        Ok((&entry.state, entry.version))
    }

    fn entry(&mut self, stream: StreamId) -> Result<&mut Entry, SnapshotError> {
        use std::collections::hash_map::Entry as Slot;
        match self.streams.entry(stream) {
            Slot::Occupied(slot) => Ok(slot.into_mut()),
            Slot::Vacant(slot) => {
                let (state, version) = self
                    .snapshots
                    .stream(stream)?
                    .unwrap_or_else(|| (AnyState::before_the_first_event(stream.feature), 0));
                let due = state.due().map(|(at, _)| at);
                Ok(slot.insert(Entry {
                    state,
                    version,
                    changed_at: None,
                    due,
                }))
            }
        }
    }

    /// What a snapshot must write: every stream that changed since the last one.
    pub fn changed(&self) -> Vec<(StreamId, Entry)> {
        let changed =
            |(stream, entry): (&StreamId, &Entry)| entry.changed_at.map(|_| (*stream, entry.clone()));
        self.streams.iter().filter_map(changed).collect()
    }

    /// A snapshot of everything below `next` is durable: those streams are clean, and idle ones may go.
    pub fn snapshot_was_written(&mut self, next: u64) {
        for entry in self.streams.values_mut() {
            entry.changed_at = entry.changed_at.filter(|offset| *offset >= next);
        }
        if self.streams.len() > STREAMS_MAX {
            self.streams.retain(|_, entry| entry.changed_at.is_some());
        }
    }
}

fn unavailable(error: SnapshotError) -> CommandError {
    CommandError::Unavailable(format!("a snapshot cannot be read: {error}"))
}
