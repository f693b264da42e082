//! A server that goes away, and comes back.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spool_services::Cassandra;

use super::{at, commit, settings_for, value};
use crate::{Batch, Tables, TablesError, ViewTables};

const ROWS: u64 = 20;

fn batch(offset: u64) -> Batch {
    let mut batch = Batch::new();
    for row in 0..ROWS {
        batch.put(
            "t",
            &format!("{offset}/{row}"),
            "",
            offset.to_string(),
            at(offset),
        );
    }
    batch
}

/// Commits again and again until the server takes it.
fn commit_at_last(view: &ViewTables, offset: u64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match view.commit(&batch(offset)) {
            Ok(_) => return,
            Err(TablesError::Unavailable { .. }) => assert!(Instant::now() < deadline, "it never came back"),
            Err(error) => panic!("{error}"),
        }
        // Refusals come at once while nobody listens.
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_was_committed_survives_a_killed_server_and_the_handle_goes_on() {
    let mut server = Cassandra::start().expect("it starts");
    let mut settings = settings_for(&server);
    settings.request_timeout = Duration::from_secs(3);
    // The first tables are made by a server that is still warming up.
    let view = Tables::cql(settings.clone())
        .and_then(|tables| tables.view("killed", 1))
        .expect("opens");
    commit_at_last(&view, 0);
    let committed = AtomicU64::new(0);
    let refused = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for offset in 1.. {
                match view.commit(&batch(offset)) {
                    Ok(_) => committed.store(offset, Ordering::Release),
                    Err(error) => return error,
                }
            }
            unreachable!("it ends by an error")
        });
        let deadline = Instant::now() + Duration::from_secs(120);
        while committed.load(Ordering::Acquire) < 30 {
            assert!(
                !writing.is_finished() && Instant::now() < deadline,
                "nothing is committed"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        server.kill().expect("it runs until now");
        writing.join().expect("no panic")
    });
    assert!(matches!(refused, TablesError::Unavailable { .. }), "{refused:?}");
    assert!(matches!(
        view.get("t", "0/0", ""),
        Err(TablesError::Unavailable { .. })
    ));
    server.restart().expect("it starts again");
    let last = committed.load(Ordering::Acquire);
    commit_at_last(&view, last + 1);
    let later = Tables::cql(settings)
        .and_then(|tables| tables.view("killed", 1))
        .expect("opens");
    assert_eq!(later.checkpoint(0), last + 2);
    for offset in 0..=last + 1 {
        for row in 0..ROWS {
            assert_eq!(
                value(&later, &format!("{offset}/{row}")),
                Some(offset.to_string())
            );
        }
    }
    a_server_that_hangs_is_given_up_in_time_and_stalls_no_runtime(&mut server, &view);
}

/// On the same server, because starting one takes long.
fn a_server_that_hangs_is_given_up_in_time_and_stalls_no_runtime(server: &mut Cassandra, view: &ViewTables) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("it starts");
    server.pause().expect("it runs");
    let (asking, other) = runtime.block_on(async {
        let (asked, is_asking) = tokio::sync::oneshot::channel();
        let view = view.clone();
        let asking = tokio::spawn(async move {
            asked.send(()).expect("it is waited for");
            view.get("t", "0/0", "")
        });
        is_asking.await.expect("it asks");
        // The only worker is in the call by now, or hands its tasks to the next one when it gets there.
        let other = tokio::spawn(async {}).await;
        (asking.is_finished(), other)
    });
    other.expect("another task ran");
    assert!(!asking, "while the call was waiting");
    let hanging = view.get("t", "0/0", "");
    assert!(
        matches!(hanging, Err(TablesError::Unavailable { .. })),
        "{hanging:?}"
    );
    server.resume().expect("it is there");
    let deadline = Instant::now() + Duration::from_secs(60);
    while view.get("t", "0/0", "").is_err() {
        assert!(Instant::now() < deadline, "it never answered again");
        std::thread::sleep(Duration::from_millis(100));
    }
    commit(view, |batch| batch.put("t", "after", "", "x", at(100_000)));
}
