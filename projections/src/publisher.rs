//! The publisher: writes to Kafka what other teams may read, in the log's order, wherever it was stopped.
//!
//! One event a record. At least once: a repeat has the same `ce_id` and a stream version that is not higher than what
//! the key had before. Never a gap, and never out of order within a key. While Kafka is away the events wait in the
//! log, and commands go on.

pub mod asyncapi;
mod cloud_event;
mod follower;
pub mod public;
mod resume;
mod status;

use follower::Follower;
use resume::Reached;
use spool_kafka::{Connection, Producer, Settings};
use spool_log::Log;
use spool_schemas::DecodeError;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long brokers are looked for before it is tried again.
const FIND_WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Follows the log and writes the public topics.
#[derive(Clone)]
pub struct Publisher {
    log: Log,
    settings: Settings,
    source: String,
}

/// Why the topics cannot be written now. All of it is tried again until it works: nothing is ever left out.
#[derive(Debug, thiserror::Error)]
enum PublisherError {
    #[error(transparent)]
    Kafka(#[from] spool_kafka::Error),
    #[error("{topic} has {found} partitions and the log {wanted}; see `spool topics check`")]
    Partitions {
        topic: String,
        found: usize,
        wanted: u16,
    },
    #[error(
        "{topic}, partition {partition}, is not about this log: {problem}; give this log topics of its own \
         (kafka.topic_prefix), or delete those that are there"
    )]
    Foreign {
        topic: String,
        partition: u16,
        problem: String,
    },
    #[error("reading the log: {0}")]
    Log(String),
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
}

impl Publisher {
    pub fn new(log: Log, settings: Settings) -> Self {
        let installation = settings.topic_prefix.trim_end_matches(['-', '.', '_']);
        let source = match installation {
            "" => "urn:spool".to_owned(),
            name => format!("urn:spool:{name}"),
        };
        Self {
            log,
            settings,
            source,
        }
    }

    /// What keeps the topics from being written now, in a sentence. Writes nothing.
    pub async fn trouble(&self) -> Option<String> {
        self.reached().await.err().map(|error| error.to_string())
    }

    /// Writes until `stop`. What is wrong is said once, and tried again for as long as it takes.
    pub async fn run(self, stop: CancellationToken) {
        let mut told = String::new();
        loop {
            let ended = tokio::select! {
                biased;
                () = self.stopped(&stop) => return,
                ended = self.write(&stop) => ended,
            };
            let Err(error) = ended else {
                return;
            };
            show_writing(false);
            let error = error.to_string();
            if error != told {
                tracing::warn!(error, "the public topics wait");
                told = error;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
        }
    }

    /// Finds out where the topics are, and goes on from there until something fails or it is to stop.
    async fn write(&self, stop: &CancellationToken) -> Result<(), PublisherError> {
        let reached = self.reached().await?;
        // Records wait for the brokers rather than fail: one that failed would have to be sent before those behind it.
        let producer = Producer::open(&self.settings, None).await?;
        let settled = status::Settled::new(self.log.partitions());
        let mut followers = JoinSet::new();
        for (partition, reached) in (0..self.log.partitions()).zip(reached) {
            let follower = Follower {
                log: self.log.clone(),
                settings: self.settings.clone(),
                producer: producer.clone(),
                source: self.source.clone(),
                partition,
                reached,
                settled: settled.clone(),
            };
            followers.spawn(follower.run(stop.clone()));
        }
        tracing::info!(brokers = self.settings.brokers, "the public topics are written");
        show_writing(true);
        let all = async {
            while let Some(ended) = followers.join_next().await {
                ended
                    .map_err(JoinError::into_panic)
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(())
        };
        tokio::select! {
            ended = all => ended,
            () = status::watch(self.log.clone(), settled, producer) => Ok(()),
        }
    }

    async fn reached(&self) -> Result<Vec<Reached>, PublisherError> {
        let connection = Connection::open(&self.settings, FIND_WITHIN).await?;
        resume::read(&connection, &self.log).await
    }

    /// A stop ends the search for brokers at once; followers get a moment for what is on its way.
    async fn stopped(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

fn show_writing(writing: bool) {
    metrics::gauge!("spool_publisher_up").set(if writing { 1.0 } else { 0.0 });
}
