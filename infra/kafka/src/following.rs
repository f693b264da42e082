//! Reads a topic as it grows, from a short while back, on a thread of its own. For what matters at the moment only: what
//! is deleted before it was read is passed over.

use crate::connection::blocking;
use crate::{Connection, Context, Error, Record, Settings};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const POLL: Duration = Duration::from_millis(100);

/// Reads until it is dropped. What is under way then may still be given out.
pub struct Following {
    stop: Arc<AtomicBool>,
}

struct Reader<F> {
    consumer: BaseConsumer<Context>,
    topic: String,
    partitions: Vec<i32>,
    on_record: F,
    stop: Arc<AtomicBool>,
}

impl Following {
    /// Gives `on_record` the records of all partitions of `topic` (its full name): those of the last `back`, and then
    /// whatever is written, each partition's in order. `None` says that some were missed. Brokers that go away later are
    /// waited for; that they are away now, or have no such topic, is said within `within`.
    pub async fn start(
        settings: &Settings,
        topic: &str,
        back: Duration,
        within: Duration,
        on_record: impl FnMut(Option<Record>) + Send + 'static,
    ) -> Result<Self, Error> {
        let connection = Connection::open(settings, within).await?;
        let partitions = connection.partitions(topic).await?;
        let partitions = partitions.ok_or_else(|| Error::UnknownTopic {
            topic: topic.to_owned(),
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let (config, topic) = (settings.consumer(), topic.to_owned());
        let its_stop = Arc::clone(&stop);
        let started = blocking(move || {
            let consumer =
                BaseConsumer::from_config_and_context(&config, Context::default()).map_err(|error| {
                    Error::Settings {
                        problem: error.to_string(),
                    }
                })?;
            let reader = Reader {
                consumer,
                topic,
                partitions: partitions.into_iter().map(|partition| partition.id).collect(),
                on_record,
                stop: its_stop,
            };
            reader
                .begin(back, within)
                .map_err(|error| Error::of(format!("beginning to read {}", reader.topic), &error))?;
            std::thread::Builder::new()
                .name("spool-following".to_owned())
                .spawn(move || reader.run())
                .map_err(|error| Error::Failed {
                    doing: "starting a thread that reads".to_owned(),
                    detail: error.to_string(),
                })
        });
        started.await?;
        Ok(Self { stop })
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl<F: FnMut(Option<Record>)> Reader<F> {
    /// Takes the place that each partition had `back` ago, by the clock of this machine and of those who write.
    fn begin(&self, back: Duration, within: Duration) -> Result<(), KafkaError> {
        let then = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(back);
        let then_ms = i64::try_from(then.as_millis()).unwrap_or(i64::MAX);
        let then = self.all_at(Offset::Offset(then_ms))?;
        let mut places = TopicPartitionList::new();
        for place in self.consumer.offsets_for_times(then, within)?.elements() {
            let offset = match place.offset() {
                Offset::Offset(offset) => offset,
                // Nothing is younger. A number, since "the end" would be where it is once the brokers are asked.
                _ => {
                    let (_, end) = self
                        .consumer
                        .fetch_watermarks(&self.topic, place.partition(), within)?;
                    end
                }
            };
            places.add_partition_offset(&self.topic, place.partition(), Offset::Offset(offset))?;
        }
        self.consumer.assign(&places)
    }

    fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => (self.on_record)(Some(Record::of(&message))),
                Some(Err(error)) if is_lost(&error) => self.go_on_at_the_end(),
                Some(Err(error)) => tracing::debug!(%error, topic = self.topic, "reading is in trouble"),
                None => {}
            }
        }
    }

    fn go_on_at_the_end(&mut self) {
        tracing::info!(topic = self.topic, "records were deleted before they were read");
        let assigned = self
            .all_at(Offset::End)
            .and_then(|places| self.consumer.assign(&places));
        if let Err(error) = assigned {
            tracing::warn!(%error, topic = self.topic, "reading goes on where it was");
        }
        (self.on_record)(None);
    }

    fn all_at(&self, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
        let mut places = TopicPartitionList::new();
        for partition in &self.partitions {
            places.add_partition_offset(&self.topic, *partition, offset)?;
        }
        Ok(places)
    }
}

fn is_lost(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}
