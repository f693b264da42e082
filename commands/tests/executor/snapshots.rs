//! Snapshots are disposable: lost, damaged, of another format or of another log, the state is the same.

use crate::given::{ask, claim, create, describe, fresh, job, request, video};
use crate::world::{SNAPSHOTS_FORMAT, World};
use rusqlite::Connection;
use spool_domain::videos::Video;
use std::path::{Path, PathBuf};

fn file(dir: &Path) -> PathBuf {
    dir.join(format!("tables/snapshots/v{SNAPSHOTS_FORMAT}.db"))
}

/// Changes what is stored behind everybody's back.
fn meddle(dir: &Path, sql: &str) {
    let connection = Connection::open(file(dir)).expect("the file is there");
    let changed = connection.execute(sql, []).expect("the statement is right");
    assert!(changed > 0, "{sql} changed nothing");
}

/// Ten videos with jobs in a snapshot, two of the jobs with timers, and a tail.
async fn with_snapshot() -> World {
    let world = World::new();
    for number in 0..10 {
        world
            .commands
            .give(video(number).stream(), create(number), ask(number, "aa"))
            .await
            .expect("accepted");
        world
            .commands
            .give(job(number).stream(), request(number), fresh())
            .await
            .expect("accepted");
    }
    for number in 0..2 {
        world
            .commands
            .give(job(number).stream(), claim("worker"), fresh())
            .await
            .expect("accepted");
    }
    world.write_snapshots().await;
    for number in 0..5 {
        world
            .commands
            .give(video(number).stream(), describe("tail"), fresh())
            .await
            .expect("accepted");
    }
    world
}

async fn check_all_is_known(world: &mut World) {
    let history = world.state_is_the_refold().await;
    assert_eq!(history.facts.len(), 27);
    for number in 0..10 {
        let again = world
            .commands
            .give(video(number).stream(), create(number), ask(number, "aa"))
            .await;
        assert!(again.expect("known").repeated);
        let title = format!("more {number}");
        world
            .commands
            .give(video(number).stream(), describe(&title), fresh())
            .await
            .expect("accepted");
    }
    world.run_timers();
    world.clock.advance(3_600_000);
    crate::world::until("both leases have ended", async || world.commits() == 39).await;
    world.stop_running().await;
    world.state_is_the_refold().await;
}

async fn check(meanwhile: impl FnOnce(&Path)) {
    let mut world = with_snapshot().await;
    world.restart_after(meanwhile).await;
    check_all_is_known(&mut world).await;
    // And the next snapshots are good again.
    world.write_snapshots().await;
    world.restart().await;
    world.state_is_the_refold().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_snapshots_are_used() {
    check(|_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_snapshots_do_not_matter() {
    check(|dir| std::fs::remove_dir_all(dir.join("tables")).expect("there are some")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_does_not_matter() {
    check(|dir| std::fs::write(file(dir), "rubbish".repeat(5_000)).expect("writable")).await;
    check(|dir| std::fs::write(file(dir), "").expect("writable")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_rows_do_not_matter() {
    for table in ["streams", "timers", "commands", "origins", "tips"] {
        let sql = format!("UPDATE {table} SET value = x'00'");
        if table == "origins" {
            // No process manager was at work.
            continue;
        }
        check(|dir| meddle(dir, &sql)).await;
    }
    check(|dir| meddle(dir, "UPDATE timers SET sk = 'nothing-' || sk")).await;
    check(|dir| meddle(dir, "DELETE FROM tips")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_found_unreadable_later_are_read_from_the_log() {
    let mut world = with_snapshot().await;
    // With no tail to read, nobody looks at the rows before they are asked for.
    world.write_snapshots().await;
    world
        .restart_after(|dir| meddle(dir, "UPDATE streams SET value = x'00'"))
        .await;
    check_all_is_known(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_rows_do_not_matter_when_the_tail_needs_them() {
    check(|dir| meddle(dir, "DELETE FROM streams")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_format_is_dropped() {
    let mut world = with_snapshot().await;
    world
        .restart_after(|dir| std::fs::rename(file(dir), file(dir).with_file_name("v7.db")).expect("renamed"))
        .await;
    assert_eq!(
        world.tables.versions("snapshots").expect("listable"),
        [SNAPSHOTS_FORMAT]
    );
    check_all_is_known(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_of_another_log_are_dropped() {
    for commits in [3, 60] {
        let mut world = with_snapshot().await;
        world
            .restart_after(|dir| {
                std::fs::remove_dir_all(dir.join("log")).expect("there is a log");
                std::fs::rename(dir.join("tables"), dir.join("aside")).expect("renamed");
            })
            .await;
        // The new log is shorter than the snapshots' in one case, longer in the other.
        for number in 0..commits {
            world
                .commands
                .give(video(number).stream(), create(number), fresh())
                .await
                .expect("accepted");
        }
        world
            .restart_after(|dir| {
                std::fs::remove_dir_all(dir.join("tables")).expect("there are tables");
                std::fs::rename(dir.join("aside"), dir.join("tables")).expect("renamed");
            })
            .await;
        assert_eq!(world.state_is_the_refold().await.facts.len() as u64, commits);
        let (state, _) = world
            .commands
            .state::<Video>(video(99).stream())
            .await
            .expect("readable");
        assert_eq!(state, Video::Nothing);
    }
}

/// More streams than are kept in memory, in one partition.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn idle_streams_come_back_from_their_snapshots() {
    const STREAMS: u64 = 12_000;
    let mut world = World::configured(|config| spool_log::Config {
        partitions: 1,
        ..config
    });
    for round in 0..2 {
        let tasks = (0..64).map(|task| {
            let commands = world.commands.clone();
            tokio::spawn(async move {
                for number in (task..STREAMS).step_by(64) {
                    let stream = video(number).stream();
                    let (command, version) = match round {
                        0 => (create(number), 2),
                        _ => (describe(&format!("round {round}")), 2 + round),
                    };
                    let given = commands.give(stream, command, fresh()).await.expect("accepted");
                    assert_eq!(given.version, version);
                    if number % 1_500 == 0 {
                        let commands = commands.clone();
                        let written = tokio::task::spawn_blocking(move || commands.write_snapshots());
                        written.await.expect("no panic").expect("there is room");
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no task panics");
        }
        world.state_is_the_refold().await;
        world.restart().await;
    }
    world.state_is_the_refold().await;
    // A replay that is longer than what is kept in memory writes snapshots on its way.
    world.restart_without_snapshots().await;
    let view = world.tables.view("snapshots", SNAPSHOTS_FORMAT).expect("opens");
    assert_eq!(view.checkpoint(0), 20_000);
    world.state_is_the_refold().await;
}
