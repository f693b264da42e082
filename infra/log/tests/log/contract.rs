//! Every backend keeps the same promises.

use std::time::Duration;

use spool_log::{Config, Log};

use crate::suite::keep_all;

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
