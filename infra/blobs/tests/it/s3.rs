//! The S3 server that the tests share, and what only a bucket does.
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt;
use spool_blobs::{Access, BlobError, Blobs, Durability, S3Settings};
use spool_services::{S3, fresh_name};

use crate::contract::{self, Store};

pub fn keys_of(s3: &S3) -> Access {
    Access::keys(s3.access_key(), s3.secret_key())
}

/// A bucket that nobody used before, made when it is opened.
pub fn fresh_bucket(s3: &S3) -> S3Settings {
    S3Settings {
        region: s3.region().to_owned(),
        create_bucket: true,
        ..S3Settings::new(s3.endpoint(), &fresh_name("blobs"), keys_of(s3))
    }
}

/// Starts the shared server off the runtime if nobody did yet.
pub async fn shared() -> &'static S3 {
    tokio::task::spawn_blocking(S3::shared)
        .await
        .expect("the server starts")
}

/// Asks the server what the handle does not tell.
pub fn client(s3: &S3) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(s3.endpoint())
        .region(Region::new(s3.region().to_owned()))
        .force_path_style(true)
        .credentials_provider(Credentials::new(
            s3.access_key(),
            s3.secret_key(),
            None,
            None,
            "test",
        ));
    aws_sdk_s3::Client::from_conf(config.build())
}

pub async fn open(settings: S3Settings) -> Blobs {
    Blobs::s3(settings).await.expect("the bucket can be used")
}

#[tokio::test]
async fn a_bucket_passes_the_contract() {
    let blobs = open(fresh_bucket(shared().await)).await;
    contract::run(&blobs, Store::S3).await;
}

#[tokio::test]
async fn two_prefixes_of_a_bucket_pass_the_contract_and_do_not_see_each_other() {
    let settings = fresh_bucket(shared().await);
    let first = open(S3Settings {
        prefix: "first".to_owned(),
        ..settings.clone()
    })
    .await;
    let second = open(S3Settings {
        prefix: "second/half/".to_owned(),
        ..settings.clone()
    })
    .await;
    contract::run(&first, Store::S3).await;
    assert!(second.list("", None, 10).await.expect("listable").is_empty());
    contract::run(&second, Store::S3).await;
    let whole = open(settings).await;
    let all = whole.list("second/", None, 1_000).await.expect("listable");
    assert_eq!(
        all.len(),
        second.list("", None, 1_000).await.expect("listable").len()
    );
    assert!(all[0].key.starts_with("second/half/contract/"));
}

#[tokio::test]
async fn the_server_has_checked_what_arrived_and_keeps_the_checksums() {
    let s3 = shared().await;
    let settings = fresh_bucket(s3);
    let blobs = open(settings.clone()).await;
    let small = blobs
        .put("small", Bytes::from("hello"), Durability::Durable)
        .await;
    let small = small.expect("stored");
    let large = Bytes::from(vec![5; 9 << 20]);
    blobs
        .put("large", large, Durability::Durable)
        .await
        .expect("stored");
    let ask = async |key: &str| {
        let asked = client(s3).head_object().bucket(&settings.bucket).key(key);
        asked
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .expect("there")
    };
    let sha256 = STANDARD.encode(small.sha256);
    assert_eq!(ask("small").await.checksum_sha256(), Some(sha256.as_str()));
    let of_parts = ask("large").await.checksum_crc32_c().map(str::to_owned);
    assert!(of_parts.is_some_and(|checksum| checksum.ends_with("-2")));
}

#[tokio::test]
async fn more_objects_than_a_page_are_listed_and_deleted() {
    const MANY: usize = 1_030;
    let blobs = open(fresh_bucket(shared().await)).await;
    let writes = (0..MANY).map(|number| {
        let blobs = blobs.clone();
        Ok(async move {
            let key = format!("many/{}/{number:05}", number % 3);
            blobs
                .put(&key, Bytes::from("x"), Durability::Lazy)
                .await
                .map(drop)
        })
    });
    futures_util::stream::iter(writes)
        .try_for_each_concurrent(8, |write| write)
        .await
        .expect("written");
    let all = blobs.list("many/", None, 10_000).await.expect("listable");
    assert_eq!(all.len(), MANY);
    assert!(all.is_sorted_by(|first, second| first.key < second.key));
    blobs.delete_prefix("many/1/").await.expect("deleted");
    assert_eq!(
        blobs.list("", None, 10_000).await.expect("listable").len(),
        MANY - MANY / 3
    );
    blobs.delete_prefix("many/").await.expect("deleted");
    assert!(blobs.list("", None, 10).await.expect("listable").is_empty());
}

#[tokio::test]
async fn unfinished_uploads_are_swept_when_they_are_old_and_others_are_left() {
    let blobs = open(fresh_bucket(shared().await)).await;
    let direct = blobs.direct().expect("a bucket has addresses");
    let upload = direct.begin("a/forgotten").await.expect("begun");
    assert_eq!(
        blobs.sweep(Duration::from_secs(24 * 3_600)).await.expect("swept"),
        0
    );
    assert!(direct.parts(&upload).await.expect("it is still there").is_empty());
    assert_eq!(blobs.sweep(Duration::ZERO).await.expect("swept"), 1);
    assert!(matches!(
        direct.parts(&upload).await,
        Err(BlobError::NotFound { .. })
    ));
    direct.abort(&upload).await.expect("aborting again is quiet");
}

#[tokio::test]
async fn the_public_address_is_below_the_cdn() {
    let s3 = shared().await;
    let plain = open(fresh_bucket(s3)).await;
    assert_eq!(plain.public_url("a/b.mp4"), None);
    let behind = open(S3Settings {
        prefix: "spool".to_owned(),
        cdn_url: Some("https://cdn.example.org/films/".to_owned()),
        ..fresh_bucket(s3)
    })
    .await;
    assert_eq!(
        behind.public_url("a/b.mp4").as_deref(),
        Some("https://cdn.example.org/films/spool/a/b.mp4")
    );
}
