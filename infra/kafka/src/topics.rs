//! The topics there are, what each must be like for the promises to hold, and how they are made and checked.

mod findings;
mod making;

pub use findings::Finding;

use std::time::{Duration, Instant};

use crate::{Connection, Error, RECORD_BYTES_MAX};

/// The log: commits of every partition.
pub const LOG: &str = "spool.log";
/// What matters for a moment only: heartbeats, progress.
pub const SIGNALS: &str = "spool.signals";
/// What other teams read. A feature that has something to tell adds its topic here.
pub const PUBLIC: &[&str] = &["video-events", "job-events", "account-events"];

/// A topic that was made just now is known to every broker by then.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Signals are worth nothing after this long.
const SIGNALS_KEPT_MS: i64 = 600_000;

/// What a topic must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Without the installation's prefix.
    pub name: &'static str,
    /// Exactly this many: a key's partition depends on it.
    pub partitions: u16,
    /// On this many brokers or more.
    pub replicas: u16,
    /// Whether what was acknowledged must outlive the loss of a broker.
    pub durable: bool,
    pub kept: Kept,
    pub record_bytes_max: u32,
}

/// How long records stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Forever,
    /// For ever unless the operator says otherwise.
    ForeverByDefault,
    Milliseconds(i64),
}

impl TopicSpec {
    /// The log, with the partitions that it was created with and that never change.
    pub const fn log(partitions: u16, replicas: u16) -> Self {
        Self {
            name: LOG,
            partitions,
            replicas,
            durable: true,
            kept: Kept::Forever,
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }

    /// Every node reads all signals, so one partition is enough.
    pub const fn signals(replicas: u16) -> Self {
        Self {
            name: SIGNALS,
            partitions: 1,
            replicas,
            durable: false,
            kept: Kept::Milliseconds(SIGNALS_KEPT_MS),
            record_bytes_max: 1 << 20,
        }
    }

    /// The public topics: a partition of the log becomes the partition of the same number, so that order stays.
    pub fn public(partitions: u16, replicas: u16) -> Vec<Self> {
        let topic = |name: &&'static str| Self {
            name,
            partitions,
            replicas,
            durable: true,
            kept: Kept::ForeverByDefault,
            record_bytes_max: RECORD_BYTES_MAX,
        };
        PUBLIC.iter().map(topic).collect()
    }

    /// How many replicas must have a record before it is acknowledged.
    pub(crate) fn in_sync_min(&self) -> u16 {
        if self.durable {
            self.replicas.clamp(1, 2)
        } else {
            1
        }
    }

    /// The settings a new topic is made with.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let kept_ms = match self.kept {
            Kept::Forever | Kept::ForeverByDefault => -1,
            Kept::Milliseconds(kept) => kept,
        };
        let mut settings = vec![
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", kept_ms.to_string()),
            ("retention.bytes", "-1".to_owned()),
            ("min.insync.replicas", self.in_sync_min().to_string()),
            ("unclean.leader.election.enable", "false".to_owned()),
            ("max.message.bytes", self.record_bytes_max.to_string()),
        ];
        if let Kept::Milliseconds(kept) = self.kept {
            // A segment that is still written to is never deleted.
            settings.push(("segment.ms", kept.to_string()));
        }
        settings
    }
}

/// What became of the topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Full names of those that were made now.
    pub made: Vec<String>,
    /// Full names of those that are as they must be.
    pub sound: Vec<String>,
    /// Everything that would break a promise. Nothing of it was changed.
    pub findings: Vec<Finding>,
}

/// Compares the topics with what they must be. Changes nothing. One that is missing is looked for for two seconds: not every
/// broker has heard at once of what was made just now.
pub async fn check(connection: &Connection, specs: &[TopicSpec]) -> Result<Report, Error> {
    let deadline = Instant::now() + HEARD_WITHIN;
    loop {
        let (report, misses_some) = look(connection, specs).await?;
        if !misses_some || Instant::now() > deadline {
            return Ok(report);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Also says whether a topic is missing.
async fn look(connection: &Connection, specs: &[TopicSpec]) -> Result<(Report, bool), Error> {
    let mut report = Report::default();
    let mut misses_some = false;
    let settings = making::settings(connection, specs).await?;
    for spec in specs {
        let name = connection.settings().topic(spec.name);
        let partitions = connection.partitions(&name).await?;
        let found = match (partitions, settings.get(&name)) {
            (Some(partitions), Some(settings)) => findings::of(spec, &name, &partitions, settings),
            _ => {
                misses_some = true;
                vec![findings::missing(spec, &name, connection.brokers())]
            }
        };
        if found.is_empty() {
            report.sound.push(name);
        }
        report.findings.extend(found);
    }
    Ok((report, misses_some))
}

/// Makes the topics that are missing, and compares the others with what they must be: what exists is never changed.
pub async fn ensure(connection: &Connection, specs: &[TopicSpec]) -> Result<Report, Error> {
    let mut made = vec![];
    for spec in specs {
        let name = connection.settings().topic(spec.name);
        let fits = usize::from(spec.replicas) <= connection.brokers();
        if fits && connection.partitions(&name).await?.is_none() {
            making::make(connection, spec, &name).await?;
            made.push(name);
        }
    }
    let mut report = check(connection, specs).await?;
    report.sound.retain(|name| !made.contains(name));
    report.made = made;
    Ok(report)
}
