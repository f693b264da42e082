//! Process managers: follow the log and give the commands that facts of one stream mean for another.
//!
//! Each command carries (manager, source partition, source position), and its target ignores what it has
//! acted on, for ever; so the managers' own checkpoints may be lost, and a restart repeats nothing. The managers of a
//! partition run where its executor is; that two nodes run them for a moment changes nothing either.

use crate::answer::{Ask, CommandError};
use crate::erasures::Erasing;
use crate::features::AnyCommand;
use crate::handle::Commands;
use crate::standing::becomes;
use memchr::memchr;
use memchr::memmem::Finder;
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_domain::time::Millis;
use spool_log::{Record, Role, Standing};
use spool_platform::config::Config;
use spool_schemas::{AnyEvent, Cause, CommitRef, DecodeError, Origin};
use spool_tables::{Batch, Tables, TablesError, ViewTables};
use std::collections::HashSet;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PAUSE: Duration = Duration::from_millis(500);
const READ_BYTES: usize = 1 << 20;
/// How many records may pass before the checkpoint is written again.
const CHECKPOINT_EVERY: u64 = 1_000;
/// And when nothing has come for so long: what is reacted to again after a crash changes nothing, so there is no hurry.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(250);
/// From one look at the log to the next while it brings nothing that a manager cares for: to be woken for each batch of
/// others' facts costs more than reading them.
const DISTANCE: Duration = Duration::from_millis(5);

/// What a manager does about an event, if it cares for events of that name.
pub struct Manager {
    pub name: &'static str,
    pub events: &'static [&'static str],
    pub react: for<'a> fn(&'a Reaction<'a>, AnyEvent) -> Reacting<'a>,
}

pub type Reacting<'a> = Pin<Box<dyn Future<Output = Result<(), CommandError>> + Send + 'a>>;

/// Managers that follow the log together: while one waits, so do the others of its group.
struct Group {
    /// Where the tables keep how far it is.
    checkpoints: &'static str,
    managers: &'static [Manager],
    /// The names of all events that they care for.
    names: HashSet<&'static [u8]>,
}

const ERASURES: &str = "erasures";

/// Every manager there is.
static GROUPS: LazyLock<[Group; 2]> = LazyLock::new(|| {
    [
        Group::new(
            "managers",
            &[
                crate::accounts::REGISTRATIONS,
                crate::mail::RESETS,
                crate::mail::CONFIRMATIONS,
                crate::videos::UPLOADS,
                crate::videos::TRANSCODES,
            ],
        ),
        Group::new(ERASURES, &[crate::erasures::ERASURES]),
    ]
});

impl Group {
    fn new(checkpoints: &'static str, managers: &'static [Manager]) -> Self {
        let names = managers.iter().flat_map(|manager| manager.events);
        Self {
            checkpoints,
            managers,
            names: names.map(|name| name.as_bytes()).collect(),
        }
    }

    /// Whether the record may have an event that a manager cares for: its name stands where the record names a type, letter by
    /// letter, for names are read as they were written. Nearly all records have none, and reading them takes ten times as long.
    fn may_care(&self, record: &Record) -> bool {
        let record = &record.payload;
        TYPE.find_iter(record).any(|at| {
            let name = &record[at + TYPE.needle().len()..];
            memchr(b'"', name).is_some_and(|end| self.names.contains(&name[..end]))
        })
    }
}

/// What stands before the name of an event in every record, as [`Commit::encode`](spool_schemas::Commit::encode) writes it; within a
/// text its quotes are escaped.
static TYPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"type\":\""));

/// One event being reacted to; gives commands in its name.
pub struct Reaction<'a> {
    pub commands: &'a Commands,
    pub stream: StreamId,
    manager: &'static str,
    version: u64,
    position: (u16, u64),
    correlation: Uuid,
    /// The number of the next command: those of the record's first event come first, each event having
    /// room for 65,536, so that what one event leads to moves no other's number.
    ordinal: AtomicU32,
    settings: &'a Settings,
}

/// What managers must know beyond the log.
#[derive(Clone, Debug)]
pub struct Settings {
    pub job_attempts_max: u32,
    /// Without it nobody is erased here, and whoever is to be waits.
    pub erasing: Option<Erasing>,
    /// How long a link for a new password is good.
    pub reset_link_life: Millis,
    /// Whether mail is sent, so that new e-mail addresses can be asked to be confirmed.
    pub confirms_addresses: bool,
}

impl Settings {
    /// Without erasing.
    pub fn of(config: &Config) -> Self {
        let seconds = i64::try_from(config.mail.reset_link_seconds).unwrap_or(i64::MAX / 1000);
        Self {
            job_attempts_max: config.jobs.max_attempts,
            erasing: None,
            reset_link_life: Millis(seconds * 1000),
            confirms_addresses: config.mail.is_sent(),
        }
    }
}

impl Reaction<'_> {
    pub const fn settings(&self) -> &Settings {
        self.settings
    }

    /// The event as the cause of a command.
    pub(crate) fn cause(&self) -> Cause {
        Cause {
            correlation: self.correlation,
            causation: Some(format!("{}@{}", self.stream, self.version)),
            ..Cause::default()
        }
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
            origin: Some(origin),
            ..self.cause()
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
    /// Runs every process manager on the partitions that this node leads until `stop`; returns at once where it has no
    /// executors. Their checkpoints are in `tables`, which the nodes that may lead the same partitions have to share: what is
    /// not known there is reacted to again.
    pub async fn run_managers(
        &self,
        tables: &Tables,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<(), TablesError> {
        if self.here.is_none() {
            return Ok(());
        }
        let mut followers = JoinSet::new();
        let runs = |group: &&Group| group.checkpoints != ERASURES || settings.erasing.is_some();
        for group in GROUPS.iter().filter(runs) {
            let checkpoints = tables.view(group.checkpoints, 1)?;
            for partition in 0..self.log().partitions() {
                let follower = Follower {
                    group,
                    commands: self.clone(),
                    checkpoints: checkpoints.clone(),
                    settings: settings.clone(),
                    stop: stop.clone(),
                    partition,
                };
                followers.spawn(follower.run());
            }
        }
        // Dropped half-way, the set ends all of them; so does the first that breaks.
        while let Some(ended) = followers.join_next().await {
            if let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(())
    }
}

/// Reads one partition in order and lets every manager of a group react.
struct Follower {
    group: &'static Group,
    commands: Commands,
    checkpoints: ViewTables,
    settings: Settings,
    stop: CancellationToken,
    partition: u16,
}

impl Follower {
    async fn run(self) {
        let mut standing = self.commands.log().standing(self.partition);
        loop {
            let is_ours = |standing: &Standing| standing.role != Role::Following;
            let comes_to_lead = tokio::select! {
                () = self.stop.cancelled() => false,
                () = becomes(&mut standing, is_ours) => true,
            };
            if !comes_to_lead {
                return;
            }
            // What was given is taken, so this may be cut off anywhere; whoever leads next reacts to the record again.
            tokio::select! {
                biased;
                () = becomes(&mut standing, |standing| !is_ours(standing)) => {}
                () = self.follow() => return,
            }
        }
    }

    /// Until it is time to stop, or the log is closed.
    async fn follow(&self) {
        let log = self.commands.log();
        let mut head = log.watch(self.partition);
        let Some(reached) = self.checkpoint().await else {
            return;
        };
        let mut next = reached.min(log.head(self.partition));
        let mut written = next;
        loop {
            let records = self.read_tail(next).await;
            let mut idle = !records.is_empty();
            for record in &records {
                if self.group.may_care(record) {
                    idle = false;
                    if self.react_until_done(record).await.is_break() {
                        return self.write_checkpoint(written, next).await;
                    }
                }
                next = record.offset + 1;
                if next - written >= CHECKPOINT_EVERY {
                    self.write_checkpoint(written, next).await;
                    written = next;
                }
            }
            if idle {
                let is_over = tokio::time::timeout(DISTANCE, self.stop.cancelled()).await;
                if is_over.is_ok() {
                    return self.write_checkpoint(written, next).await;
                }
            }
            if records.is_empty() {
                let goes_on = tokio::select! {
                    () = self.stop.cancelled() => false,
                    moved = head.wait_for(|head| *head > next) => moved.is_ok(),
                    () = tokio::time::sleep(CHECKPOINT_AFTER), if next > written => true,
                };
                let has_moved = log.head(self.partition) > next;
                if !(goes_on && has_moved) {
                    self.write_checkpoint(written, next).await;
                    written = next;
                }
                if !goes_on {
                    return;
                }
            }
        }
    }

    /// How far the managers have come, on whichever node they were; nothing when it is time to stop first.
    async fn checkpoint(&self) -> Option<u64> {
        loop {
            let checkpoints = self.checkpoints.clone();
            let error = match tokio::task::spawn_blocking(move || checkpoints.refresh()).await {
                Ok(Ok(())) => return Some(self.checkpoints.checkpoint(self.partition)),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::warn!(
                partition = self.partition,
                error,
                "the process managers' checkpoint cannot be read"
            );
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Breaks off when it is time to stop.
    async fn react_until_done(&self, record: &Record) -> ControlFlow<()> {
        loop {
            // A command that was given is taken, even if nobody waits for its answer; so this may be cut
            // off anywhere, and the record is reacted to again at the next start.
            let reacted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return ControlFlow::Break(()),
                reacted = self.react_to(record) => reacted,
            };
            let Err(error) = reacted else {
                return ControlFlow::Continue(());
            };
            let (partition, offset) = (self.partition, record.offset);
            tracing::warn!(partition, offset, %error, "a process manager waits");
            tokio::select! {
                () = self.stop.cancelled() => return ControlFlow::Break(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn read_tail(&self, from: u64) -> Vec<Record> {
        let (log, partition) = (self.commands.log().clone(), self.partition);
        if log.head(partition) <= from {
            return vec![];
        }
        if let Some(records) = log.recent(partition, from, READ_BYTES) {
            return records;
        }
        let read = tokio::task::spawn_blocking(move || log.read(partition, from, READ_BYTES)).await;
        let error = match read {
            Ok(Ok(records)) => return records,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(partition, from, error, "a process manager cannot read the log");
        tokio::time::sleep(PAUSE).await;
        vec![]
    }

    async fn react_to(&self, record: &Record) -> Result<(), CommandError> {
        let unreadable = |error: DecodeError| CommandError::Unavailable(error.to_string());
        let commit = CommitRef::decode(&record.payload).map_err(unreadable)?;
        for manager in self.group.managers {
            for (index, (version, event)) in (0u32..).zip(commit.versioned()) {
                if !manager.events.contains(&event.name) {
                    continue;
                }
                let reaction = Reaction {
                    commands: &self.commands,
                    stream: commit.stream,
                    manager: manager.name,
                    version,
                    position: (self.partition, record.offset),
                    correlation: commit.cause.correlation,
                    ordinal: AtomicU32::new(index << 16),
                    settings: &self.settings,
                };
                (manager.react)(&reaction, event.decode().map_err(unreadable)?).await?;
            }
        }
        Ok(())
    }

    async fn write_checkpoint(&self, written: u64, next: u64) {
        if next == written {
            return;
        }
        let (checkpoints, partition) = (self.checkpoints.clone(), self.partition);
        let written = tokio::task::spawn_blocking(move || {
            let mut batch = Batch::new();
            batch.advance(partition, next);
            checkpoints.commit(&batch)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(partition, %error, "a process manager's checkpoint was not written; it repeats more after a restart");
        }
    }
}
