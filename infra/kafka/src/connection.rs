//! Asks the brokers about topics, and reads what a partition ends with. What blocks runs on blocking threads.

use crate::{Context, Error, Settings};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::metadata::Metadata;
use rdkafka::{Message, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one question to the brokers may take. They are asked again within the caller's limit.
const QUESTION: Duration = Duration::from_secs(1);

/// A client that only asks. Clones share it; it may be dropped anywhere.
#[derive(Clone)]
pub struct Connection {
    asking: Arc<Asking>,
}

/// A partition as the brokers describe it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    pub id: i32,
    pub has_leader: bool,
    /// On how many brokers it lies.
    pub replicas: usize,
    /// How many of them have everything.
    pub in_sync: usize,
}

/// What a partition ends with.
pub enum LastRecord {
    /// Nothing was ever written.
    Nothing,
    /// There were records, and all of them were deleted.
    Expired,
    Record(Record),
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    pub key: Vec<u8>,
    pub payload: Vec<u8>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value).ok()
    }

    pub(crate) fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        Self {
            offset: message.offset(),
            key: message.key().unwrap_or_default().to_vec(),
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                .collect(),
        }
    }
}

struct Asking {
    /// Taken only when dropped, since closing a client may block.
    consumer: Option<BaseConsumer<Context>>,
    settings: Settings,
    within: Duration,
    brokers: usize,
}

impl Connection {
    /// Finds the brokers, or says within `within` why not. Later questions have that long as well.
    pub async fn open(settings: &Settings, within: Duration) -> Result<Self, Error> {
        let settings = settings.clone();
        let opened = blocking(move || Asking::open(settings, within)).await?;
        Ok(Self {
            asking: Arc::new(opened),
        })
    }

    /// How many brokers the cluster has now.
    pub fn brokers(&self) -> usize {
        self.asking.brokers
    }

    pub fn settings(&self) -> &Settings {
        &self.asking.settings
    }

    /// The partitions of a topic, in order; none when there is no such topic. The name has its prefix already.
    pub async fn partitions(&self, topic: &str) -> Result<Option<Vec<PartitionState>>, Error> {
        let (asking, topic) = (self.asking.clone(), topic.to_owned());
        blocking(move || asking.partitions(&topic)).await
    }

    /// The first offset there is, and the next one to be written.
    pub async fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        let (asking, topic) = (self.asking.clone(), topic.to_owned());
        blocking(move || asking.watermarks(&topic, partition)).await
    }

    /// What each of these partitions ends with. The names have their prefix already.
    pub async fn last_records(
        &self,
        partitions: Vec<(String, i32)>,
    ) -> Result<BTreeMap<(String, i32), LastRecord>, Error> {
        let asking = self.asking.clone();
        blocking(move || asking.last_records(&partitions)).await
    }
}

impl Asking {
    fn open(settings: Settings, within: Duration) -> Result<Self, Error> {
        let consumer = BaseConsumer::from_config_and_context(&settings.consumer(), Context::default());
        let consumer = consumer.map_err(|error| Error::Settings {
            problem: error.to_string(),
        })?;
        let mut asking = Self {
            consumer: Some(consumer),
            settings,
            within,
            brokers: 0,
        };
        asking.brokers = asking.metadata(None)?.brokers().len();
        Ok(asking)
    }

    fn consumer(&self) -> &BaseConsumer<Context> {
        self.consumer.as_ref().expect("it is taken only when dropped")
    }

    fn metadata(&self, topic: Option<&str>) -> Result<Metadata, Error> {
        self.ask("asking for the topics", |consumer| {
            consumer.fetch_metadata(topic, QUESTION)
        })
    }

    fn partitions(&self, topic: &str) -> Result<Option<Vec<PartitionState>>, Error> {
        let metadata = self.metadata(Some(topic))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        let error = found.error().map(RDKafkaErrorCode::from);
        match error {
            None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Ok(None);
            }
            Some(code) => return Err(Error::of_code(format!("to describe {topic}"), code)),
        }
        let state = |partition: &rdkafka::metadata::MetadataPartition| PartitionState {
            id: partition.id(),
            has_leader: partition.leader() >= 0,
            replicas: partition.replicas().len(),
            in_sync: partition.isr().len(),
        };
        let mut all: Vec<PartitionState> = found.partitions().iter().map(state).collect();
        all.sort_by_key(|partition| partition.id);
        Ok((!all.is_empty()).then_some(all))
    }

    fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        let doing = format!("reading the ends of {topic}/{partition}");
        self.ask(&doing, |consumer| {
            consumer.fetch_watermarks(topic, partition, QUESTION)
        })
    }

    fn last_records(
        &self,
        partitions: &[(String, i32)],
    ) -> Result<BTreeMap<(String, i32), LastRecord>, Error> {
        let mut found = BTreeMap::new();
        let mut wanted = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            let (low, high) = self.watermarks(topic, *partition)?;
            let place = (topic.clone(), *partition);
            if high > low {
                let last = Offset::Offset(high - 1);
                list.add_partition_offset(topic, *partition, last)
                    .map_err(|error| Error::of("reading the last records", &error))?;
                wanted.insert(place, high - 1);
            } else if high > 0 {
                found.insert(place, LastRecord::Expired);
            } else {
                found.insert(place, LastRecord::Nothing);
            }
        }
        if !wanted.is_empty() {
            self.read(&list, wanted, &mut found)?;
        }
        Ok(found)
    }

    fn read(
        &self,
        list: &TopicPartitionList,
        mut wanted: BTreeMap<(String, i32), i64>,
        found: &mut BTreeMap<(String, i32), LastRecord>,
    ) -> Result<(), Error> {
        let consumer = self.consumer();
        let failed = |error: &KafkaError| Error::of("reading the last records", error);
        consumer.assign(list).map_err(|error| failed(&error))?;
        let deadline = Instant::now() + self.within;
        let mut result = Ok(());
        while !wanted.is_empty() {
            let message = match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => message,
                // The brokers may move a partition meanwhile; only the deadline tells that it does not come back.
                Some(Err(error)) if Instant::now() > deadline => {
                    result = Err(failed(&error));
                    break;
                }
                None if Instant::now() > deadline => {
                    result = Err(self.unreachable("the last records did not arrive"));
                    break;
                }
                Some(Err(_)) | None => continue,
            };
            let place = (message.topic().to_owned(), message.partition());
            if wanted.get(&place).is_some_and(|last| message.offset() >= *last) {
                wanted.remove(&place);
            }
            // Somebody may write meanwhile; the later record is the last one then.
            found.insert(place, LastRecord::Record(Record::of(&message)));
        }
        let _ = consumer.unassign();
        result
    }

    /// Asks until there is an answer, the credentials are refused, or time is up.
    fn ask<T>(
        &self,
        doing: &str,
        mut question: impl FnMut(&BaseConsumer<Context>) -> Result<T, KafkaError>,
    ) -> Result<T, Error> {
        let consumer = self.consumer();
        let deadline = Instant::now() + self.within;
        loop {
            let error = match question(consumer) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Errors of the connections arrive as events; serving them is what fills the context.
            while consumer.poll(Duration::ZERO).is_some() {}
            let trouble = consumer.context().trouble();
            if let Some((RDKafkaErrorCode::Authentication, detail)) = trouble {
                return Err(Error::AuthenticationFailed { detail });
            }
            match Error::of(doing, &error) {
                Error::Failed { .. } if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Error::Failed { .. } if is_away(&error) => return Err(self.unreachable(&error.to_string())),
                error => return Err(error),
            }
        }
    }

    /// What librdkafka saw on its connections tells more than that a question had no answer.
    fn unreachable(&self, otherwise: &str) -> Error {
        let trouble = self.consumer().context().trouble();
        Error::Unreachable {
            brokers: self.settings.brokers.clone(),
            detail: trouble.map_or_else(|| otherwise.to_owned(), |(_, reason)| reason),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        // Closing waits for librdkafka's threads, which a thread of the async runtime must not do.
        drop(std::thread::spawn(move || drop(consumer)));
    }
}

fn is_away(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NetworkException
        )
    )
}

/// Runs what blocks where blocking is allowed; a panic there is a panic here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
