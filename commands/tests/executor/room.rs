//! A full disk: the answer says so, nothing of what was refused stays, and it goes on when there is room.

use crate::dice::{Dice, seeds};
use crate::given::{ask, create, describe, fresh, video};
use crate::world::{SNAPSHOTS_FORMAT, World};
use spool_commands::CommandError;
use spool_domain::videos::Video;
use spool_log::{Config, Operation};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A disk of the log's that can be full.
#[derive(Clone, Default)]
pub struct Disk {
    full: Arc<AtomicBool>,
    refusals: Arc<AtomicU64>,
}

impl Disk {
    pub fn inject(&self, config: Config) -> Config {
        let disk = self.clone();
        let inject = move |operation| match operation {
            Operation::Write if disk.full.load(Ordering::SeqCst) => {
                disk.refusals.fetch_add(1, Ordering::SeqCst);
                Err(ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        };
        Config {
            inject: Some(Arc::new(inject)),
            // Only batches are refused, no marks in between.
            mark_after: std::time::Duration::from_secs(3_600),
            ..config
        }
    }

    pub fn fill(&self) {
        self.full.store(true, Ordering::SeqCst);
    }

    /// How often it had no room for a batch.
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::SeqCst)
    }

    pub fn empty(&self) {
        self.full.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_commands_are_refused_and_forgotten() {
    let disk = Disk::default();
    let mut world = World::configured(|config| disk.inject(config));
    let stream = video(1).stream();
    world
        .commands
        .give(stream, create(1), fresh())
        .await
        .expect("accepted");
    disk.fill();
    for n in 0..5 {
        let refused = world
            .commands
            .give(stream, describe("b"), ask(n, "aa"))
            .await
            .expect_err("full");
        assert!(matches!(refused, CommandError::Full), "{refused}");
        // What is there can be read, and answered from.
        let (_, version) = world.commands.state::<Video>(stream).await.expect("readable");
        assert_eq!(version, 2);
        let quiet = world
            .commands
            .give(stream, create(1), fresh())
            .await
            .expect("nothing to write");
        assert_eq!(quiet.version, 2);
    }
    disk.empty();
    let accepted = world
        .commands
        .give(stream, describe("b"), ask(0, "aa"))
        .await
        .expect("there is room");
    assert_eq!((accepted.version, accepted.repeated), (3, false));
    world.restart().await;
    assert_eq!(world.state_is_the_refold().await.facts.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_disk_that_is_full_now_and_then_loses_and_doubles_nothing() {
    for seed in seeds(3) {
        let disk = Disk::default();
        let mut world = World::configured(|config| disk.inject(config));
        let accepted = Arc::new(Mutex::new(BTreeMap::new()));
        let tasks = (0..32).map(|task| {
            let (commands, accepted) = (world.commands.clone(), Arc::clone(&accepted));
            tokio::spawn(async move {
                let mut dice = Dice::new(seed ^ (task << 32));
                for n in 0..60 {
                    let stream = video(dice.below(6)).stream();
                    let (key, title) = (task * 1_000 + n, format!("{task}/{n}"));
                    let _ = commands.give(stream, create(0), fresh()).await;
                    // Asked until there is an answer, always the same.
                    while let Err(error) = commands.give(stream, describe(&title), ask(key, "aa")).await {
                        // Never "try again": who meets another's failure is decided anew.
                        let expected = matches!(error, CommandError::Full | CommandError::Refused(_));
                        assert!(expected, "{error}");
                        if matches!(error, CommandError::Refused(_)) {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                    let given = commands.give(stream, describe(&title), ask(key, "aa")).await;
                    if let Ok((given, position)) = given.map(|given| (given.version, given.position)) {
                        accepted
                            .lock()
                            .expect("no panic")
                            .insert(key, (title, given, position));
                    }
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut dice = Dice::new(seed);
        while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
            disk.fill();
            tokio::time::sleep(std::time::Duration::from_micros(dice.below(3_000))).await;
            // Of commits that come to nothing no snapshot may know.
            let commands = world.commands.clone();
            let snapshots = tokio::task::spawn_blocking(move || commands.write_snapshots());
            disk.empty();
            tokio::time::sleep(std::time::Duration::from_micros(dice.below(6_000))).await;
            snapshots.await.expect("no panic").expect("the tables have room");
        }
        for task in tasks {
            task.await.expect("no task panics");
        }
        world.state_is_the_refold().await;
        world.write_snapshots().await;
        world.restart().await;
        let view = world.tables.view("snapshots", SNAPSHOTS_FORMAT).expect("opens");
        let heads = (0..4).map(|partition| world.log.head(partition));
        let kept = (0..4).map(|partition| view.checkpoint(partition));
        assert!(kept.eq(heads), "the snapshots were of commits that are not there");
        let history = world.state_is_the_refold().await;
        for (key, (title, version, position)) in accepted.lock().expect("no panic").iter() {
            let Some(position) = position else { continue };
            let fact = history
                .facts
                .iter()
                .find(|fact| fact.command == ask(*key, "").command);
            let fact = fact.unwrap_or_else(|| panic!("{title} was accepted and is not there"));
            assert_eq!(
                ((fact.partition, fact.offset), fact.version),
                (*position, *version)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_disk_fills_up_and_gets_room_again() {
    let Some(small) = SmallDisk::mount("6m") else {
        println!("NOT RUN: a tmpfs cannot be mounted here (needs root)");
        return;
    };
    let small_segments = |config| Config {
        segment_bytes: 256 << 10,
        memory_bytes: 0,
        ..config
    };
    let mut world = World::at(small.path().to_owned(), None, small_segments);
    let ballast = small.path().join("ballast");
    std::fs::write(&ballast, vec![1; 2 << 20]).expect("there is room for that");
    let long = "x".repeat(200);
    let mut accepted = 0;
    let refused = loop {
        let stream = video(accepted % 50).stream();
        let _ = world.commands.give(stream, create(accepted % 50), fresh()).await;
        match world
            .commands
            .give(stream, describe(&format!("{accepted:06}{}", &long[6..])), fresh())
            .await
        {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CommandError::Full), "{refused}");
    assert!(accepted > 100, "{accepted}");
    let there = world.state_is_the_refold().await.facts.len();
    // Snapshots may find room or not; the log is what counts.
    let commands = world.commands.clone();
    let _ = tokio::task::spawn_blocking(move || commands.write_snapshots()).await;
    std::fs::remove_file(&ballast).expect("making room");
    world
        .commands
        .give(video(1).stream(), describe("room"), fresh())
        .await
        .expect("there is room");
    world.write_snapshots().await;
    world.restart().await;
    world
        .commands
        .give(video(1).stream(), describe("still"), fresh())
        .await
        .expect("there is room");
    assert_eq!(world.state_is_the_refold().await.facts.len(), there + 2);
    world.log.clone().close();
    drop(world);
}

/// A tmpfs of a fixed size, unmounted when it is dropped.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &options, "spool-commands-test"])
            .arg(dir.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the last handles may still be closing.
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).output();
    }
}
