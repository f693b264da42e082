//! Process managers: follow the log and give the commands that facts of one stream mean for another.
//!
//! Each command carries (manager, source partition, source position), and its target ignores what it has
//! acted on, for ever; so the managers' own checkpoints may be lost, and a restart repeats nothing.

use crate::answer::{Ask, CommandError};
use crate::features::AnyCommand;
use crate::handle::Commands;
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_log::Record;
use spool_schemas::{AnyEvent, Cause, CommitRef, Origin};
use spool_tables::{Batch, Tables, TablesError, ViewTables};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PAUSE: Duration = Duration::from_millis(500);
const READ_BYTES: usize = 1 << 20;
/// How many records may pass before the checkpoint is written again.
const CHECKPOINT_EVERY: u64 = 1_000;

/// What a manager does about an event, if it cares for events of that name.
pub struct Manager {
    pub name: &'static str,
    pub events: &'static [&'static str],
    pub react: for<'a> fn(&'a Reaction<'a>, AnyEvent) -> Reacting<'a>,
}

pub type Reacting<'a> = Pin<Box<dyn Future<Output = Result<(), CommandError>> + Send + 'a>>;

/// Every manager there is.
pub const MANAGERS: &[Manager] = &[
    crate::accounts::REGISTRATIONS,
    crate::videos::UPLOADS,
    crate::videos::TRANSCODES,
];

/// One event being reacted to; gives commands in its name.
pub struct Reaction<'a> {
    pub commands: &'a Commands,
    pub stream: StreamId,
    manager: &'static str,
    version: u64,
    position: (u16, u64),
    correlation: Uuid,
    /// The number of the next command among those that the record leads to.
    ordinal: AtomicU32,
    settings: &'a Settings,
}

/// What managers must know beyond the log.
#[derive(Clone, Debug)]
pub struct Settings {
    pub job_attempts_max: u32,
}

impl Reaction<'_> {
    pub const fn settings(&self) -> &Settings {
        self.settings
    }

    /// Gives a command that follows from the event. A refusal is an answer too, and is only noted.
    pub async fn give(&self, stream: StreamId, command: impl Into<AnyCommand>) -> Result<(), CommandError> {
        let (partition, offset) = self.position;
        let ordinal = self.ordinal.fetch_add(1, Ordering::Relaxed);
        let origin = Origin {
            manager: self.manager.to_owned(),
            partition,
            position: (offset, ordinal),
        };
        let cause = Cause {
            correlation: self.correlation,
            causation: Some(format!("{}@{}", self.stream, self.version)),
            traceparent: None,
            origin: Some(origin),
        };
        let ask = Ask {
            cause,
            ..Ask::fresh(Actor::System)
        };
        match self.commands.give(stream, command, ask).await {
            Ok(_) => Ok(()),
            Err(CommandError::Refused(refusal)) => {
                tracing::info!(manager = self.manager, %stream, %refusal, "a follow-up was refused");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Commands {
    /// Runs every process manager on every partition until `stop`.
    pub async fn run_managers(
        &self,
        tables: &Tables,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<(), TablesError> {
        let checkpoints = tables.view("managers", 1)?;
        let followers = (0..self.log().partitions()).map(|partition| {
            let (commands, checkpoints) = (self.clone(), checkpoints.clone());
            let (settings, stop) = (settings.clone(), stop.clone());
            tokio::spawn(async move { commands.follow(partition, &checkpoints, &settings, &stop).await })
        });
        for follower in followers.collect::<Vec<_>>() {
            if let Err(error) = follower.await {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        Ok(())
    }

    async fn follow(
        &self,
        partition: u16,
        checkpoints: &ViewTables,
        settings: &Settings,
        stop: &CancellationToken,
    ) {
        let mut head = self.log().watch(partition);
        let mut next = checkpoints.checkpoint(partition).min(self.log().head(partition));
        let mut written = next;
        loop {
            let records = self.read_tail(partition, next).await;
            for record in &records {
                while let Err(error) = self.react_to(partition, record, settings).await {
                    tracing::warn!(partition, offset = record.offset, %error, "a process manager waits");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
                next = record.offset + 1;
            }
            let idle = records.is_empty();
            if next > written && (idle || next - written >= CHECKPOINT_EVERY) {
                written = next;
                write_checkpoint(checkpoints, partition, next).await;
            }
            if idle {
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = head.wait_for(|head| *head > next) => if changed.is_err() { return },
                }
            }
        }
    }

    async fn read_tail(&self, partition: u16, from: u64) -> Vec<Record> {
        if self.log().head(partition) <= from {
            return vec![];
        }
        let log = self.log().clone();
        let read = tokio::task::spawn_blocking(move || log.read(partition, from, READ_BYTES)).await;
        match read {
            Ok(Ok(records)) => records,
            Ok(Err(error)) => {
                tracing::error!(partition, from, %error, "a process manager cannot read the log");
                tokio::time::sleep(PAUSE).await;
                vec![]
            }
            Err(_) => vec![],
        }
    }

    async fn react_to(
        &self,
        partition: u16,
        record: &Record,
        settings: &Settings,
    ) -> Result<(), CommandError> {
        let unreadable = |error: spool_schemas::DecodeError| CommandError::Unavailable(error.to_string());
        let commit = CommitRef::decode(&record.payload).map_err(unreadable)?;
        for manager in MANAGERS {
            let mut ordinal = 0;
            for (version, event) in commit
                .versioned()
                .filter(|(_, event)| manager.events.contains(&event.name))
            {
                let reaction = Reaction {
                    commands: self,
                    stream: commit.stream,
                    manager: manager.name,
                    version,
                    position: (partition, record.offset),
                    correlation: commit.cause.correlation,
                    ordinal: AtomicU32::new(ordinal),
                    settings,
                };
                (manager.react)(&reaction, event.decode().map_err(unreadable)?).await?;
                ordinal = reaction.ordinal.into_inner();
            }
        }
        Ok(())
    }
}

async fn write_checkpoint(checkpoints: &ViewTables, partition: u16, next: u64) {
    let checkpoints = checkpoints.clone();
    let written = tokio::task::spawn_blocking(move || {
        let mut batch = Batch::new();
        batch.advance(partition, next);
        checkpoints.commit(&batch)
    });
    if let Ok(Err(error)) = written.await {
        tracing::warn!(partition, %error, "a process manager's checkpoint was not written; it repeats more after a restart");
    }
}
