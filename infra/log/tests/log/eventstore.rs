//! The log in EventStoreDB: the promises of every backend, and what several nodes and an unreliable server may do to it.
//!
//! The server is a double (`infra/services/eventstore-double`); the promises are kept in a real one when
//! `SPOOL_TEST_EVENTSTORE` has its connection string.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use spool_eventstore_double::Double;
use spool_log::{AppendError, EventStoreConfig, Log, OpenError};
use uuid::Uuid;

use crate::suite::{keep_all, payload, read, scanned};

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_log_in_eventstore_keeps_all_promises() {
    keep_all(&|dir| open_in_server(dir, 16 << 20));
}

#[test]
fn the_log_in_eventstore_keeps_all_promises_without_memory() {
    keep_all(&|dir| open_in_server(dir, 0));
}

#[test]
fn of_two_nodes_that_append_at_the_same_offset_one_gets_a_conflict_and_sees_the_other_commit() {
    let double = Double::start();
    let nodes = [open(&double), open(&double)];
    for offset in 0..50 {
        let appending = [0, 1].map(|node: usize| nodes[node].append(1, offset, vec![payload(node as u64)]));
        let [first, second] = appending.map(|appending| appending.wait());
        let conflict = Err(AppendError::Conflict {
            expected: offset,
            actual: offset + 1,
        });
        let winner = match (first, second) {
            (Ok(at), lost) if at == offset && lost == conflict => 0,
            (lost, Ok(at)) if at == offset && lost == conflict => 1,
            other => panic!("{other:?}"),
        };
        let loser = &nodes[1 - winner];
        assert_eq!(
            loser.head(1),
            offset + 1,
            "who is told of a conflict can read what was there first"
        );
        assert_eq!(read(loser, 1, offset), vec![(offset, payload(winner as u64))]);
    }
}

#[test]
fn commits_of_one_node_become_visible_on_the_others_in_all_partitions() {
    let double = Double::start();
    let writer = open(&double);
    let reader = open(&double);
    for n in 0..200 {
        let partition = u16::try_from(n % 4).expect("less than 4");
        writer
            .append(partition, n / 4, vec![payload(n)])
            .wait()
            .expect("an append");
    }
    for partition in 0..4 {
        wait_for_head(&reader, partition, 50);
    }
    assert_eq!(scanned(&reader, &[0; 4]), scanned(&writer, &[0; 4]));
}

#[test]
fn a_barrier_notices_what_another_node_has_appended() {
    let double = Double::start();
    let (node, other) = (open(&double), open(&double));
    assert!(node.needs_barrier());
    assert_eq!(node.append(0, 0, vec![]).wait(), Ok(0));
    for offset in 0..20 {
        other
            .append(0, offset, vec![payload(offset)])
            .wait()
            .expect("an append");
        let conflict = AppendError::Conflict {
            expected: offset,
            actual: offset + 1,
        };
        assert_eq!(node.append(0, offset, vec![]).wait(), Err(conflict));
        assert_eq!(node.append(0, offset + 1, vec![]).wait(), Ok(offset + 1));
    }
}

#[test]
fn an_append_that_was_made_but_not_answered_is_in_the_log_once() {
    let double = Double::start();
    let log = open(&double);
    for offset in 0..10 {
        double.leave_unanswered(2);
        let commits = vec![payload(2 * offset), payload(2 * offset + 1)];
        assert_eq!(log.append(3, 2 * offset, commits).wait(), Ok(2 * offset));
    }
    let all: Vec<_> = (0..20).map(|n| (n, payload(n))).collect();
    assert_eq!(read(&log, 3, 0), all);
    assert_eq!(read(&open(&double), 3, 0), all);
}

#[test]
fn an_append_that_was_refused_for_a_while_is_tried_again() {
    let double = Double::start();
    let log = open(&double);
    double.refuse(3);
    assert_eq!(log.append(0, 0, vec![payload(0)]).wait(), Ok(0));
    assert_eq!(log.head(0), 1);
}

#[test]
fn everything_goes_on_when_the_server_is_back() {
    let mut double = Double::start();
    let (writer, reader) = (open(&double), open(&double));
    for round in 0..3 {
        double.kill();
        let appending: Vec<_> = (0..10)
            .map(|n| writer.append(2, round * 10 + n, vec![payload(round * 10 + n)]))
            .collect();
        double.restart();
        for (n, appending) in (0..).zip(appending) {
            assert_eq!(appending.wait(), Ok(round * 10 + n));
        }
        wait_for_head(&reader, 2, round * 10 + 10);
    }
    let all: Vec<_> = (0..30).map(|n| (n, payload(n))).collect();
    assert_eq!(read(&reader, 2, 0), all);
}

#[test]
fn the_outcome_of_an_append_is_unknown_when_the_server_stays_away() {
    let mut double = Double::start();
    let log = Log::eventstore(EventStoreConfig {
        patience: Duration::from_millis(300),
        ..config(&double.connection_string(), "away")
    });
    let log = log.expect("the log opens");
    log.append(0, 0, vec![payload(0)]).wait().expect("an append");
    double.kill();
    let unanswered = log.append(0, 1, vec![payload(1)]);
    assert_eq!(unanswered.wait(), Err(AppendError::Unknown));
    assert_eq!(log.append(0, 1, vec![]).wait(), Err(AppendError::Unknown));
    assert_eq!(
        read(&log, 0, 0),
        vec![(0, payload(0))],
        "what is in memory can be read"
    );
    double.restart();
    let again = std::iter::repeat_with(|| log.append(0, 1, vec![payload(1)]).wait());
    let deadline = Instant::now() + PATIENCE;
    let outcome = again
        .take_while(|_| Instant::now() < deadline)
        .find(|outcome| *outcome != Err(AppendError::Unknown));
    assert_eq!(outcome, Some(Ok(1)));
    assert_eq!(read(&log, 0, 0), vec![(0, payload(0)), (1, payload(1))]);
}

#[test]
fn logs_of_other_names_in_the_same_server_stay_apart() {
    let double = Double::start();
    let open =
        |name: &str| Log::eventstore(config(&double.connection_string(), name)).expect("the log opens");
    let (one, other, like_a_partition) = (open("a"), open("b"), open("a-1"));
    for (n, log) in (0..).zip([&one, &other, &like_a_partition]) {
        for offset in 0..10 {
            log.append(1, offset, vec![payload(n)]).wait().expect("an append");
        }
    }
    for (n, log) in (0..).zip([&one, &other, &like_a_partition]) {
        let own: Vec<_> = (0..10).map(|offset| (1, offset, payload(n))).collect();
        assert_eq!(scanned(log, &[0; 4]), own);
    }
}

#[test]
fn another_number_of_partitions_is_refused() {
    let double = Double::start();
    let partitions = |partitions| {
        Log::eventstore(EventStoreConfig {
            partitions,
            ..config(&double.connection_string(), "fixed")
        })
        .map(|log| log.partitions())
    };
    assert!(matches!(partitions(4), Ok(4)));
    let refused = partitions(8).expect_err("8 partitions are not 4");
    assert!(refused.to_string().contains("configure 4"), "{refused}");
}

#[test]
fn a_server_that_cannot_be_reached_is_named_without_the_password() {
    let nobody = EventStoreConfig {
        patience: Duration::from_millis(300),
        ..config("esdb://admin:secret@127.0.0.1:9?tls=false", "nobody")
    };
    let error = Log::eventstore(nobody)
        .map(|_| ())
        .expect_err("nobody listens there");
    assert!(matches!(error, OpenError::Servers { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    let error = Log::eventstore(config("nonsense://admin:secret@x", "nobody"))
        .map(|_| ())
        .expect_err("nobody speaks that");
    assert!(matches!(error, OpenError::Config { .. }), "{error:?}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn the_log_can_be_used_and_dropped_inside_an_async_task() {
    let double = Double::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let log = open(&double);
        assert_eq!(log.append(0, 0, vec![payload(0)]).await, Ok(0));
        assert_eq!(read(&log, 0, 0), vec![(0, payload(0))]);
        drop(log);
        assert_eq!(scanned(&open(&double), &[0; 4]), vec![(0, 0, payload(0))]);
    });
}

#[test]
fn appends_are_combined_up_to_what_the_server_takes() {
    let double = Double::start();
    let log = open(&double);
    let large = Bytes::from(vec![7; 300 << 10]);
    let appending: Vec<_> = (0..20).map(|n| log.append(0, n, vec![large.clone()])).collect();
    for (n, appending) in (0..).zip(appending) {
        assert_eq!(appending.wait(), Ok(n));
    }
    let together = log.append(0, 20, vec![large; 4]).wait();
    assert!(
        matches!(together, Err(AppendError::TooLarge { .. })),
        "{together:?}"
    );
    assert_eq!(log.append(0, 20, vec![]).wait(), Ok(20));
}

fn open_in_server(dir: &Path, memory_bytes: usize) -> Log {
    static DOUBLE: LazyLock<Double> = LazyLock::new(Double::start);
    /// Of this run, since a real server keeps the streams of earlier ones.
    static RUN: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);
    let server = std::env::var("SPOOL_TEST_EVENTSTORE").unwrap_or_else(|_| DOUBLE.connection_string());
    let name = format!("spool-test-{}-{}", *RUN, dir.display());
    Log::eventstore(EventStoreConfig {
        memory_bytes,
        ..config(&server, &name)
    })
    .expect("the log opens")
}

fn open(double: &Double) -> Log {
    Log::eventstore(config(&double.connection_string(), "spool-log")).expect("the log opens")
}

fn config(server: &str, name: &str) -> EventStoreConfig {
    EventStoreConfig {
        name: name.to_owned(),
        partitions: 4,
        ..EventStoreConfig::new(server)
    }
}

fn wait_for_head(log: &Log, partition: u16, head: u64) {
    let deadline = Instant::now() + PATIENCE;
    while log.head(partition) < head {
        assert!(
            Instant::now() < deadline,
            "the head of partition {partition} is still {}, not {head}",
            log.head(partition)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
