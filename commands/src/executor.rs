//! The executors: one per partition, its state behind a mutex. The caller decides under the lock, hands the
//! commit to the log while still holding it, and waits for durability outside, so the next command is
//! decided on the speculative state while the last one is being made durable. There is no task to wake in
//! between.

use crate::answer::{Ask, CommandError, Outcome};
use crate::features::{AnyCommand, AnyState};
use crate::figures::Figures;
use crate::flight::{Failure, Flown, InFlight};
use crate::partition::{Decision, Partition};
use crate::snapshots::{SnapshotError, Snapshots};
use crate::timers::Alarm;
use crate::token::Token;
use bytes::Bytes;
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use spool_log::{AppendError, Log};
use spool_platform::clock::Clock;
use spool_schemas::{AnyEvent, CommitRef};
use spool_tables::TablesError;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A command that met another's failure is decided again so often before it is given up.
const ATTEMPTS: usize = 8;

/// What came of a command, the partition's next offset, and what has to land before that may be told.
type Decided = (Result<Decision, CommandError>, u64, Option<InFlight>);

pub struct Shared {
    pub log: Log,
    pub clock: Clock,
    pub snapshots: Snapshots,
    pub partitions: Vec<Mutex<Partition>>,
    /// Other nodes may write to the log as well.
    pub is_shared: bool,
    pub alarm: Alarm,
    pub figures: Figures,
}

impl Shared {
    pub fn partition_of(&self, stream: StreamId) -> u16 {
        stream.partition(self.log.partitions())
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms())
    }

    /// The partition's state. Rules that panicked under the lock have changed nothing, so it is not spoilt.
    pub fn lock(&self, partition: u16) -> MutexGuard<'_, Partition> {
        self.partitions[usize::from(partition)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn give(
        self: &Arc<Self>,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
    ) -> Result<Outcome, CommandError> {
        let mut attempts = 1;
        loop {
            match self.attempt(stream, command, ask).await {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::Again(_)) if attempts < ATTEMPTS => attempts += 1,
                Err(Failure::Again(error) | Failure::Final(error)) => return Err(error),
            }
        }
    }

    /// What `look` sees of a stream, once everything that it rests on is durable.
    pub async fn read<T>(
        self: &Arc<Self>,
        stream: StreamId,
        look: impl Fn(&AnyState, u64) -> T,
    ) -> Result<T, CommandError> {
        let mut attempts = 1;
        let partition = self.partition_of(stream);
        loop {
            self.be_ready(partition).await?;
            let looked = {
                let mut inner = self.lock(partition);
                if self.is_good(&mut inner) {
                    let (state, version) = inner.state(stream)?;
                    Ok((look(state, version), self.barrier(&mut inner)))
                } else {
                    Err(Failure::read_again())
                }
            };
            let landed = match looked {
                Ok((seen, barrier)) => landed(barrier).await.map(|()| seen).map_err(Failure::of_barrier),
                Err(failure) => Err(failure),
            };
            match landed {
                Ok(seen) => return Ok(seen),
                Err(Failure::Again(_)) if attempts < ATTEMPTS => attempts += 1,
                Err(Failure::Again(error) | Failure::Final(error)) => return Err(error),
            }
        }
    }

    /// What `look` sees of a stream, counting what may not be durable yet.
    pub fn glance<T>(
        &self,
        stream: StreamId,
        look: impl FnOnce(&AnyState, u64) -> T,
    ) -> Result<T, CommandError> {
        let mut inner = self.lock(self.partition_of(stream));
        let (state, version) = inner.state(stream)?;
        Ok(look(state, version))
    }

    async fn attempt(
        self: &Arc<Self>,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
    ) -> Result<Outcome, Failure> {
        let partition = self.partition_of(stream);
        self.be_ready(partition).await?;
        let (decision, next, flight) = self.decide(partition, stream, command, ask)?;
        let is_commit = matches!(decision, Ok(Decision::Commit { .. }));
        landed(flight).await.map_err(|error| match is_commit {
            true => Failure::from(error),
            false => Failure::of_barrier(error),
        })?;
        let answer = |version, position: Option<u64>, events, repeated| Outcome {
            stream,
            version,
            position: position.map(|offset| (partition, offset)),
            events,
            repeated,
            token: Token::at(partition, position.map_or(next, |offset| offset + 1)),
        };
        Ok(match decision? {
            Decision::Commit {
                offset,
                version,
                events,
                ..
            } => answer(version, Some(offset), events, false),
            Decision::Quiet { version } => answer(version, None, vec![], false),
            Decision::Overtaken { version } => answer(version, None, vec![], true),
            Decision::Repeated { offset } => {
                let (version, events) = self.read_commit(partition, offset, stream)?;
                answer(version, Some(offset), events, true)
            }
        })
    }

    /// Decides and hands what follows to the log, in one go. Also returns the partition's next offset.
    fn decide(
        self: &Arc<Self>,
        partition: u16,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
    ) -> Result<Decided, Failure> {
        let mut inner = self.lock(partition);
        if !self.is_good(&mut inner) {
            return Err(Failure::read_again());
        }
        let earliest = inner.earliest();
        // Where others write as well, a head says nothing about our own commits.
        let head = if self.is_shared() {
            0
        } else {
            self.log.head(partition)
        };
        let mut decision = inner.decide(stream, command, ask, self.now(), head);
        let flight = match &mut decision {
            Ok(Decision::Commit { offset, record, .. }) => {
                let ticket = inner.last_ticket();
                Some(self.append(&inner, ticket, *offset, vec![std::mem::take(record)]))
            }
            // All other answers rest on commits that may not be durable yet: they are reads, and wait.
            Ok(Decision::Repeated { .. } | Decision::Overtaken { .. } | Decision::Quiet { .. }) | Err(_) => {
                self.barrier(&mut inner)
            }
        };
        if inner.earliest() != earliest {
            self.alarm.rearm();
        }
        Ok((decision, inner.next, flight))
    }

    /// The answer of a command that was accepted before.
    fn read_commit(
        &self,
        partition: u16,
        offset: u64,
        stream: StreamId,
    ) -> Result<(u64, Vec<AnyEvent>), CommandError> {
        let unreadable = |error: &dyn Display| CommandError::Unavailable(error.to_string());
        let records = self
            .log
            .read(partition, offset, 1)
            .map_err(|error| unreadable(&error))?;
        let record = records
            .first()
            .ok_or_else(|| unreadable(&"the commit is not there yet"))?;
        let commit = CommitRef::decode(&record.payload).map_err(|error| unreadable(&error))?;
        if commit.stream != stream {
            // The same id for something else: a key that was used twice.
            return Err(CommandError::OtherRequest);
        }
        let events = commit.decode_events().map_err(|error| unreadable(&error))?;
        Ok((commit.last_version(), events))
    }

    fn append(
        self: &Arc<Self>,
        inner: &Partition,
        ticket: u64,
        expected: u64,
        commits: Vec<Bytes>,
    ) -> InFlight {
        let flown = Flown {
            partition: inner.number,
            ticket,
            reading: inner.reading(),
        };
        // Between the look at the tenure and this, an append on which the state counts may have been refused.
        let appending = self
            .log
            .append_in(inner.tenure(), inner.number, expected, commits);
        InFlight::new(Arc::clone(self), flown, appending)
    }

    /// Lands when everything that the partition's state counts is durable, and nobody else has gone on meanwhile;
    /// nothing if that is known.
    fn barrier(self: &Arc<Self>, inner: &mut Partition) -> Option<InFlight> {
        if !self.is_shared() && self.log.head(inner.number) >= inner.next {
            return None;
        }
        let ticket = inner.barrier();
        Some(self.append(inner, ticket, inner.next, vec![]))
    }

    /// Takes back what the log has refused.
    pub fn settle(&self, flown: Flown, result: Result<u64, AppendError>) -> Result<(), AppendError> {
        let Flown {
            partition,
            ticket,
            reading,
        } = flown;
        if self.is_shared() {
            let mut inner = self.lock(partition);
            match result {
                Ok(_) => inner.accepted(ticket, reading),
                Err(_) => inner.spoil(reading),
            }
            return result.map(drop);
        }
        let Err(error) = result else { return Ok(()) };
        let mut inner = self.lock(partition);
        let earliest = inner.earliest();
        inner.refused(ticket, self.log.head(partition), error);
        if inner.earliest() != earliest {
            self.alarm.rearm();
        }
        Err(error)
    }

    /// Writes what changed in every partition; one that cannot be written does not hold up the others.
    pub fn write_snapshots(self: &Arc<Self>) -> Result<(), CommandError> {
        let written = (0..self.log.partitions()).map(|number| self.write_snapshot(number));
        written.fold(Ok(()), Result::and)
    }

    fn write_snapshot(self: &Arc<Self>, number: u16) -> Result<(), CommandError> {
        let (snapshot, barrier) = {
            let mut inner = self.lock(number);
            if inner.is_spoilt() {
                return Ok(());
            }
            let Some(snapshot) = self.snapshots.take(&inner) else {
                return Ok(());
            };
            let is_settled = self.is_shared() && inner.is_settled();
            (
                snapshot,
                (!is_settled).then(|| self.barrier(&mut inner)).flatten(),
            )
        };
        if let Some(Err(error)) = barrier.map(InFlight::wait) {
            tracing::debug!(partition = number, %error, "a snapshot was given up with the commits it counted");
            return Ok(());
        }
        match self.snapshots.write(&snapshot) {
            Ok(()) => {
                self.lock(number).streams.snapshot_was_written(snapshot.next);
                Ok(())
            }
            Err(SnapshotError::Tables(TablesError::Full)) => Err(CommandError::Full),
            Err(error) => Err(CommandError::Unavailable(format!("writing a snapshot: {error}"))),
        }
    }
}

async fn landed(flight: Option<InFlight>) -> Result<(), AppendError> {
    match flight {
        Some(flight) => flight.landed().await,
        None => Ok(()),
    }
}
