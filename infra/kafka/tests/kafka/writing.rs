//! Records arrive in the order they were queued in, and the last one can be read back.

use spool_kafka::topics::{self, TopicSpec};
use spool_kafka::{Connection, Error, LastRecord, NewRecord, Producer, Settings};
use spool_services::{Kafka, fresh_name};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_was_queued_first_stands_first_and_the_last_one_is_read_back() {
    let broker = tokio::task::spawn_blocking(Kafka::shared)
        .await
        .expect("a broker starts");
    let settings = Settings::new(broker.bootstrap()).with_prefix(fresh_name("writing-"));
    let connection = Connection::open(&settings, WITHIN)
        .await
        .expect("the broker runs");
    let specs = [TopicSpec::log(2, 1)];
    topics::ensure(&connection, &specs).await.expect("it can be made");
    let topic = settings.topic(topics::LOG);

    let producer = Producer::open(&settings, Some(WITHIN)).await.expect("a producer");
    let send = |number: u32| {
        let (key, payload) = (format!("key {number}"), format!("fact {number}"));
        let record = NewRecord {
            topic: &topic,
            partition: 1,
            key: key.as_bytes(),
            payload: payload.as_bytes(),
            headers: &[("number", &number.to_string())],
        };
        producer.send(record).expect("there is room")
    };
    let sending: Vec<_> = (0..500).map(send).collect();
    for (wanted, sent) in (0..).zip(sending) {
        assert_eq!(sent.await.expect("it is written"), wanted);
    }

    assert_eq!(
        connection.watermarks(&topic, 1).await.expect("an answer"),
        (0, 500)
    );
    let ends = vec![(topic.clone(), 0), (topic.clone(), 1)];
    let ends = connection.last_records(ends).await.expect("they are read");
    assert!(matches!(ends[&(topic.clone(), 0)], LastRecord::Nothing));
    let LastRecord::Record(last) = &ends[&(topic.clone(), 1)] else {
        panic!("there is one");
    };
    assert_eq!((last.offset, last.header("number")), (499, Some("499")));
    assert_eq!(
        (last.key.as_slice(), last.payload.as_slice()),
        (&b"key 499"[..], &b"fact 499"[..])
    );
}

#[tokio::test]
async fn a_record_for_a_topic_that_is_not_there_fails() {
    let broker = tokio::task::spawn_blocking(Kafka::shared)
        .await
        .expect("a broker starts");
    let settings = Settings::new(broker.bootstrap()).with_prefix(fresh_name("writing-"));
    let producer = Producer::open(&settings, Some(Duration::from_secs(5)))
        .await
        .expect("a producer");
    let topic = settings.topic(topics::LOG);
    let record = NewRecord {
        topic: &topic,
        partition: 0,
        key: b"key",
        payload: b"fact",
        headers: &[],
    };
    let written = match producer.send(record) {
        Ok(sending) => sending.await,
        Err(error) => Err(error),
    };
    let error = written.expect_err("nobody has made it");
    assert!(
        matches!(error, Error::UnknownTopic { .. } | Error::Failed { .. }),
        "{error:?}"
    );
}
