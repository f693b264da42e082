//! The thread that reads every partition to its end and goes on as others write, and that makes time pass for the seats.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use spool_kafka::Context;

use super::World;
use super::partition::Partition;

const TICK: Duration = Duration::from_millis(20);

pub struct Tail {
    pub consumer: BaseConsumer<Context>,
    pub partitions: Vec<Arc<Partition>>,
    pub world: Arc<World>,
    pub stop: Arc<AtomicBool>,
}

impl Tail {
    /// Begins where each partition's fold ends. A partition whose index was not begun is read from its beginning, so that
    /// its first record is seen.
    pub fn assign(&self) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for (partition, number) in self.partitions.iter().zip(0..) {
            let at = i64::try_from(partition.next_offset()).unwrap_or(i64::MAX);
            list.add_partition_offset(&self.world.topic, number, Offset::Offset(at))?;
        }
        self.consumer.assign(&list)
    }

    pub fn run(self) {
        let mut ticked = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            match self.consumer.poll(TICK) {
                Some(Ok(message)) => {
                    let partition = usize::try_from(message.partition()).ok();
                    let partition = partition.and_then(|number| self.partitions.get(number));
                    if let (Some(partition), Ok(offset)) = (partition, u64::try_from(message.offset())) {
                        partition.read(offset, message.payload().unwrap_or_default());
                    }
                }
                Some(Err(error)) => self.trouble(&error),
                None => {}
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                for partition in &self.partitions {
                    partition.tick();
                }
            }
        }
    }

    fn trouble(&self, error: &KafkaError) {
        let lost = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
        );
        if lost {
            let problem = format!(
                "records that were read before, or that come next, are no longer in the topic ({error}); its retention must be \
                 unlimited; restore the topic"
            );
            tracing::error!("{}: {problem}", self.world.place());
            for partition in &self.partitions {
                partition.set_fault(&problem);
            }
        } else {
            tracing::debug!(%error, "reading {} is in trouble", self.world.place());
        }
    }
}
