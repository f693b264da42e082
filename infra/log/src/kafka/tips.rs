//! Asks the brokers where partitions end, on a thread of its own, since asking blocks.

use std::sync::Weak;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use spool_kafka::Context;

use super::partition::Partition;

/// The thread ends when this is dropped.
pub struct Tips {
    questions: Sender<Question>,
}

struct Question {
    partition: Weak<Partition>,
    number: u16,
    attempt: u64,
}

impl Tips {
    pub fn start(consumer: BaseConsumer<Context>, topic: String, silence: Duration) -> std::io::Result<Self> {
        let (questions, inbox) = mpsc::channel();
        std::thread::Builder::new()
            .name("spool-log-tips".into())
            .spawn(move || answer(&consumer, &topic, silence, &inbox))?;
        Ok(Self { questions })
    }

    pub fn ask(&self, partition: Weak<Partition>, number: u16, attempt: u64) {
        // Without the thread nobody answers, and the seat asks again.
        let _ = self.questions.send(Question {
            partition,
            number,
            attempt,
        });
    }
}

fn answer(consumer: &BaseConsumer<Context>, topic: &str, silence: Duration, inbox: &Receiver<Question>) {
    for question in inbox {
        let Question {
            partition,
            number,
            attempt,
        } = question;
        if partition.strong_count() == 0 {
            continue;
        }
        // Also serves what librdkafka has to say.
        let _ = consumer.poll(Duration::ZERO);
        match consumer.fetch_watermarks(topic, i32::from(number), silence) {
            Ok((_, tip)) => {
                let tip = u64::try_from(tip).unwrap_or(0);
                if let Some(partition) = partition.upgrade() {
                    partition.tip(attempt, tip);
                }
            }
            Err(error) => tracing::debug!(%error, topic, partition = number, "asking for the end failed"),
        }
    }
}
