//! The handle: whoever has a command to give uses this one.

use crate::answer::{Ask, CommandError, Outcome};
use crate::executor::Shared;
use crate::features::{AnyCommand, AnyState, Feature};
use crate::restore::{RecoveryError, restore};
use crate::timers::Alarm;
use spool_domain::ids::StreamId;
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_tables::Tables;
use std::sync::{Arc, Mutex};

#[derive(Clone)]
pub struct Commands {
    pub(crate) shared: Arc<Shared>,
}

/// What the executors stand on.
pub struct Parts {
    pub log: Log,
    pub tables: Tables,
    pub clock: Clock,
}

/// Why there are no executors: the log itself is unreadable, or there is no place for snapshots.
#[derive(Debug, thiserror::Error)]
#[error("restoring the state of the streams: {0}")]
pub struct OpenError(#[from] RecoveryError);

impl Commands {
    /// Restores the state of every partition from its snapshot and the log's tail. Blocking. Snapshots that
    /// are lost, damaged, of another format or of another log cost a longer start, nothing else.
    pub fn open(parts: Parts) -> Result<Self, OpenError> {
        let Parts { log, tables, clock } = parts;
        let (partitions, snapshots) = restore(&log, &tables)?;
        Ok(Self {
            shared: Arc::new(Shared {
                is_shared: log.needs_barrier(),
                log,
                clock,
                snapshots,
                partitions: partitions.into_iter().map(Mutex::new).collect(),
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
        let given = self.shared.give(stream, &command.into(), &ask).await;
        let outcome = match &given {
            Ok(outcome) if outcome.repeated => "repeated",
            Ok(outcome) if outcome.position.is_none() => "quiet",
            Ok(_) => "accepted",
            Err(CommandError::Refused(_)) => "refused",
            Err(CommandError::Stale { .. }) => "stale",
            Err(CommandError::OtherRequest) => "other_request",
            Err(CommandError::Full) => "full",
            Err(CommandError::Elsewhere(_)) => "elsewhere",
            Err(CommandError::Unavailable(_)) => "unavailable",
        };
        metrics::counter!("spool_commands_total", "outcome" => outcome).increment(1);
        given
    }

    /// The state of `stream` and its version, after everything accepted so far.
    pub async fn state<D: Feature>(&self, stream: StreamId) -> Result<(D, u64), CommandError> {
        let seen = self.shared.read(stream, own::<D>);
        seen.await?.ok_or_else(|| of_another_feature(stream))
    }

    /// The same at once, counting what may not be durable yet and may still be taken back. Only to make a command of
    /// it that names the version: it is refused if that never came to be.
    pub fn glance<D: Feature>(&self, stream: StreamId) -> Result<(D, u64), CommandError> {
        let seen = self.shared.glance(stream, own::<D>)?;
        seen.ok_or_else(|| of_another_feature(stream))
    }

    /// Writes snapshots of all partitions, so that the next start is quick. Blocking, and not to be called
    /// from a task.
    pub fn write_snapshots(&self) -> Result<(), CommandError> {
        self.shared.write_snapshots()
    }
}

fn own<D: Feature>(state: &AnyState, version: u64) -> Option<(D, u64)> {
    D::from_any(state).map(|state| (state.clone(), version))
}

fn of_another_feature(stream: StreamId) -> CommandError {
    CommandError::Unavailable(format!("{stream} is of another feature"))
}
