//! How far the topics are, as a figure and as a line when Kafka has been away for a while.

use spool_kafka::Producer;
use spool_log::Log;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);
/// Waiting for longer than this is worth a line; a change of leaders is not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Below which offset everything is in the topics, by partition. Clones share it.
#[derive(Clone)]
pub struct Settled(Arc<[AtomicU64]>);

impl Settled {
    pub fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| AtomicU64::new(0)).collect())
    }

    pub fn note(&self, partition: u16, offset: u64) {
        self.0[usize::from(partition)].store(offset, Ordering::Relaxed);
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|offset| offset.load(Ordering::Relaxed)).sum()
    }
}

/// Shows the lag every second, and says once when nothing has moved although something waits. Never ends.
pub async fn watch(log: Log, settled: Settled, producer: Producer) {
    let (mut before, mut moved_at, mut told) = (settled.sum(), Instant::now(), false);
    loop {
        tokio::time::sleep(EVERY).await;
        let now = settled.sum();
        let length: u64 = (0..log.partitions()).map(|partition| log.head(partition)).sum();
        let lag = length.saturating_sub(now);
        show(lag);
        if now != before || lag == 0 {
            if told {
                tracing::info!(lag, "Kafka takes public events again");
            }
            (before, moved_at, told) = (now, Instant::now(), false);
        } else if !told && moved_at.elapsed() > PATIENCE {
            told = true;
            let trouble = producer.trouble().unwrap_or_default();
            tracing::warn!(
                lag,
                trouble,
                "Kafka takes no public events; they wait in the log and are written when it is back"
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures are doubles")]
fn show(lag: u64) {
    metrics::gauge!("spool_publisher_lag").set(lag as f64);
}
