//! Three nodes on a real Kafka share the partitions out among themselves, and go on when one of them goes.

use crate::world::until;
use bytes::Bytes;
use spool_commands::placement::{Placement, ROLE};
use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_log::{AppendError, KafkaConfig, Log};
use spool_platform::members::{Member, Members, first_choice};
use spool_platform::signals::Signals;
use spool_services::{Kafka, fresh_name};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PARTITIONS: u16 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

struct Node {
    name: &'static str,
    log: Log,
    stop: CancellationToken,
    placing: JoinHandle<()>,
    _dir: TempDir,
}

async fn cluster() -> Settings {
    let bootstrap = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap().to_owned())
        .await
        .expect("a broker starts");
    let settings = Settings::new(bootstrap).with_prefix(fresh_name("placed") + ".");
    let connection = Connection::open(&settings, PATIENCE)
        .await
        .expect("the broker answers");
    let specs = [TopicSpec::log(PARTITIONS, 1), TopicSpec::signals(1)];
    ensure(&connection, &specs).await.expect("the topics are made");
    settings
}

async fn node(settings: &Settings, name: &'static str) -> Node {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let url = format!("http://{name}");
    let config = KafkaConfig {
        partitions: PARTITIONS,
        ..KafkaConfig::new(settings.clone(), dir.path(), name, &url)
    };
    let log = tokio::task::spawn_blocking(|| Log::kafka(config))
        .await
        .expect("opening does not panic")
        .expect("the log opens");
    let signals = Signals::over_kafka(settings).await.expect("the topic is there");
    let me = Member::new(name, url, vec![ROLE.to_owned()]);
    let placement = Placement::new(log.clone(), Members::join(signals, me));
    let stop = CancellationToken::new();
    Node {
        name,
        log,
        placing: tokio::spawn(placement.run(stop.clone())),
        stop,
        _dir: dir,
    }
}

impl Node {
    /// As far as a process can be killed in a process: it says nothing more, and the log's last claims are its own.
    async fn kill(self) {
        self.placing.abort();
        let log = self.log;
        tokio::task::spawn_blocking(move || log.close())
            .await
            .expect("closing does not panic");
    }

    async fn stop(self) {
        self.stop.cancel();
        self.placing.await.expect("it does not panic");
        let log = self.log;
        tokio::task::spawn_blocking(move || log.close())
            .await
            .expect("closing does not panic");
    }
}

/// Waits until each of the nodes leads what it should, and nothing else. Returns who leads each partition, and its term.
async fn come_to_rest(nodes: &[&Node]) -> Vec<(String, u64)> {
    let should = |partition: u16| {
        let names = nodes.iter().map(|node| node.name);
        first_choice(names, &format!("partition {partition}"))
    };
    until("all is led where it should be", async || {
        (0..PARTITIONS).all(|partition| {
            nodes
                .iter()
                .all(|node| node.log.leads(partition) == (should(partition) == Some(node.name)))
        })
    })
    .await;
    let mut leaders = Vec::new();
    for partition in 0..PARTITIONS {
        let leader = nodes.iter().find(|node| node.log.leads(partition));
        let log = &leader.expect("one leads").log;
        until("its commits are accepted", async || {
            let appended = log
                .append(
                    partition,
                    log.head(partition),
                    vec![Bytes::from_static(b"a fact")],
                )
                .await;
            !matches!(
                appended,
                Err(AppendError::NotOwner | AppendError::Conflict { .. })
            )
        })
        .await;
        let owner = log.owner(partition).expect("it was claimed");
        leaders.push((owner.node, owner.term));
    }
    leaders
}

fn check_only_moved(before: &[(String, u64)], after: &[(String, u64)], from: &str, to: &str) {
    let is_moved = |(before, after): &(&(String, u64), &(String, u64))| before != after;
    let mut moved = 0;
    for (before, after) in before.iter().zip(after).filter(is_moved) {
        assert!(from.is_empty() || before.0 == from, "{before:?} became {after:?}");
        assert!(to.is_empty() || after.0 == to, "{before:?} became {after:?}");
        moved += 1;
    }
    assert!(moved > 0, "nothing has moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn partitions_are_shared_out_and_only_those_of_a_node_that_goes_or_comes_move() {
    let settings = cluster().await;
    let alone = node(&settings, "a").await;
    let all_its = come_to_rest(&[&alone]).await;
    let (a, b, c) = (alone, node(&settings, "b").await, node(&settings, "c").await);
    let shared_out = come_to_rest(&[&a, &b, &c]).await;
    check_only_moved(&all_its, &shared_out, "a", "");
    for node in ["a", "b", "c"] {
        assert!(shared_out.iter().any(|(leader, _)| leader == node));
    }

    c.kill().await;
    let without_c = come_to_rest(&[&a, &b]).await;
    check_only_moved(&shared_out, &without_c, "c", "");

    let c = node(&settings, "c").await;
    let with_c = come_to_rest(&[&a, &b, &c]).await;
    check_only_moved(&without_c, &with_c, "", "c");

    b.stop().await;
    let without_b = come_to_rest(&[&a, &c]).await;
    check_only_moved(&with_c, &without_b, "b", "");
    a.stop().await;
    c.stop().await;
}
