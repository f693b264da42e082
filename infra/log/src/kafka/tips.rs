//! Asks the brokers where partitions end, on a thread of its own, since asking blocks.

use std::collections::VecDeque;
use std::sync::Weak;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use spool_kafka::Context;

use super::partition::Partition;

/// How long one partition may keep the others waiting.
const PATIENCE: Duration = Duration::from_millis(500);
const REST: Duration = Duration::from_millis(10);

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
    pub fn start(consumer: BaseConsumer<Context>, topic: String) -> std::io::Result<Self> {
        let (questions, inbox) = mpsc::channel();
        std::thread::Builder::new()
            .name("spool-log-tips".into())
            .spawn(move || answer(&consumer, &topic, &inbox))?;
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

fn answer(consumer: &BaseConsumer<Context>, topic: &str, inbox: &Receiver<Question>) {
    let mut again = VecDeque::new();
    loop {
        again.extend(inbox.try_iter());
        let question = match again.pop_front() {
            Some(question) => question,
            None => match inbox.recv() {
                Ok(question) => question,
                Err(_) => return,
            },
        };
        // One that was given up meanwhile, or came twice, must not hold up others while the brokers are away.
        let Some(partition) = question
            .partition
            .upgrade()
            .filter(|partition| partition.asks(question.attempt))
        else {
            continue;
        };
        // Also serves what librdkafka has to say.
        let _ = consumer.poll(Duration::ZERO);
        match consumer.fetch_watermarks(topic, i32::from(question.number), PATIENCE) {
            Ok((_, tip)) => partition.tip(question.attempt, u64::try_from(tip).unwrap_or(0)),
            Err(error) => {
                tracing::debug!(%error, topic, partition = question.number, "asking for the end failed");
                std::thread::sleep(REST);
                // The partition may have another leader by now, and librdkafka does not look for it by itself.
                if let Err(error) = consumer.fetch_metadata(Some(topic), PATIENCE) {
                    tracing::debug!(%error, topic, "asking who leads its partitions failed");
                }
                again.push_back(question);
            }
        }
    }
}
