//! Large objects: in parts, in little memory, and gone when they are given up.
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use spool_blobs::{BlobError, Blobs, Durability, etag_of};

use crate::s3::{fresh_bucket, open, shared};

const CHUNK: usize = 64 << 10;

/// Bytes that are different everywhere.
fn chunk(number: u32) -> Bytes {
    let mut seed = number.wrapping_mul(2_654_435_761).wrapping_add(1);
    Bytes::from_iter((0..CHUNK).map(|_| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed.to_le_bytes()[0]
    }))
}

/// Resident bytes of this process at their highest, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1_024
}

async fn unfinished(blobs: &Blobs) -> usize {
    let direct = blobs.direct().expect("a bucket has addresses");
    direct.unfinished().await.expect("listable").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_comes_through_in_parts() {
    const CHUNKS: u32 = 40 * 16;
    let blobs = open(fresh_bucket(shared().await)).await;
    let mut writer = blobs
        .put_stream("large", Durability::Durable)
        .await
        .expect("begun");
    let mut expected = Vec::new();
    for number in 0..CHUNKS {
        let chunk = chunk(number);
        expected.extend_from_slice(&chunk);
        writer.write(chunk).await.expect("written");
    }
    let stored = writer.finish().await.expect("stored");
    assert_eq!(stored.size, expected.len() as u64);
    assert_eq!(&stored.sha256[..], digest(&SHA256, &expected).as_ref());
    let part_boundary = 8 << 20;
    let across = part_boundary - 10..part_boundary + 10;
    let read = blobs
        .read("large", Some(across.start as u64..across.end as u64))
        .await;
    assert_eq!(read.expect("readable"), expected[across]);
    assert!(blobs.read("large", None).await.expect("readable") == expected);
    let file = blobs.open_file("large").await.expect("there").into_file().await;
    let mut from_file = Vec::new();
    std::io::Read::read_to_end(&mut file.expect("fetched"), &mut from_file).expect("readable");
    assert!(from_file == expected);
    assert_eq!(unfinished(&blobs).await, 0);

    let before = blobs.head("large").await.expect("there").etag;
    blobs
        .put("large", Bytes::from(expected.clone()), Durability::Durable)
        .await
        .expect("stored in one");
    assert_eq!(
        blobs.head("large").await.expect("there").etag,
        before,
        "the same content in the same parts"
    );
    assert_ne!(before, etag_of(&stored.sha256), "it is the store's own");
}

/// Other tests run beside this one, so it measures in a process of its own.
#[test]
fn writing_and_reading_a_large_object_takes_little_memory() {
    const ALONE: &str = "SPOOL_TEST_ALONE";
    const NAME: &str = "large::writing_and_reading_a_large_object_takes_little_memory";
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    if std::env::var_os(ALONE).is_some() {
        return runtime.block_on(two_hundred_mib());
    }
    let program = std::env::current_exe().expect("this program");
    let done = std::process::Command::new(program)
        .args([NAME, "--exact", "--nocapture"])
        .env(ALONE, "yes")
        .env("SPOOL_TEST_S3", spool_services::S3::shared().endpoint())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&done.stdout);
    let complained = String::from_utf8_lossy(&done.stderr);
    let is_done = done.status.success() && said.contains("1 passed");
    assert!(is_done, "{said}{complained}");
}

async fn two_hundred_mib() {
    let blobs = open(fresh_bucket(shared().await)).await;
    blobs
        .put("small", Bytes::from("x"), Durability::Durable)
        .await
        .expect("stored");
    let before = peak_mib();
    let mut writer = blobs
        .put_stream("large", Durability::Durable)
        .await
        .expect("begun");
    for number in 0..200 * 16 {
        writer.write(chunk(number)).await.expect("written");
    }
    let stored = writer.finish().await.expect("stored");
    let mut reader = blobs.read_stream("large", None).await.expect("readable");
    let mut read = 0;
    while let Some(chunk) = reader.next().await {
        read += chunk.expect("readable").len() as u64;
    }
    assert_eq!(read, stored.size);
    let grown = peak_mib() - before;
    println!("200 MiB through {grown} MiB");
    assert!(grown < 64, "200 MiB took {grown} MiB of memory");
}

#[tokio::test]
async fn what_is_given_up_leaves_neither_object_nor_parts() {
    let blobs = open(fresh_bucket(shared().await)).await;
    for abort in [true, false] {
        let mut writer = blobs
            .put_stream("large", Durability::Durable)
            .await
            .expect("begun");
        for number in 0..20 * 16 {
            writer.write(chunk(number)).await.expect("written");
        }
        assert_eq!(unfinished(&blobs).await, 1);
        if abort {
            writer.abort().await;
            assert_eq!(unfinished(&blobs).await, 0);
            continue;
        }
        drop(writer);
        let deadline = Instant::now() + Duration::from_secs(60);
        while unfinished(&blobs).await > 0 {
            assert!(Instant::now() < deadline, "it is never taken away");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(matches!(
        blobs.head("large").await,
        Err(BlobError::NotFound { .. })
    ));
}
