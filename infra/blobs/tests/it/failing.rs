//! The server dies, hangs and comes back while objects are written and read; the handle stays the same.
use std::time::Duration;

use bytes::Bytes;
use spool_blobs::{BlobError, BlobWriter, Blobs, Durability};
use spool_services::S3;
use tokio::task::block_in_place;

use crate::s3::{fresh_bucket, open};

const MIB: usize = 1 << 20;
/// Nothing may take longer, however busy the machine is.
const EVER: Duration = Duration::from_secs(120);

async fn start() -> (S3, Blobs) {
    let s3 = block_in_place(|| S3::start().expect("an S3 server starts"));
    let blobs = open(fresh_bucket(&s3)).await;
    (s3, blobs)
}

fn is_away<T>(outcome: &Result<T, BlobError>) -> bool {
    matches!(outcome, Err(BlobError::Unavailable { .. }))
}

async fn write(writer: &mut BlobWriter, mib: usize) -> Result<(), BlobError> {
    for _ in 0..mib {
        writer.write(Bytes::from(vec![7; MIB])).await?;
    }
    Ok(())
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(EVER, work)
        .await
        .expect("it says so before long")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_of_an_upload_is_unavailable_and_nothing_appears() {
    let (mut s3, blobs) = start().await;
    let mut writer = blobs
        .put_stream("a/film", Durability::Durable)
        .await
        .expect("begun");
    write(&mut writer, 20).await.expect("written");
    block_in_place(|| s3.kill()).expect("it was running");
    let refused = within(write(&mut writer, 60)).await;
    assert!(is_away(&refused), "{refused:?}");
    assert!(within(writer.finish()).await.is_err(), "the object is lost");
    assert!(is_away(&within(blobs.head("a/film")).await));
    assert!(is_away(&within(blobs.list("", None, 10)).await));
    assert!(is_away(&within(blobs.delete_prefix("a/")).await));
    assert!(is_away(&within(blobs.ready()).await));
    let small = within(blobs.put("b", Bytes::from("x"), Durability::Durable)).await;
    assert!(is_away(&small), "{small:?}");
    let told = small.expect_err("it is away").to_string();
    assert!(told.contains("writing b") && !told.contains('\n'), "{told}");

    block_in_place(|| s3.restart()).expect("it comes back");
    assert!(matches!(
        blobs.head("a/film").await,
        Err(BlobError::NotFound { .. })
    ));
    let mut writer = blobs
        .put_stream("a/film", Durability::Durable)
        .await
        .expect("begun");
    write(&mut writer, 20).await.expect("written");
    writer.finish().await.expect("stored");
    assert_eq!(blobs.head("a/film").await.expect("there").size, 20 * MIB as u64);
    blobs
        .sweep(Duration::ZERO)
        .await
        .expect("what the first one left is taken away");
    let direct = blobs.direct().expect("a bucket has addresses");
    assert!(direct.unfinished().await.expect("listable").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_fails_clearly_when_the_server_dies_for_good() {
    let (mut s3, blobs) = start().await;
    let mut writer = blobs
        .put_stream("film", Durability::Durable)
        .await
        .expect("begun");
    write(&mut writer, 40).await.expect("written");
    writer.finish().await.expect("stored");
    let mut reader = blobs.read_stream("film", None).await.expect("readable");
    reader.next().await.expect("a chunk").expect("readable");
    block_in_place(|| s3.kill()).expect("it was running");
    let error = within(async {
        loop {
            // What was on its way still comes.
            if let Err(error) = reader.next().await.expect("it is not at its end") {
                break error;
            }
        }
    })
    .await;
    let error = error.downcast::<BlobError>().expect("it is ours");
    assert!(matches!(error, BlobError::Unavailable { .. }), "{error:?}");
    assert!(reader.next().await.is_none());
    block_in_place(|| s3.restart()).expect("it comes back");
    assert_eq!(blobs.read("film", None).await.expect("readable").len(), 40 * MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_where_it_was_when_the_server_comes_back() {
    let (mut s3, blobs) = start().await;
    let bytes = Bytes::from_iter((0..40 * MIB as u32).map(|number| (number % 251) as u8));
    blobs
        .put("film", bytes.clone(), Durability::Durable)
        .await
        .expect("stored");
    let mut reader = blobs.read_stream("film", None).await.expect("readable");
    let mut read = Vec::new();
    read.extend_from_slice(&reader.next().await.expect("a chunk").expect("readable"));
    block_in_place(|| s3.restart()).expect("it comes back");
    while let Some(chunk) = within(reader.next()).await {
        read.extend_from_slice(&chunk.expect("readable"));
    }
    assert!(read == bytes, "{} of {} bytes", read.len(), bytes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_unavailable_until_it_goes_on() {
    let (mut s3, blobs) = start().await;
    blobs
        .put("a", Bytes::from("x"), Durability::Durable)
        .await
        .expect("stored");
    let mut writer = blobs
        .put_stream("film", Durability::Durable)
        .await
        .expect("begun");
    write(&mut writer, 9).await.expect("written");
    block_in_place(|| s3.pause()).expect("it was running");
    let (head, ready, written) =
        within(async { tokio::join!(blobs.head("a"), blobs.ready(), write(&mut writer, 60)) }).await;
    assert!(is_away(&head), "{head:?}");
    assert!(is_away(&ready), "{ready:?}");
    assert!(is_away(&written), "{written:?}");
    block_in_place(|| s3.resume()).expect("it was paused");
    assert_eq!(blobs.read("a", None).await.expect("readable"), "x");
    blobs.ready().await.expect("it answers again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_replaced_while_it_is_read_never_gives_a_mix() {
    let (_s3, blobs) = start().await;
    let of = |byte: u8| Bytes::from(vec![byte; 40 * MIB]);
    blobs
        .put("film", of(1), Durability::Durable)
        .await
        .expect("stored");
    let mut whole = blobs.read_stream("film", None).await.expect("readable");
    let later = blobs.open_file("film").await.expect("there");
    whole.next().await.expect("a chunk").expect("readable");
    blobs
        .put("film", of(2), Durability::Durable)
        .await
        .expect("stored");
    while let Some(chunk) = whole.next().await {
        match chunk {
            Ok(chunk) => assert!(chunk.iter().all(|byte| *byte == 1)),
            Err(error) => {
                let error = error.downcast::<BlobError>().expect("it is ours");
                assert!(matches!(error, BlobError::Changed { .. }), "{error:?}");
            }
        }
    }
    let mut later = later.reader(Some(10..20));
    let error = later
        .next()
        .await
        .expect("an answer")
        .expect_err("it is not there any more");
    let error = error.downcast::<BlobError>().expect("it is ours");
    assert!(matches!(error, BlobError::Changed { .. }), "{error:?}");
}
