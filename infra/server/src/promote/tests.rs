//! Copies that were cut short, targets that hold something else, and somebody else who leads.

use super::log::Compared;
use super::{films, leading, log};
use bytes::Bytes;
use films::Amount;
use spool_blobs::{Blobs, Durability, Settings};
use spool_kafka::Connection;
use spool_kafka::topics::{TopicSpec, ensure};
use spool_log::{Config, KafkaConfig, Log};
use spool_services::{Kafka, fresh_name};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::block_in_place;

const PARTITIONS: u16 = 2;

fn single(dir: &Path) -> Log {
    let config = Config {
        partitions: PARTITIONS,
        ..Config::new(dir)
    };
    Log::open(config).expect("the log opens")
}

fn fill(log: &Log, partition: u16, commits: u64, what: &str) {
    for _ in 0..commits {
        let next = log.head(partition);
        let payload = Bytes::from(format!("{what} {next}"));
        let appending = log.append(partition, next, vec![payload]);
        block_in_place(|| appending.wait()).expect("there is room");
    }
}

/// The topic of a cluster that nobody has started.
struct Topic(spool_kafka::Settings, u16);

impl Topic {
    async fn make(partitions: u16) -> Self {
        let broker = block_in_place(Kafka::shared);
        let settings =
            spool_kafka::Settings::new(broker.bootstrap()).with_prefix(fresh_name("promote") + ".");
        let connection = Connection::open(&settings, Duration::from_secs(20)).await;
        let connection = connection.expect("the broker answers");
        let spec = TopicSpec::log(partitions, 1);
        ensure(&connection, &[spec]).await.expect("the topic is made");
        Self(settings, partitions)
    }

    fn open(&self, dir: &Path, node: &str) -> Log {
        let config = KafkaConfig {
            partitions: self.1,
            ..KafkaConfig::new(self.0.clone(), dir.join(node), node, format!("http://{node}"))
        };
        block_in_place(|| Log::kafka(config)).expect("the log opens")
    }
}

fn compare(from: &Log, to: &Log) -> anyhow::Result<Compared> {
    block_in_place(|| log::compare(from, to, &mut |_| {}))
}

fn copy(from: &Log, to: &Log) -> anyhow::Result<u64> {
    let mut told = 0;
    block_in_place(|| log::copy(from, to, &mut |commits, _| told += commits))?;
    Ok(told)
}

fn commits(log: &Log) -> Vec<(u16, u64, Bytes)> {
    let scan = log
        .scan(&vec![0; usize::from(log.partitions())])
        .expect("readable");
    let commit = |record: Result<spool_log::ScanRecord, _>| {
        let record = record.expect("readable");
        (record.partition, record.offset, record.payload)
    };
    let mut commits: Vec<_> = scan.map(commit).collect();
    commits.sort();
    commits
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_copied_once_however_often_that_was_cut_short() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let from = single(&dir.path().join("single"));
    fill(&from, 0, 40, "fact");
    fill(&from, 1, 3, "fact");
    let topic = Topic::make(PARTITIONS).await;
    let to = topic.open(dir.path(), "promotion");
    let compared = compare(&from, &to).expect("it is empty");
    assert_eq!(
        compared,
        Compared {
            heads: vec![0, 0],
            commits: 43,
            missing: 43,
            own: 0
        }
    );
    leading::lead(&to).await.expect("nobody else does");
    assert_eq!(copy(&from, &to).expect("copied"), 43);
    drop(to);

    // It was cut short there, as far as anybody can tell.
    fill(&from, 0, 25, "later");
    let to = topic.open(dir.path(), "promotion-again");
    assert_eq!(compare(&from, &to).expect("it is the beginning").missing, 25);
    leading::lead(&to).await.expect("nobody else does");
    assert_eq!(copy(&from, &to).expect("copied"), 25);
    assert_eq!(copy(&from, &to).expect("quiet"), 0);
    block_in_place(|| assert_eq!(commits(&to), commits(&from)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_another_log_is_refused() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let from = single(&dir.path().join("single"));
    fill(&from, 1, 5, "fact");
    let topic = Topic::make(PARTITIONS).await;
    let to = topic.open(dir.path(), "promotion");
    leading::lead(&to).await.expect("nobody else does");
    copy(&from, &to).expect("copied");
    let refused = |from: &Log, to: &Log| compare(from, to).expect_err("it is another").to_string();

    let foreign = single(&dir.path().join("foreign"));
    fill(&foreign, 1, 2, "fact");
    fill(&foreign, 1, 7, "other");
    let why = refused(&foreign, &to);
    assert!(
        why.contains("partition 1, offset 2") && why.contains("kafka.topic_prefix"),
        "{why}"
    );

    // The cluster is in use by now. This log is its beginning, until it goes on by itself.
    fill(&to, 0, 1, "of the cluster");
    let compared = compare(&from, &to).expect("this one is its beginning");
    assert_eq!((compared.missing, compared.own), (0, 1));
    fill(&from, 1, 2, "of the single node");
    let why = refused(&from, &to);
    assert!(
        why.contains("has 2 commits that the cluster does not have") && why.contains("the cluster has 1"),
        "{why}"
    );

    let wide = Topic::make(PARTITIONS + 1).await.open(dir.path(), "wide");
    let why = refused(&from, &wide);
    assert!(why.contains("2 partitions and the cluster's has 3"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_started_too_early_ends_the_copy_and_spoils_nothing() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let from = single(&dir.path().join("single"));
    fill(&from, 0, 40, "fact");
    fill(&from, 1, 40, "fact");
    let topic = Topic::make(PARTITIONS).await;
    let (to, node) = (
        topic.open(dir.path(), "promotion"),
        topic.open(dir.path(), "early"),
    );
    leading::lead(&node).await.expect("it is there first");
    leading::lead(&to).await.expect("a leader can be overtaken");
    let mut lost = std::pin::pin!(leading::overtaken(&to));
    let is_over = tokio::time::timeout(Duration::from_millis(50), &mut lost).await;
    assert!(is_over.is_err(), "nobody has overtaken it");

    node.claim(1);
    let why = lost.await.to_string();
    assert!(
        why.contains("node early (http://early) has taken partition 1"),
        "{why}"
    );
    let why = format!("{:#}", copy(&from, &to).expect_err("it is the other's"));
    assert!(
        why.contains("copying partition 1") && why.contains("node early"),
        "{why}"
    );
    assert_eq!(compare(&from, &to).expect("it is the beginning").missing, 40);
    leading::lead(&to).await.expect("it can be had back");
    assert_eq!(copy(&from, &to).expect("copied"), 40);
    block_in_place(|| assert_eq!(commits(&to), commits(&from)));
}

#[tokio::test]
async fn objects_are_copied_once_and_others_of_the_same_name_are_refused() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let open = |name: &str| {
        let settings = Settings {
            dir: dir.path().join(name),
            min_free_bytes: 0,
        };
        Blobs::open(settings).expect("the blobs open")
    };
    let (from, to) = (open("from"), open("to"));
    let put = async |blobs: &Blobs, key: &str, bytes: &'static str| {
        blobs
            .put(key, Bytes::from(bytes), Durability::Durable)
            .await
            .expect("there is room");
    };
    for (key, bytes) in [
        ("originals/a", "one"),
        ("originals/b", "two"),
        ("renditions/1/c", "three"),
    ] {
        put(&from, key, bytes).await;
    }
    // As a copy leaves it that was cut short; and what is not ours.
    put(&to, "originals/a", "one").await;
    put(&to, "a/foreign", "thing").await;
    put(&to, "z", "thing").await;
    let all = Amount {
        objects: 3,
        bytes: 11,
    };
    assert_eq!(films::count(&from).await.expect("countable"), all);
    let told = AtomicU64::new(0);
    let tell = |bytes| {
        told.fetch_add(bytes, Ordering::Relaxed);
    };
    let copied = films::copy(&from, &to, &tell).await.expect("copied");
    let missing = Amount { objects: 2, bytes: 8 };
    assert_eq!((copied, told.load(Ordering::Relaxed)), (missing, 11));
    for (key, bytes) in [("originals/b", "two"), ("renditions/1/c", "three")] {
        assert_eq!(to.read(key, None).await.expect("it is there"), bytes);
    }
    let again = films::copy(&from, &to, &|_| {}).await.expect("quiet");
    assert_eq!(again, Amount::default());

    put(&from, "originals/b", "another").await;
    let refused = films::copy(&from, &to, &|_| {}).await.expect_err("it is another");
    let told = refused.to_string();
    assert!(
        told.contains("another object originals/b (3 bytes, here 7)") && told.contains("s3.prefix"),
        "{told}"
    );
    assert_eq!(to.read("originals/b", None).await.expect("it is there"), "two");
}
