//! Signed addresses, used by a plain HTTP client as a browser would.
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG,
    ORIGIN, RANGE,
};
use reqwest::{Client, Method, StatusCode};
use spool_blobs::{BlobError, Blobs, Cors, Durability, Part, Settings, Shown, Signed};

use crate::s3::{fresh_bucket, open, shared};

const A_MINUTE: Duration = Duration::from_secs(60);

async fn bucket() -> Blobs {
    open(fresh_bucket(shared().await)).await
}

async fn stored(blobs: &Blobs, key: &str, text: &'static str) {
    blobs
        .put(key, Bytes::from(text), Durability::Durable)
        .await
        .expect("stored");
}

async fn send(signed: &Signed, body: impl Into<reqwest::Body>) -> reqwest::Response {
    let headers = signed.headers.iter();
    headers
        .fold(Client::new().put(&signed.url), |request, (name, value)| {
            request.header(name, value)
        })
        .body(body)
        .send()
        .await
        .expect("an answer")
}

async fn status(url: &str) -> StatusCode {
    Client::new().get(url).send().await.expect("an answer").status()
}

#[tokio::test]
async fn a_signed_address_reads_an_object_whole_and_in_parts_and_says_what_it_is() {
    let blobs = bucket().await;
    stored(&blobs, "films/a.mp4", "hello world").await;
    let direct = blobs.direct().expect("a bucket has addresses");
    let shown = Shown {
        content_type: Some("video/x-test".to_owned()),
        content_disposition: Some("attachment; filename=\"film.mp4\"".to_owned()),
    };
    let url = direct
        .get_url("films/a.mp4", A_MINUTE, shown)
        .await
        .expect("signed");
    let answer = Client::new().get(&url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[CONTENT_TYPE], "video/x-test");
    assert_eq!(
        answer.headers()[CONTENT_DISPOSITION],
        "attachment; filename=\"film.mp4\""
    );
    assert_eq!(answer.text().await.expect("a body"), "hello world");
    let part = Client::new().get(&url).header(RANGE, "bytes=6-10").send().await;
    let part = part.expect("an answer");
    assert_eq!(part.status(), 206);
    assert_eq!(part.text().await.expect("a body"), "world");
    let as_stored = direct
        .get_url("films/a.mp4", A_MINUTE, Shown::default())
        .await
        .expect("signed");
    let answer = Client::new().get(&as_stored).send().await.expect("an answer");
    assert_eq!(answer.headers()[CONTENT_TYPE], "video/mp4");
}

#[tokio::test]
async fn an_address_is_good_for_that_object_that_method_and_that_time_only() {
    let blobs = bucket().await;
    stored(&blobs, "a", "one").await;
    stored(&blobs, "b", "another").await;
    let direct = blobs.direct().expect("a bucket has addresses");
    let url = direct
        .get_url("a", A_MINUTE, Shown::default())
        .await
        .expect("signed");
    assert_eq!(status(&url).await, 200);
    let other_object = url.replacen("/a?", "/b?", 1);
    let longer = url.replacen("X-Amz-Expires=60", "X-Amz-Expires=3600", 1);
    let unsigned = url.split('?').next().expect("an address").to_owned();
    for tampered in [other_object, longer, unsigned] {
        assert_ne!(tampered, url);
        assert_eq!(status(&tampered).await, 403, "{tampered}");
    }
    let written = Client::new()
        .put(&url)
        .body("two")
        .send()
        .await
        .expect("an answer");
    assert_eq!(written.status(), 403);
    assert_eq!(blobs.read("a", None).await.expect("readable"), "one");

    let short = direct
        .get_url("a", Duration::from_secs(1), Shown::default())
        .await
        .expect("signed");
    let deadline = Instant::now() + Duration::from_secs(60);
    while status(&short).await != 403 {
        assert!(Instant::now() < deadline, "it never expires");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_signed_address_takes_an_object_of_the_size_that_was_agreed() {
    let blobs = bucket().await;
    let direct = blobs.direct().expect("a bucket has addresses");
    let signed = direct
        .put_url("uploads/a.mp4", A_MINUTE, Some(5))
        .await
        .expect("signed");
    assert_eq!(send(&signed, "longer than five").await.status(), 403);
    assert!(matches!(
        blobs.head("uploads/a.mp4").await,
        Err(BlobError::NotFound { .. })
    ));
    assert_eq!(send(&signed, "hello").await.status(), 200);
    assert_eq!(
        blobs.read("uploads/a.mp4", None).await.expect("readable"),
        "hello"
    );
    let any = direct.put_url("uploads/b", A_MINUTE, None).await.expect("signed");
    assert_eq!(send(&any, "hello world").await.status(), 200);
    assert_eq!(blobs.head("uploads/b").await.expect("there").size, 11);
}

#[tokio::test]
async fn an_upload_in_parts_is_resumed_by_whoever_knows_it_and_appears_when_completed() {
    const PART: usize = 5 << 20;
    let blobs = bucket().await;
    let key = "uploads/film.mp4";
    let direct = blobs.direct().expect("a bucket has addresses");
    let upload = direct.begin(key).await.expect("begun");
    let first = direct.part_url(&upload, 1, A_MINUTE).await.expect("signed");
    assert_eq!(send(&first, vec![1; PART]).await.status(), 200);
    assert!(matches!(blobs.head(key).await, Err(BlobError::NotFound { .. })));

    // Somebody else, later, with nothing but what was remembered of the upload.
    let direct = blobs.clone().direct().expect("a bucket has addresses");
    let parts = direct.parts(&upload).await.expect("listable");
    assert_eq!((parts.len(), parts[0].number, parts[0].size), (1, 1, PART as u64));
    let last = direct.part_url(&upload, 2, A_MINUTE).await.expect("signed");
    let answer = send(&last, vec![2; 1_000]).await;
    let etag = answer.headers()[ETAG].to_str().expect("text").to_owned();
    let parts = [
        parts[0].clone(),
        Part {
            number: 2,
            etag,
            size: 1_000,
        },
    ];
    let head = direct.complete(&upload, &parts).await.expect("completed");
    assert_eq!(head.size, PART as u64 + 1_000);
    let end = blobs.read(key, Some(PART as u64 - 1..u64::MAX)).await;
    assert_eq!(end.expect("readable"), [&[1][..], &[2; 1_000]].concat());
    direct
        .complete(&upload, &parts)
        .await
        .expect("it is known to be done");

    let given_up = direct.begin("uploads/given-up").await.expect("begun");
    let first = direct.part_url(&given_up, 1, A_MINUTE).await.expect("signed");
    direct.abort(&given_up).await.expect("aborted");
    assert_eq!(send(&first, vec![1; 10]).await.status(), 404);
}

#[tokio::test]
async fn pages_of_the_given_origins_may_use_addresses_and_others_may_not() {
    let blobs = bucket().await;
    stored(&blobs, "a", "one").await;
    let origins = ["https://spool.example".to_owned()];
    let done = blobs.ensure_cors(&origins).await.expect("asked");
    if done == Cors::NotSupported {
        println!("NOT RUN: this server (MinIO is one) has no CORS rules for a bucket");
        return;
    }
    assert_eq!(done, Cors::Set);
    assert_eq!(blobs.ensure_cors(&origins).await.expect("asked"), Cors::Unchanged);
    let direct = blobs.direct().expect("a bucket has addresses");
    let url = direct
        .get_url("a", A_MINUTE, Shown::default())
        .await
        .expect("signed");
    let preflight = async |origin: &str| {
        let asked = Client::new()
            .request(Method::OPTIONS, &url)
            .header(ORIGIN, origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type");
        asked.send().await.expect("an answer")
    };
    let ours = preflight("https://spool.example").await;
    assert_eq!(ours.status(), 200);
    assert_eq!(
        ours.headers()[ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://spool.example"
    );
    let foreign = preflight("https://evil.example").await;
    assert_eq!(foreign.status(), 403);
    assert!(!foreign.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    let asked = Client::new().get(&url).header(ORIGIN, "https://spool.example");
    let read = asked.send().await.expect("an answer");
    assert_eq!(
        read.headers()[ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://spool.example"
    );
    let exposed = read.headers()[ACCESS_CONTROL_EXPOSE_HEADERS].to_str();
    assert!(exposed.expect("text").contains("ETag"));
}

#[tokio::test]
async fn the_disk_has_no_addresses_of_its_own_and_says_so() {
    let dir = tempfile::tempdir().expect("the temporary folder can be written");
    let blobs = Blobs::open(Settings {
        dir: dir.path().to_owned(),
        min_free_bytes: 0,
    })
    .expect("opens");
    let refused = blobs.direct().expect_err("it has none");
    assert!(matches!(refused, BlobError::Unsupported(_)), "{refused}");
    assert_eq!(blobs.ensure_cors(&[]).await.expect("asked"), Cors::OfTheGateway);
    assert_eq!(blobs.public_url("a"), None);
}
