//! A connection that writes the records of one term to one partition, in their order.

use std::sync::Weak;

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use spool_kafka::Context;

use super::World;
use super::partition::Partition;
use crate::term::Record;

pub struct Sender {
    pub attempt: u64,
    partition: i32,
    /// Taken only when dropped.
    producer: Option<ThreadedProducer<Reports>>,
}

/// Passes on what the brokers say of each record.
struct Reports {
    attempt: u64,
    partition: Weak<Partition>,
    context: Context,
}

impl Sender {
    pub fn open(world: &World, number: u16, partition: Weak<Partition>, attempt: u64) -> KafkaResult<Self> {
        let silence = super::config::milliseconds(world.config.silence)
            .max(10)
            .to_string();
        let mut config = world.config.settings.producer();
        config
            .set("linger.ms", world.config.linger.as_millis().to_string())
            .set("message.timeout.ms", &silence)
            .set("request.timeout.ms", &silence)
            .set("socket.nagle.disable", "true")
            .set("socket.connection.setup.timeout.ms", "1000");
        let reports = Reports {
            attempt,
            partition,
            context: Context::default(),
        };
        Ok(Self {
            attempt,
            partition: i32::from(number),
            producer: Some(ThreadedProducer::from_config_and_context(&config, reports)?),
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
        let Some(partition) = self.partition.upgrade() else {
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
        partition.reported(self.attempt, seq as u64, outcome);
    }
}
