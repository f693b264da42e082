//! The handle: whoever has a command to give uses this one.
//!
//! Each partition has one executor: its state behind a mutex. The caller decides under the lock, hands the
//! commit to the log while still holding it, and waits for durability outside, so the next command is decided
//! on the speculative state while the last one is being made durable. There is no task to wake in between.

use crate::answer::{Ask, CommandError, Outcome};
use crate::features::{AnyCommand, Feature};
use crate::partition::{Decision, Partition, RecoveryError};
use crate::snapshots::Snapshots;
use crate::timers::Alarm;
use crate::token::Token;
use bytes::Bytes;
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use spool_log::{AppendError, Appending, Log, ReadError};
use spool_platform::clock::Clock;
use spool_schemas::CommitRef;
use spool_tables::{Tables, TablesError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A command that met another's failure is decided again so often before it is refused.
const ATTEMPTS: usize = 8;
const READ_BYTES: usize = 4 << 20;

#[derive(Clone)]
pub struct Commands {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub log: Log,
    pub clock: Clock,
    pub snapshots: Snapshots,
    pub partitions: Vec<Arc<Mutex<Partition>>>,
    pub alarm: Alarm,
}

/// What the executors stand on.
pub struct Parts {
    pub log: Log,
    pub tables: Tables,
    pub clock: Clock,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("opening the snapshots: {0}")]
    Snapshots(#[from] TablesError),
    #[error("reading the log: {0}")]
    Recovery(#[from] RecoveryError),
    #[error("reading the log: {0}")]
    Log(#[from] ReadError),
}

impl Commands {
    /// Restores the state of every partition from its snapshot and the log's tail. Blocking.
    pub fn open(parts: Parts) -> Result<Self, OpenError> {
        let Parts { log, tables, clock } = parts;
        let snapshots = Snapshots::open(&tables)?;
        let mut partitions = (0..log.partitions())
            .map(|number| Partition::from_snapshot(number, snapshots.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let from: Vec<u64> = partitions.iter().map(|partition| partition.next).collect();
        for record in log.scan(&from)? {
            let record = record?;
            partitions[usize::from(record.partition)].apply(record.offset, &record.payload)?;
        }
        let partitions = partitions
            .into_iter()
            .map(|partition| Arc::new(Mutex::new(partition)))
            .collect();
        Ok(Self {
            shared: Arc::new(Shared {
                log,
                clock,
                snapshots,
                partitions,
                alarm: Alarm::default(),
            }),
        })
    }

    /// The log that keeps the facts.
    pub fn log(&self) -> &Log {
        &self.shared.log
    }

    /// Gives `command` to `stream`. The answer comes when its facts are durable. Dropping the future takes
    /// nothing back; asking again with the same id gives the same answer.
    pub async fn give(
        &self,
        stream: StreamId,
        command: impl Into<AnyCommand>,
        ask: Ask,
    ) -> Result<Outcome, CommandError> {
        let command = command.into();
        let partition = self.shared.partition_of(stream);
        for _ in 0..ATTEMPTS {
            match self.shared.attempt(partition, stream, &command, &ask).await {
                Err(Failure::Again) => {}
                Err(Failure::Final(error)) => return Err(error),
                Ok(outcome) => return Ok(outcome),
            }
        }
        Err(CommandError::Unavailable(
            "commits before this one keep failing".into(),
        ))
    }

    /// The state of `stream` and its version, after everything accepted so far.
    pub async fn state<D: Feature>(&self, stream: StreamId) -> Result<(D, u64), CommandError> {
        let partition = self.shared.partition_of(stream);
        for _ in 0..ATTEMPTS {
            let (state, barrier) = {
                let mut inner = self.shared.lock(partition)?;
                let barrier = self.shared.barrier(&inner);
                let (state, version) = inner.state(stream)?;
                (D::from_any(state).map(|state| (state.clone(), version)), barrier)
            };
            match finish(barrier).await {
                Ok(()) => {
                    let wrong = || CommandError::Unavailable(format!("{stream} is of another feature"));
                    return state.ok_or_else(wrong);
                }
                Err(Failure::Again) => {}
                Err(Failure::Final(error)) => return Err(error),
            }
        }
        Err(CommandError::Unavailable(
            "commits before this one keep failing".into(),
        ))
    }

    /// Writes snapshots of all partitions, so that the next start is quick. Blocking.
    pub fn write_snapshots(&self) -> Result<(), CommandError> {
        self.shared.write_snapshots()
    }
}

/// Why one attempt came to nothing.
pub(crate) enum Failure {
    /// A commit before this one failed; decided anew it may be accepted.
    Again,
    Final(CommandError),
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Final(error)
    }
}

impl Shared {
    pub fn partition_of(&self, stream: StreamId) -> u16 {
        stream.partition(self.log.partitions())
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms())
    }

    /// The partition's state, read anew from the log if a commit has failed since.
    pub fn lock(&self, partition: u16) -> Result<MutexGuard<'_, Partition>, CommandError> {
        let cell = &self.partitions[usize::from(partition)];
        let mut inner = cell.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.broken {
            let generation = inner.generation + 1;
            let fresh = self
                .recover(partition)
                .map_err(|error| CommandError::Unavailable(error.to_string()))?;
            *inner = fresh;
            inner.generation = generation;
            self.alarm.rearm();
        }
        Ok(inner)
    }

    fn recover(&self, number: u16) -> Result<Partition, RecoveryError> {
        let mut partition = Partition::from_snapshot(number, self.snapshots.clone())?;
        loop {
            let records = self.log.read(number, partition.next, READ_BYTES)?;
            if records.is_empty() {
                return Ok(partition);
            }
            for record in records {
                partition.apply(record.offset, &record.payload)?;
            }
        }
    }

    async fn attempt(
        &self,
        partition: u16,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
    ) -> Result<Outcome, Failure> {
        let (decision, next, appending) = {
            let mut inner = self.lock(partition)?;
            let earliest = inner.earliest();
            let decision = inner.decide(stream, command, ask, self.now());
            let appending = match &decision {
                Ok(Decision::Commit { offset, record, .. }) => {
                    Some(self.append(&inner, *offset, vec![record.clone()]))
                }
                // A refusal rests on commits that may not be durable yet: it is a read, and waits for them.
                Ok(Decision::Repeated { .. } | Decision::Overtaken { .. } | Decision::Quiet { .. })
                | Err(_) => self.barrier(&inner),
            };
            if inner.earliest() != earliest {
                self.alarm.rearm();
            }
            (decision, inner.next, appending)
        };
        let answer = |version, position: Option<u64>, events, repeated| Outcome {
            stream,
            version,
            position: position.map(|offset| (partition, offset)),
            events,
            repeated,
            token: Token::at(partition, position.map_or(next, |offset| offset + 1)),
        };
        finish(appending).await?;
        match decision? {
            Decision::Commit {
                offset,
                version,
                events,
                ..
            } => Ok(answer(version, Some(offset), events, false)),
            Decision::Quiet { version } => Ok(answer(version, None, vec![], false)),
            Decision::Overtaken { version } => Ok(answer(version, None, vec![], true)),
            Decision::Repeated { offset } => {
                let (version, events) = self.read_commit(partition, offset)?;
                Ok(answer(version, Some(offset), events, true))
            }
        }
    }

    fn read_commit(
        &self,
        partition: u16,
        offset: u64,
    ) -> Result<(u64, Vec<spool_schemas::AnyEvent>), CommandError> {
        let unreadable = |error: &dyn std::fmt::Display| CommandError::Unavailable(error.to_string());
        let records = self
            .log
            .read(partition, offset, 1)
            .map_err(|error| unreadable(&error))?;
        let record = records
            .first()
            .ok_or_else(|| unreadable(&"the commit is not there yet"))?;
        let commit = CommitRef::decode(&record.payload).map_err(|error| unreadable(&error))?;
        let events = commit.decode_events().map_err(|error| unreadable(&error))?;
        Ok((commit.last_version(), events))
    }

    fn append(&self, inner: &Partition, expected: u64, commits: Vec<Bytes>) -> InFlight {
        let cell = Arc::clone(&self.partitions[usize::from(inner.number)]);
        let appending = Some(self.log.append(inner.number, expected, commits));
        InFlight {
            appending,
            cell,
            generation: inner.generation,
        }
    }

    /// Resolves when everything that the partition's state counts is durable; nothing if it is already.
    fn barrier(&self, inner: &Partition) -> Option<InFlight> {
        let durable = self.log.head(inner.number) >= inner.next;
        (!durable).then(|| self.append(inner, inner.next, vec![]))
    }

    pub fn write_snapshots(&self) -> Result<(), CommandError> {
        for number in 0..self.log.partitions() {
            let (snapshot, barrier) = {
                let inner = self.lock(number)?;
                let Some(snapshot) = self.snapshots.take(&inner) else {
                    continue;
                };
                (snapshot, self.barrier(&inner))
            };
            if let Some(Err(error)) = barrier.map(InFlight::wait) {
                tracing::debug!(partition = number, %error, "a snapshot was given up");
                continue;
            }
            self.snapshots
                .write(&snapshot)
                .map_err(|error| CommandError::Unavailable(format!("writing a snapshot: {error}")))?;
            self.lock(number)?.snapshot_was_written(snapshot.next);
        }
        Ok(())
    }
}

fn failure(error: AppendError) -> Failure {
    match error {
        AppendError::Conflict { .. } => Failure::Again,
        AppendError::Full => Failure::Final(CommandError::Full),
        AppendError::TooLarge { .. } | AppendError::Stopped => {
            Failure::Final(CommandError::Unavailable(error.to_string()))
        }
    }
}

async fn finish(appending: Option<InFlight>) -> Result<(), Failure> {
    match appending {
        Some(appending) => appending.finish().await.map(drop).map_err(failure),
        None => Ok(()),
    }
}

/// An append whose failure is noticed even when nobody waits for it any more.
struct InFlight {
    appending: Option<Appending>,
    cell: Arc<Mutex<Partition>>,
    generation: u64,
}

impl InFlight {
    async fn finish(mut self) -> Result<u64, AppendError> {
        let Some(appending) = self.appending.as_mut() else {
            return Err(AppendError::Stopped);
        };
        let result = appending.await;
        self.appending = None;
        settle(&self.cell, self.generation, result)
    }

    fn wait(mut self) -> Result<u64, AppendError> {
        let result = self
            .appending
            .take()
            .map_or(Err(AppendError::Stopped), Appending::wait);
        settle(&self.cell, self.generation, result)
    }
}

/// A failed append takes the state that counted it along, unless that was read anew since.
fn settle(
    cell: &Mutex<Partition>,
    generation: u64,
    result: Result<u64, AppendError>,
) -> Result<u64, AppendError> {
    if result.is_err() {
        let mut inner = cell.lock().unwrap_or_else(PoisonError::into_inner);
        inner.broken |= inner.generation == generation;
    }
    result
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Some(appending) = self.appending.take() else {
            return;
        };
        let (cell, generation) = (Arc::clone(&self.cell), self.generation);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move { settle(&cell, generation, appending.await) });
            }
            // Without a runtime nobody can wait: taking the state for broken costs one reading of the tail.
            Err(_) => cell.lock().unwrap_or_else(PoisonError::into_inner).broken = true,
        }
    }
}
