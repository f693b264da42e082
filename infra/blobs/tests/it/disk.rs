//! What only the local disk promises: left-overs, full disks, and writers that meet.
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use futures_util::TryStreamExt;

use spool_blobs::{BlobError, Blobs, Durability, Settings};

use crate::contract::{self, Store};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary folder can be written")
}

fn open(dir: &Path) -> Blobs {
    Blobs::open(Settings {
        dir: dir.to_owned(),
        min_free_bytes: 0,
    })
    .expect("opens")
}

fn temporaries(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("temporary"))
        .expect("the folder is there")
        .count()
}

#[tokio::test]
async fn the_local_disk_passes_the_contract() {
    let dir = folder();
    contract::run(&open(dir.path()), Store::Disk).await;
}

#[tokio::test]
async fn left_overs_of_a_dead_process_are_swept_and_nothing_else() {
    let dir = folder();
    let blobs = open(dir.path());
    blobs
        .put("a/b", Bytes::from("kept"), Durability::Durable)
        .await
        .expect("stored");
    drop(blobs);
    std::fs::write(dir.path().join("temporary/left"), "half").expect("writable");
    std::fs::create_dir_all(dir.path().join("temporary/doomed/deep")).expect("writable");
    let blobs = open(dir.path());
    assert_eq!(temporaries(dir.path()), 0);
    let mut writer = blobs.put_stream("a/c", Durability::Lazy).await.expect("begun");
    writer.write(Bytes::from("x")).await.expect("written");
    let second = open(dir.path());
    assert_eq!(
        temporaries(dir.path()),
        1,
        "a second handle leaves the files of the first alone"
    );
    writer.finish().await.expect("stored");
    assert_eq!(second.read("a/b", None).await.expect("readable"), "kept");
}

#[tokio::test]
async fn an_aborted_or_dropped_writer_leaves_nothing() {
    let dir = folder();
    let blobs = open(dir.path());
    let mut writer = blobs.put_stream("a", Durability::Durable).await.expect("begun");
    writer
        .write(Bytes::from(vec![0; 5 << 20]))
        .await
        .expect("written");
    assert_eq!(temporaries(dir.path()), 1);
    writer.abort().await;
    assert_eq!(temporaries(dir.path()), 0);
    let writer = blobs.put_stream("a", Durability::Durable).await.expect("begun");
    drop(writer);
    assert_eq!(temporaries(dir.path()), 0);
}

#[tokio::test]
async fn a_stream_gives_the_whole_object() {
    let dir = folder();
    let blobs = open(dir.path());
    let bytes = Bytes::from_iter((0..1_000_000_u32).map(|number| (number % 251) as u8));
    blobs
        .put("a", bytes.clone(), Durability::Lazy)
        .await
        .expect("stored");
    let stream = blobs
        .read_stream("a", None)
        .await
        .expect("readable")
        .into_stream();
    let chunks: Vec<Bytes> = stream.try_collect().await.expect("readable");
    assert!(chunks.len() > 2);
    assert_eq!(chunks.concat(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_and_deleters_of_one_folder_do_not_disturb_each_other() {
    let dir = folder();
    let blobs = open(dir.path());
    let tasks = (0..8).map(|task| {
        let blobs = blobs.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let key = format!("deep/er/folder/{task}");
                blobs
                    .put(&key, Bytes::from("x"), Durability::Lazy)
                    .await
                    .expect("stored");
                blobs.delete(&key).await.expect("deleted");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    assert!(blobs.list("", None, 10).await.expect("listable").is_empty());
    assert_eq!(
        std::fs::read_dir(dir.path().join("objects"))
            .expect("listable")
            .count(),
        0
    );
}

#[tokio::test]
async fn an_object_that_was_cut_behind_our_back_is_an_error_and_not_short() {
    let dir = folder();
    let blobs = open(dir.path());
    blobs
        .put("a", Bytes::from(vec![1; 100_000]), Durability::Lazy)
        .await
        .expect("stored");
    let mut reader = blobs.read_stream("a", None).await.expect("readable");
    let file = std::fs::File::options()
        .write(true)
        .open(dir.path().join("objects/a"))
        .expect("there");
    file.set_len(10).expect("cut");
    assert!(reader.next().await.expect("an answer").is_err());
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn too_little_room_is_refused_before_writing() {
    let dir = folder();
    let blobs = Blobs::open(Settings {
        dir: dir.path().to_owned(),
        min_free_bytes: u64::MAX,
    })
    .expect("opens");
    assert!(matches!(
        blobs.put_stream("a", Durability::Lazy).await,
        Err(BlobError::Full)
    ));
    assert_eq!(temporaries(dir.path()), 0);
}

/// A tmpfs of its own, or `None` where this process may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = folder();
        let options = format!("size={size}");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir.path())
            .output();
        done.is_ok_and(|done| done.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the files of the test may still be open. A mount left over is seen by whoever runs the tests.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_the_object_whole_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("4m") else {
        println!("NOT RUN: a full disk needs the right to mount a tmpfs");
        return;
    };
    let blobs = open(disk.0.path());
    blobs
        .put("kept", Bytes::from(vec![1; 1 << 20]), Durability::Durable)
        .await
        .expect("stored");
    for abort_early in [false, true] {
        let mut writer = blobs
            .put_stream("too/large", Durability::Durable)
            .await
            .expect("begun");
        let refused = loop {
            if let Err(refused) = writer.write(Bytes::from(vec![2; 1 << 20])).await {
                break refused;
            }
            assert!(
                writer.written() < 20 << 20,
                "nobody noticed that the disk is full"
            );
        };
        assert!(matches!(refused, BlobError::Full), "{refused:?}");
        if !abort_early {
            assert!(writer.finish().await.is_err());
        }
        assert_eq!(temporaries(disk.0.path()), 0);
    }
    assert!(matches!(
        blobs
            .put("large", Bytes::from(vec![3; 5 << 20]), Durability::Lazy)
            .await,
        Err(BlobError::Full)
    ));
    assert_eq!(
        blobs.read("kept", None).await.expect("readable"),
        vec![1; 1 << 20]
    );
    blobs.delete("kept").await.expect("deleted");
    blobs
        .put("large", Bytes::from(vec![3; 3 << 20]), Durability::Durable)
        .await
        .expect("there is room again");
}
