//! What stands in the public topics, what ought to stand there by the log, and whether the one is the other.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};
use spool_kafka::Settings;
use spool_log::Log;
use spool_projections::publisher::public::{PublicEvent, Topic};
use spool_schemas::CommitRef;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(60);

/// A record of a public topic, or what one ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub topic: Topic,
    pub partition: u16,
    pub key: String,
    pub name: String,
    pub id: String,
    pub version: u64,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// Everything in the public topics, in the order of each partition. Blocking.
pub fn read_all(settings: &Settings) -> Vec<Published> {
    let consumer: BaseConsumer = settings.consumer().create().expect("the settings are good");
    let mut list = TopicPartitionList::new();
    let mut missing = BTreeMap::new();
    for topic in Topic::ALL {
        let name = settings.topic(topic.name());
        let metadata = consumer
            .fetch_metadata(Some(&name), WITHIN)
            .expect("the broker runs");
        for partition in metadata.topics()[0].partitions() {
            let place = (name.clone(), partition.id());
            let (low, high) = ends(&consumer, &name, partition.id());
            if high > low {
                list.add_partition_offset(&name, partition.id(), Offset::Offset(low))
                    .expect("an offset");
                missing.insert(place, high);
            }
        }
    }
    consumer.assign(&list).expect("the partitions are there");
    let (mut all, deadline) = (vec![], Instant::now() + WITHIN);
    while !missing.is_empty() {
        assert!(Instant::now() < deadline, "not read within a minute: {missing:?}");
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let place = (message.topic().to_owned(), message.partition());
        if missing
            .get(&place)
            .is_some_and(|high| message.offset() + 1 >= *high)
        {
            missing.remove(&place);
        }
        all.push(read_one(settings, &message));
    }
    all
}

/// Where a partition begins and ends. A broker that has come back says that it leads a partition a moment before it does.
fn ends(consumer: &BaseConsumer, topic: &str, partition: i32) -> (i64, i64) {
    let deadline = Instant::now() + WITHIN;
    loop {
        let ends = consumer.fetch_watermarks(topic, partition, WITHIN);
        let is_early = ends
            .as_ref()
            .is_err_and(|error| error.rdkafka_error_code() == Some(RDKafkaErrorCode::NotLeaderForPartition));
        if !is_early || Instant::now() >= deadline {
            return ends.expect("the broker runs");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read_one(settings: &Settings, message: &impl Message) -> Published {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("keys and headers are text");
    let headers: BTreeMap<String, String> = message
        .headers()
        .expect("every record has headers")
        .iter()
        .map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default())))
        .collect();
    let topic = Topic::ALL
        .into_iter()
        .find(|topic| settings.topic(topic.name()) == message.topic());
    Published {
        topic: topic.expect("only these were assigned"),
        partition: u16::try_from(message.partition()).expect("partitions are few"),
        key: text(message.key().unwrap_or_default()),
        name: headers["ce_type"].clone(),
        id: headers["ce_id"].clone(),
        version: headers["ce_streamversion"].parse().expect("a version"),
        body: message.payload().unwrap_or_default().to_vec(),
        headers,
    }
}

/// What ought to stand in the topics, in the order of the log.
pub fn expected(log: &Log) -> Vec<Published> {
    let mut all = vec![];
    for partition in 0..log.partitions() {
        let mut next = 0;
        while next < log.head(partition) {
            for record in log.read(partition, next, 1 << 20).expect("the log can be read") {
                next = record.offset + 1;
                let commit = CommitRef::decode(&record.payload).expect("it is a commit");
                for (version, event) in commit.versioned() {
                    let event = event.decode().expect("an event of ours");
                    all.extend(PublicEvent::of(&event).map(|public| Published {
                        topic: public.kind().topic,
                        partition,
                        key: commit.stream.id.to_string(),
                        name: public.kind().name.to_owned(),
                        id: format!("{}@{version}", commit.stream),
                        version,
                        headers: BTreeMap::new(),
                        body: public.body(),
                    }));
                }
            }
        }
    }
    all
}

/// Holds the topics against the log: nothing is missing, all is in order, and a repeat is recognised as one. Gives the
/// number of repeats.
pub fn compare(published: &[Published], expected: &[Published]) -> usize {
    let mut repeats = 0;
    for topic in Topic::ALL {
        let partitions: BTreeSet<u16> = expected.iter().map(|event| event.partition).collect();
        for partition in partitions {
            let here = |event: &&Published| (event.topic, event.partition) == (topic, partition);
            let wanted: Vec<&Published> = expected.iter().filter(here).collect();
            // As a consumer does it: what is not higher than before in its key is a repeat.
            let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
            let mut first = vec![];
            for event in published.iter().filter(here) {
                let before = seen.entry(&event.key).or_default();
                if event.version <= *before {
                    let original = first.iter().find(|known: &&&Published| known.id == event.id);
                    let original = original.unwrap_or_else(|| panic!("out of order: {event:?}"));
                    assert_eq!(original.body, event.body, "a repeat says something else");
                    repeats += 1;
                    continue;
                }
                *before = event.version;
                first.push(event);
            }
            let ids = |events: &[&Published]| events.iter().map(|event| event.id.clone()).collect::<Vec<_>>();
            assert_eq!(ids(&first), ids(&wanted), "in {topic:?}, partition {partition}");
            for (found, wanted) in first.iter().zip(&wanted) {
                let parts = |event: &Published| (event.key.clone(), event.name.clone(), event.body.clone());
                assert_eq!(parts(found), parts(wanted));
            }
        }
    }
    repeats
}
