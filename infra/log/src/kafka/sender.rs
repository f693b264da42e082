//! A connection that writes the records of one term to one partition, in their order.

use std::sync::{OnceLock, Weak};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext};
use spool_kafka::Context;

use super::World;
use super::partition::Partition;
use super::spares::Connection;
use crate::term::Record;

pub struct Sender {
    pub attempt: u64,
    partition: i32,
    /// Taken only when dropped.
    producer: Option<Connection>,
}

/// Passes on what the brokers say of each record.
#[derive(Default)]
pub struct Reports {
    writer: OnceLock<Writer>,
    context: Context,
}

/// Whose records they are.
struct Writer {
    partition: Weak<Partition>,
    attempt: u64,
}

impl Sender {
    pub fn open(world: &World, number: u16, partition: Weak<Partition>, attempt: u64) -> KafkaResult<Self> {
        let producer = world.spares.take()?;
        let writer = Writer { partition, attempt };
        let unused = producer.context().writer.set(writer).is_ok();
        debug_assert!(unused, "a connection is used for one term only");
        Ok(Self {
            attempt,
            partition: i32::from(number),
            producer: Some(producer),
        })
    }

    /// Queues a record. Does not block.
    pub fn send(&self, topic: &str, seq: u64, record: &Record) -> KafkaResult<()> {
        let payload = record.encode();
        let seq = usize::try_from(seq).expect("as wide as a counter in memory");
        let record: BaseRecord<'_, (), [u8], usize> = BaseRecord::with_opaque_to(topic, seq)
            .partition(self.partition)
            .payload(&payload);
        let producer = self.producer.as_ref().expect("it is taken only when dropped");
        producer.send(record).map_err(|(error, _)| error)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Ending a producer waits for its threads, one of which may be the one we are on.
        if let Some(producer) = self.producer.take() {
            std::thread::spawn(move || drop(producer));
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, seq: usize) {
        let Some(writer) = self.writer.get() else {
            return;
        };
        let Some(partition) = writer.partition.upgrade() else {
            return;
        };
        let outcome = match result {
            // A record that was found to be there already has no offset.
            Ok(message) => Ok(u64::try_from(message.offset()).ok()),
            Err((error, _)) => {
                tracing::debug!(%error, seq, "a record may not have arrived");
                Err(())
            }
        };
        partition.reported(writer.attempt, seq as u64, outcome);
    }
}
