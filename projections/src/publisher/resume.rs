//! Where the publisher was: read from what the topics end with, so there is no checkpoint that could be lost or lie.
//!
//! A partition of the log is written to the partition of the same number in every topic, in order and without gaps
//! (the producer stops rather than leave one). So what a topic's partition ends with is *how far that topic has it*,
//! although the topics may differ: of two events sent one after the other, a crash may have kept only the later, in
//! another topic. Each record says which offset everything was settled below when it was sent; reading begins at the
//! highest of those, and what a topic has already is not sent to it again. Two publishers at once, such as one that was
//! thought dead, only make repeats: each of them writes without gaps from a point that was there before.

use super::PublisherError;
use super::cloud_event::{ID, LOG_OFFSET, LOG_PARTITION, LOG_SETTLED, STREAM_VERSION};
use super::public::Topic;
use spool_kafka::{Connection, LastRecord, Record};
use spool_log::Log;
use spool_schemas::CommitRef;
use std::collections::BTreeMap;

/// How far one partition of the log is in the topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Everything below this offset is in the topics.
    pub settled: u64,
    /// The last event that each topic has: the commit's offset, then the stream's version.
    pub last: BTreeMap<Topic, (u64, u64)>,
}

impl Reached {
    /// Whether the topic has the event already.
    pub fn has(&self, topic: Topic, offset: u64, version: u64) -> bool {
        self.last
            .get(&topic)
            .is_some_and(|last| (offset, version) <= *last)
    }

    fn add(&mut self, topic: Topic, mark: &Mark) {
        self.settled = self.settled.max(mark.settled);
        self.last.insert(topic, (mark.offset, mark.version));
    }
}

/// What a record of ours says about the log.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    id: String,
    partition: u16,
    offset: u64,
    settled: u64,
    version: u64,
}

impl Mark {
    fn of(record: &Record) -> Option<Self> {
        let number = |name| record.header(name)?.parse().ok();
        Some(Self {
            id: record.header(ID)?.to_owned(),
            partition: record.header(LOG_PARTITION)?.parse().ok()?,
            offset: number(LOG_OFFSET)?,
            settled: number(LOG_SETTLED)?,
            version: number(STREAM_VERSION)?,
        })
    }
}

/// Reads how far every partition of the log is in the topics.
pub async fn read(connection: &Connection, log: &Log) -> Result<Vec<Reached>, PublisherError> {
    let names = Topic::ALL.map(|topic| (topic, connection.settings().topic(topic.name())));
    let mut wanted = vec![];
    for (_, name) in &names {
        let Some(found) = connection.partitions(name).await? else {
            let topic = name.clone();
            return Err(spool_kafka::Error::UnknownTopic { topic }.into());
        };
        if found.len() != usize::from(log.partitions()) {
            return Err(PublisherError::Partitions {
                topic: name.clone(),
                found: found.len(),
                wanted: log.partitions(),
            });
        }
        wanted.extend((0..log.partitions()).map(|partition| (name.clone(), i32::from(partition))));
    }
    let mut ends = connection.last_records(wanted).await?;
    let mut reached = vec![];
    for partition in 0..log.partitions() {
        let mut here = Reached::default();
        for (topic, name) in &names {
            match ends.remove(&(name.clone(), i32::from(partition))) {
                Some(LastRecord::Record(record)) => {
                    here.add(*topic, &checked(log, name, partition, &record).await?);
                }
                Some(LastRecord::Expired) => tracing::warn!(
                    topic = name,
                    partition,
                    "all records were deleted, so nothing says how far this topic was; what other topics do not tell is \
                     sent again"
                ),
                Some(LastRecord::Nothing) | None => {}
            }
        }
        reached.push(here);
    }
    Ok(reached)
}

/// What the record says, if it is about this log: otherwise going on from it would leave a gap.
async fn checked(log: &Log, topic: &str, partition: u16, record: &Record) -> Result<Mark, PublisherError> {
    let foreign = |problem: String| PublisherError::Foreign {
        topic: topic.to_owned(),
        partition,
        problem,
    };
    let Some(mark) = Mark::of(record) else {
        return Err(foreign(
            "its last record was not written by a publisher".to_owned(),
        ));
    };
    let head = log.head(partition);
    if mark.partition != partition || mark.offset >= head || mark.settled > mark.offset {
        let Mark {
            partition, offset, ..
        } = mark;
        return Err(foreign(format!(
            "its last record is at {partition}/{offset} of a log, and this log ends at {head}"
        )));
    }
    let (log, offset) = (log.clone(), mark.offset);
    let read = tokio::task::spawn_blocking(move || log.read(partition, offset, 1)).await;
    let records = read.map_err(|error| PublisherError::Log(error.to_string()))?;
    let records = records.map_err(|error| PublisherError::Log(error.to_string()))?;
    let Some(fact) = records.first() else {
        return Err(PublisherError::Log(format!("nothing is at {partition}/{offset}")));
    };
    let commit = CommitRef::decode(&fact.payload)?;
    let id_here = format!("{}@{}", commit.stream, mark.version);
    let is_of_commit = commit.versioned().any(|(version, _)| version == mark.version);
    if id_here != mark.id || !is_of_commit {
        return Err(foreign(format!(
            "it has {} where this log has something else",
            mark.id
        )));
    }
    Ok(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(offset: u64, settled: u64, version: u64) -> Mark {
        Mark {
            id: String::new(),
            partition: 0,
            offset,
            settled,
            version,
        }
    }

    #[test]
    fn reading_begins_below_what_the_slowest_topic_lacks() {
        let mut reached = Reached::default();
        // 10 was sent to the jobs and is lost; 11 was sent to the videos behind it and arrived.
        reached.add(Topic::Videos, &mark(11, 10, 3));
        reached.add(Topic::Jobs, &mark(7, 7, 1));
        assert_eq!(reached.settled, 10);
        assert!(!reached.has(Topic::Jobs, 10, 2));
        assert!(reached.has(Topic::Videos, 11, 3));
        assert!(!reached.has(Topic::Videos, 12, 1));
    }

    #[test]
    fn half_of_a_commit_may_have_arrived() {
        let mut reached = Reached::default();
        reached.add(Topic::Videos, &mark(4, 4, 1));
        assert!(reached.has(Topic::Videos, 4, 1) && !reached.has(Topic::Videos, 4, 2));
    }

    #[test]
    fn a_topic_without_records_has_nothing() {
        assert!(!Reached::default().has(Topic::Accounts, 0, 1));
    }

    #[test]
    fn a_record_of_somebody_else_has_no_mark() {
        let mut record = Record {
            offset: 3,
            key: vec![],
            payload: vec![],
            headers: vec![],
        };
        assert_eq!(Mark::of(&record), None);
        let ours = [
            (ID, "videos-x@2"),
            (LOG_PARTITION, "5"),
            (LOG_OFFSET, "9"),
            (LOG_SETTLED, "8"),
            (STREAM_VERSION, "2"),
        ];
        for (name, value) in ours {
            record.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        }
        let mark = Mark::of(&record).expect("all is there");
        assert_eq!(
            (mark.partition, mark.offset, mark.settled, mark.version),
            (5, 9, 8, 2)
        );
    }
}
