//! Brokers die under load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use spool_log::{AppendError, Log};
use spool_services::{Brokers, Kafka};

use super::{PARTITIONS, PATIENCE, Topics, wait_until};
use crate::suite::read;

#[test]
fn a_broker_that_is_killed_under_load_loses_and_doubles_nothing() {
    let mut kafka = Kafka::start(Brokers::One).expect("a broker starts");
    survive(&mut kafka, 1);
}

#[test]
fn a_leading_broker_of_three_that_is_killed_under_load_loses_and_doubles_nothing() {
    let mut kafka = Kafka::start(Brokers::Three).expect("three brokers start");
    // Partitions lie on all of them, so this one leads some.
    survive(&mut kafka, 2);
}

fn survive(kafka: &mut Kafka, broker: u32) {
    let topics = Topics::on(kafka);
    let dir = tempfile::tempdir().expect("a directory for the test");
    let log = topics.leading(dir.path());
    let done = AtomicBool::new(false);
    let acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                scope.spawn({
                    let (log, done) = (&log, &done);
                    move || write(log, partition, done)
                })
            })
            .collect();
        let grown = |by: u64| {
            let before: Vec<u64> = (0..PARTITIONS).map(|partition| log.head(partition)).collect();
            wait_until("every partition grows", || {
                (0..PARTITIONS)
                    .zip(&before)
                    .all(|(partition, before)| log.head(partition) > before + by)
            });
        };
        grown(100);
        kafka.kill(broker).expect("the broker dies");
        std::thread::sleep(Duration::from_millis(500));
        kafka.restart(broker).expect("the broker comes back");
        grown(100);
        done.store(true, Ordering::Release);
        writers
            .into_iter()
            .map(|writer| writer.join().expect("the writer ends"))
            .collect()
    });
    // Somebody who reads everything from its beginning sees the same.
    let other = tempfile::tempdir().expect("a directory for the test");
    let mut config = topics.config(dir.path(), "reader");
    config.dir = other.path().to_owned();
    let reader = Log::kafka(config).expect("the log opens");
    for (partition, acknowledged) in (0..PARTITIONS).zip(acknowledged) {
        let wanted: Vec<_> = (0..acknowledged)
            .map(|n| (n, Bytes::from(n.to_string())))
            .collect();
        assert_eq!(read(&reader, partition, 0), wanted);
        assert_eq!(read(&log, partition, 0), wanted);
    }
    assert!(reader.verify().is_sound());
}

/// Appends its own number at each offset, eight at a time, and looks after every error what became of them, as an
/// executor does. Returns how many are there.
fn write(log: &Log, partition: u16, done: &AtomicBool) -> u64 {
    let mut next = 0;
    while !done.load(Ordering::Acquire) {
        let appending: Vec<_> = (next..next + 8)
            .map(|offset| log.append(partition, offset, vec![Bytes::from(offset.to_string())]))
            .collect();
        let mut failed = false;
        for appending in appending {
            match appending.wait() {
                Ok(offset) => {
                    assert!(!failed, "{offset} was accepted after one before it was not");
                    assert_eq!(offset, next);
                    next += 1;
                }
                Err(AppendError::Conflict { .. } | AppendError::Unknown) => failed = true,
                Err(error) => panic!("{error}"),
            }
        }
        if failed {
            next = settle(log, partition);
        }
    }
    settle(log, partition)
}

/// Where the partition ends, once that is certain.
fn settle(log: &Log, partition: u16) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let head = log.head(partition);
        match log.append(partition, head, vec![]).wait() {
            Ok(head) => return head,
            Err(error) => assert!(Instant::now() < deadline, "no barrier went through: {error}"),
        }
    }
}
