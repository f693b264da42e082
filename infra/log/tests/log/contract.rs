//! Every backend keeps the same promises.

use std::time::Duration;

use spool_log::{Config, Log};

use crate::suite::{keep_all, payload, scanned};

#[test]
fn the_embedded_log_keeps_all_promises() {
    keep_all(&|dir| {
        Log::open(Config {
            partitions: 4,
            ..Config::new(dir)
        })
        .expect("the log opens")
    });
}

#[test]
fn the_embedded_log_keeps_all_promises_with_tiny_segments_and_no_memory() {
    keep_all(&|dir| {
        let tiny = Config {
            partitions: 4,
            segment_bytes: 16 << 10,
            memory_bytes: 0,
            mark_after: Duration::from_millis(1),
            ..Config::new(dir)
        };
        Log::open(tiny).expect("the log opens")
    });
}

#[test]
fn a_scan_of_the_embedded_log_keeps_the_order_of_writing_across_partitions() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let log = Log::open(Config {
        partitions: 4,
        ..Config::new(dir.path())
    })
    .expect("the log opens");
    let wanted: Vec<_> = (0..200)
        .map(|n| (u16::try_from(n % 4).expect("less than 4"), n / 4, payload(n)))
        .collect();
    for (partition, offset, payload) in &wanted {
        log.append(*partition, *offset, vec![payload.clone()])
            .wait()
            .expect("an append");
    }
    assert_eq!(scanned(&log, &[0; 4]), wanted);
}
