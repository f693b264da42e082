//! The log on a real Kafka: the promises of every backend, and what is its own: leaders, and brokers that die.

mod brokers;
mod leaders;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_log::{KafkaConfig, Log};
use spool_services::{Kafka, fresh_name};

use crate::suite::keep_all;

/// Far more than anything here takes on a machine that works.
const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: u16 = 4;

#[test]
fn the_log_on_kafka_keeps_all_promises() {
    let topics = Topics::on(Kafka::shared());
    keep_all(&move |dir| topics.leading(dir));
}

#[test]
fn the_log_on_kafka_keeps_all_promises_without_memory_and_with_many_places_to_begin() {
    let topics = Topics::on(Kafka::shared());
    keep_all(&move |dir| {
        let config = KafkaConfig {
            memory_bytes: 0,
            index_every: 3,
            ..topics.config(dir, "node")
        };
        lead_all(Log::kafka(config).expect("the log opens"))
    });
}

#[test]
fn a_lost_or_foreign_index_changes_nothing() {
    let topics = Topics::on(Kafka::shared());
    let dir = tempfile::tempdir().expect("a directory for the test");
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let log = topics.leading(&one);
    for n in 0..50 {
        let payload = crate::suite::payload(n);
        log.append(1, n, vec![payload]).wait().expect("an append");
    }
    let written = crate::suite::read(&log, 1, 0);
    log.close();
    let index = one.join("kafka-0001.index");
    assert!(index.exists(), "an index was kept");
    let read_again = || {
        let log = Log::kafka(topics.config(&one, "node")).expect("the log opens");
        crate::suite::read(&log, 1, 0)
    };
    assert_eq!(read_again(), written);
    std::fs::remove_file(&index).expect("the index is there");
    assert_eq!(read_again(), written);
    // That of another topic.
    let log = topics.leading(&other);
    for n in 0..5 {
        let payload = crate::suite::payload(n + 100);
        log.append(1, n, vec![payload]).wait().expect("an append");
    }
    log.close();
    std::fs::copy(other.join("kafka-0001.index"), &index).expect("the index is copied");
    assert_eq!(read_again(), written);
}

#[test]
fn a_log_that_cannot_be_opened_says_why() {
    let topics = Topics::on(Kafka::shared());
    let dir = tempfile::tempdir().expect("a directory for the test");
    let mut config = topics.config(dir.path(), "node");
    config.partitions = 7;
    check_refused(config.clone(), "it has 4 partitions, but 7 were asked for");
    config.topic = "no.such.topic".into();
    check_refused(config, "no.such.topic");
    let nobody = Settings::new("127.0.0.1:1");
    check_refused(KafkaConfig::new(nobody, dir.path(), "node", ""), "127.0.0.1:1");
}

#[track_caller]
fn check_refused(config: KafkaConfig, expected: &str) {
    let refused = Log::kafka(config)
        .err()
        .expect("this must be refused")
        .to_string();
    assert!(refused.contains(expected), "{refused:?} should say {expected:?}");
    assert!(!refused.contains('\n'), "{refused:?} should be one line");
}

/// A topic for each directory.
pub struct Topics {
    bootstrap: String,
    replicas: u16,
    prefixes: Mutex<HashMap<PathBuf, String>>,
}

impl Topics {
    pub fn on(kafka: &Kafka) -> Self {
        let bootstrap = kafka.bootstrap().to_owned();
        Self {
            replicas: if bootstrap.contains(',') { 3 } else { 1 },
            bootstrap,
            prefixes: Mutex::default(),
        }
    }

    pub fn config(&self, dir: &Path, node: &str) -> KafkaConfig {
        let mut prefixes = self.prefixes.lock().expect("nothing panics while it holds this");
        let prefix = prefixes.entry(dir.to_owned()).or_insert_with(|| {
            let prefix = fresh_name("log") + ".";
            make(&self.bootstrap, &prefix, self.replicas);
            prefix
        });
        config(&self.bootstrap, prefix, dir, node)
    }

    /// A log that leads every partition.
    pub fn leading(&self, dir: &Path) -> Log {
        lead_all(Log::kafka(self.config(dir, "node")).expect("the log opens"))
    }
}

pub fn config(bootstrap: &str, prefix: &str, dir: &Path, node: &str) -> KafkaConfig {
    let settings = Settings::new(bootstrap).with_prefix(prefix);
    KafkaConfig {
        partitions: PARTITIONS,
        ..KafkaConfig::new(settings, dir, node, format!("http://{node}"))
    }
}

fn make(bootstrap: &str, prefix: &str, replicas: u16) {
    let settings = Settings::new(bootstrap).with_prefix(prefix);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let made = runtime.block_on(async {
        let connection = Connection::open(&settings, PATIENCE).await?;
        ensure(&connection, &[TopicSpec::log(PARTITIONS, replicas)]).await
    });
    made.expect("the topic is made");
}

pub fn lead_all(log: Log) -> Log {
    for partition in 0..PARTITIONS {
        log.claim(partition);
    }
    for partition in 0..PARTITIONS {
        wait_until("the partition is led", || log.leads(partition));
    }
    log
}

#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
