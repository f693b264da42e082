//! What a log on Kafka is opened with.

use std::path::PathBuf;
use std::time::Duration;

use spool_kafka::{Settings, topics};

use crate::term::Timing;

/// How to open a log on Kafka. Start from [`KafkaConfig::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    pub settings: Settings,
    /// Without the installation's prefix. Nothing else may write to it.
    pub topic: String,
    /// As many as the topic has; fixed when it was made.
    pub partitions: u16,
    /// For what saves reading everything again. May be deleted while the log is closed.
    pub dir: PathBuf,
    /// The name of this node, and where it takes requests from others: what other nodes learn when this one leads.
    pub node: String,
    pub url: String,
    /// The most payload one commit may have; lowered to what fits into a record.
    pub commit_bytes_max: usize,
    /// How much is kept in memory for readers near the head, over all partitions.
    pub memory_bytes: usize,
    /// After this long without an answer from the brokers a term ends and another is claimed.
    pub silence: Duration,
    /// How long to rest after trouble.
    pub rest: Duration,
    /// After this long an append is answered with `Unknown`.
    pub patience: Duration,
    /// How long a record waits for others to go with it.
    pub linger: Duration,
    /// So many records are under way to a partition before appends wait for each other and go together in one: brokers and
    /// readers work by the record. At least 1.
    pub under_way: usize,
    /// How many commits lie between two places from which reading can begin.
    pub index_every: u64,
}

impl KafkaConfig {
    /// 16 partitions, commits up to 4 MiB, 16 MiB in memory; a term ends after 3 s of silence, an append after 10 s.
    pub fn new(
        settings: Settings,
        dir: impl Into<PathBuf>,
        node: impl Into<String>,
        url: impl Into<String>,
    ) -> Self {
        Self {
            settings,
            topic: topics::LOG.to_owned(),
            partitions: 16,
            dir: dir.into(),
            node: node.into(),
            url: url.into(),
            commit_bytes_max: 4 << 20,
            memory_bytes: 16 << 20,
            silence: Duration::from_secs(3),
            rest: Duration::from_millis(100),
            patience: Duration::from_secs(10),
            linger: Duration::ZERO,
            under_way: 1,
            index_every: 4096,
        }
    }

    pub(super) fn timing(&self) -> Timing {
        Timing {
            silence: milliseconds(self.silence),
            rest: milliseconds(self.rest),
            patience: milliseconds(self.patience),
            under_way: self.under_way,
        }
    }
}

pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
