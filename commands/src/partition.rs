//! One partition's state in memory: the streams, the window of commands, the timers. Everything here is
//! speculative until the log says otherwise; what it refuses is taken back.

use crate::answer::{Ask, CommandError};
use crate::features::{AnyCommand, AnyState};
use crate::restore::RecoveryError;
use crate::snapshots::Snapshots;
use crate::streams::{Entry, Streams};
use crate::undo::{Undo, Undos};
use crate::window::{Accepted, Window};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use spool_log::AppendError;
use spool_schemas::{AnyEvent, Commit, CommitRef, Event, Origin};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

pub struct Partition {
    pub number: u16,
    /// The next offset, counting commits that are not durable yet.
    pub next: u64,
    pub tip: Tip,
    pub streams: Streams,
    pub window: Window,
    pub origins: HashMap<Source, SourcePosition>,
    pub timers: BTreeSet<(Timestamp, StreamId)>,
    undos: Undos,
    /// An append to a log that others write to as well has failed: what the state counts may never have happened, and
    /// it has to be read again.
    spoilt: bool,
    /// How often the state was read again.
    reading: u64,
    /// The log's tenure when nothing was on its way: what is on its way now builds on no append that was refused, as
    /// long as it is still the same.
    tenure: u64,
    commit_bytes_max: usize,
}

/// A process manager and the partition that it follows.
pub type Source = (String, u16);
/// The highest offset that was acted on, and the number of the command.
pub type SourcePosition = (u64, u32);

/// The last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    pub time: Timestamp,
    pub command: Uuid,
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

/// A commit, as far as the state is concerned.
struct Happened<'a> {
    stream: StreamId,
    /// The stream's version after the last of the events.
    version: u64,
    events: &'a [AnyEvent],
    command: Uuid,
    origin: Option<Origin>,
    accepted: Accepted,
}

impl Tip {
    pub const fn of(commit: &CommitRef<'_>) -> Self {
        Self {
            time: commit.time,
            command: commit.command,
        }
    }
}

impl Partition {
    /// The state before the first commit.
    pub fn new(number: u16, commit_bytes_max: usize, snapshots: Snapshots) -> Self {
        Self {
            number,
            next: 0,
            tip: Tip::default(),
            streams: Streams::new(snapshots),
            window: Window::default(),
            origins: HashMap::new(),
            timers: BTreeSet::new(),
            undos: Undos::default(),
            spoilt: false,
            reading: 0,
            tenure: 0,
            commit_bytes_max,
        }
    }

    /// The ticket of the last append: what has to be known when the log refuses it.
    pub const fn last_ticket(&self) -> u64 {
        self.undos.last_ticket()
    }

    /// A ticket for an append without commits.
    pub const fn barrier(&mut self) -> u64 {
        self.undos.barrier()
    }

    /// Which reading of the log the state rests on.
    pub const fn reading(&self) -> u64 {
        self.reading
    }

    /// What every append has to name.
    pub const fn tenure(&self) -> u64 {
        self.tenure
    }

    /// Whether the state may be decided on in `tenure`. When that has changed, what is on its way may have been refused, and
    /// others' commits be in its place: then the numbers fit and the state does not.
    pub fn is_good_in(&mut self, tenure: u64) -> bool {
        if self.undos.is_empty() {
            self.tenure = tenure;
        }
        self.spoilt |= self.tenure != tenure;
        !self.spoilt
    }

    /// What was counted in `reading` may not have happened.
    pub const fn spoil(&mut self, reading: u64) {
        self.spoilt |= self.reading == reading;
    }

    pub const fn is_spoilt(&self) -> bool {
        self.spoilt
    }

    /// Takes the place of a spoilt state.
    pub fn replace(&mut self, mut read_again: Self) {
        read_again.reading = self.reading + 1;
        *self = read_again;
    }

    /// Whether every commit that the state counts was accepted.
    pub fn is_settled(&self) -> bool {
        self.undos.is_empty()
    }

    /// The append of `ticket` was accepted.
    pub fn accepted(&mut self, ticket: u64, reading: u64) {
        if self.reading == reading {
            self.undos.forget_through(ticket);
        }
    }

    /// Decides `command` and, if it has facts, counts them as happened. `head`: below it all is durable.
    pub fn decide(
        &mut self,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
        now: Timestamp,
        head: u64,
    ) -> Result<Decision, CommandError> {
        self.undos.forget_below(head);
        if let Some(accepted) = self.window.get(&ask.command) {
            if accepted.request != ask.request {
                return Err(CommandError::OtherRequest);
            }
            return Ok(Decision::Repeated {
                offset: accepted.offset,
            });
        }
        let origin = ask.cause.origin.as_ref();
        let overtaken = origin.is_some_and(|origin| self.has_acted_on(origin));
        let now = self.tip.time.max(now);
        let entry = self.streams.get(stream).map_err(unavailable)?;
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
        self.commit(stream, version, events, ask, now)
    }

    fn commit(
        &mut self,
        stream: StreamId,
        version: u64,
        events: Vec<AnyEvent>,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Decision, CommandError> {
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
        if record.len() > self.commit_bytes_max {
            let (bytes, bytes_max) = (record.len(), self.commit_bytes_max);
            return Err(unavailable(AppendError::TooLarge { bytes, bytes_max }));
        }
        let (offset, version) = (self.next, commit.last_version());
        let events: Vec<AnyEvent> = commit.events.into_iter().map(|event| event.0).collect();
        let undo = self.happened(Happened {
            stream,
            version,
            events: &events,
            command: commit.command,
            origin: commit.cause.origin,
            accepted: Accepted {
                offset,
                at: now,
                request: commit.request,
            },
        });
        self.undos.commit(undo.map_err(unavailable)?);
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

    /// Counts a commit. All that may fail or panic comes first, and leaves everything as it was.
    fn happened(&mut self, commit: Happened<'_>) -> Result<Undo, RecoveryError> {
        let Happened { stream, command, .. } = commit;
        let (offset, time) = (commit.accepted.offset, commit.accepted.at);
        let entry = self.streams.get(stream)?;
        let state = commit
            .events
            .iter()
            .fold(AnyState::clone(&entry.state), AnyState::evolve);
        let after = Entry::new(state, commit.version, Some(offset));
        let due = after.due;
        let before = std::mem::replace(entry, after);
        self.move_timer(stream, before.due, due);
        let origin = commit.origin.map(|origin| {
            let key = (origin.manager, origin.partition);
            let before = self.origins.insert(key.clone(), origin.position);
            (key, before)
        });
        self.window.insert(command, commit.accepted);
        let time = time.max(self.tip.time);
        let tip = std::mem::replace(&mut self.tip, Tip { time, command });
        self.next = offset + 1;
        Ok(Undo {
            offset,
            stream,
            before,
            command,
            origin,
            tip,
        })
    }

    /// The log has refused the append of `ticket`, when everything below `head` was durable.
    pub fn refused(&mut self, ticket: u64, head: u64, error: AppendError) {
        let lost: Vec<Undo> = self.undos.refused(ticket, head, error).collect();
        for undo in lost {
            self.take_back(undo);
        }
    }

    fn take_back(&mut self, undo: Undo) {
        let due = undo.before.due;
        let lost = self.streams.replace(undo.stream, undo.before);
        self.move_timer(undo.stream, lost.and_then(|lost| lost.due), due);
        self.window.take_back(&undo.command);
        match undo.origin {
            Some((key, Some(before))) => drop(self.origins.insert(key, before)),
            Some((key, None)) => drop(self.origins.remove(&key)),
            None => {}
        }
        self.tip = undo.tip;
        self.next = undo.offset;
    }

    fn move_timer(&mut self, stream: StreamId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if from != to {
            if let Some(at) = from {
                self.timers.remove(&(at, stream));
            }
            self.timers.extend(to.map(|at| (at, stream)));
        }
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
        let (stream, have) = (commit.stream, self.streams.get(commit.stream)?.version);
        if commit.version != have + 1 || offset != self.next {
            let found = commit.version;
            return Err(RecoveryError::Gap {
                partition,
                offset,
                stream,
                have,
                found,
            });
        }
        let happened = Happened {
            stream,
            version: commit.last_version(),
            events: &events,
            command: commit.command,
            accepted: Accepted {
                offset,
                at: commit.time,
                request: commit.request.map(str::to_owned),
            },
            origin: commit.cause.origin,
        };
        self.happened(happened).map(drop)
    }

    /// A stream's state and version.
    pub fn state(&mut self, stream: StreamId) -> Result<(&AnyState, u64), CommandError> {
        let entry = self.streams.get(stream).map_err(unavailable)?;
        Ok((&entry.state, entry.version))
    }

    /// The earliest timer.
    pub fn earliest(&self) -> Option<(Timestamp, StreamId)> {
        self.timers.first().copied()
    }

    /// The command that the timer of `stream` at `at` gives. One that is no longer wanted is forgotten.
    pub fn timed_command(
        &mut self,
        at: Timestamp,
        stream: StreamId,
    ) -> Result<Option<AnyCommand>, CommandError> {
        let due = self.streams.get(stream).map_err(unavailable)?.state.due();
        match due {
            Some((due, command)) if due == at => Ok(Some(command)),
            other => {
                self.move_timer(stream, Some(at), other.map(|(due, _)| due));
                Ok(None)
            }
        }
    }
}

fn unavailable(error: impl std::fmt::Display) -> CommandError {
    CommandError::Unavailable(error.to_string())
}
