//! Uploads: from the form to the store, the log and the catalogue.

use crate::forms::{film, form, upload_form};
use crate::place::is_on_servers;
use crate::shown::{redacted, written};
use crate::world::{World, check};
use axum::body::Body;
use futures_util::stream;

const UPLOAD: &str = "/api/storage/upload/video";

#[tokio::test(flavor = "multi_thread")]
async fn a_film_becomes_a_video_with_a_job_and_all_of_it_is_in_the_log() {
    let world = World::open_with(|config| config.log.partitions = 1).await;
    let ada = world.person("ada").await;
    let file = film(300_000);
    let parts = [
        ("file", Some("sintel trailer.mp4"), &file[..]),
        ("title", None, b" Sintel "),
        ("unknown", None, b"ignored"),
        ("description", None, b"A film\nof two lines"),
        ("visibility", None, b"unlisted"),
    ];
    let answer = world.post(UPLOAD).by(&ada).form(form(&parts)).send().await;
    check(&answer, 201);
    let video = answer.json()["video"].clone();
    let id = video["id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), format!("/api/videos/{id}"));
    world.job_of(id).await;
    let token = answer.header("consistency-token");
    let read = world
        .get(&format!("/api/videos/{id}"))
        .header("consistency-token", token)
        .send()
        .await;
    check(&read, 200);
    insta::assert_json_snapshot!("uploaded", redacted(read.json()));
    let stored = world.stored();
    assert_eq!(stored.len(), 1, "{stored:?}");
    insta::assert_json_snapshot!("log_of_an_upload", written(&world.log));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_repeated_with_its_key_is_one_video_and_one_file() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let upload = |title: &str, bytes: usize| {
        world
            .post(UPLOAD)
            .by(&ada)
            .header("idempotency-key", "u-1")
            .form(upload_form(title, "a.mp4", &film(bytes)))
            .send()
    };
    let (first, again) = (upload("One", 5_000).await, upload("One", 5_000).await);
    check(&first, 201);
    check(&again, 201);
    assert_eq!(first.json()["video"]["id"], again.json()["video"]["id"]);
    assert_eq!(world.stored().len(), 1);
    let before = world.stored();
    for other in [upload("Two", 5_000).await, upload("One", 6_000).await] {
        check(&other, 422);
    }
    assert_eq!(world.stored(), before, "the first film is still the one");
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_and_strangers_may_not_upload() {
    let world = World::open_with(|config| config.auth.default_role = "viewer".to_owned()).await;
    let viewer = world.person("ada").await;
    let refused = world
        .post(UPLOAD)
        .by(&viewer)
        .form(upload_form("One", "a.mp4", &film(500)))
        .send()
        .await;
    check(&refused, 403);
    let refused = world
        .post(UPLOAD)
        .form(upload_form("One", "a.mp4", &film(500)))
        .send()
        .await;
    check(&refused, 401);
    assert!(world.stored().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_too_much_is_refused_before_anything_is_read() {
    let world = World::open_with(|config| config.uploads.max_bytes = 10_000).await;
    let ada = world.person("ada").await;
    // A body that never comes: the answer must not wait for it.
    let never = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let (content_type, _) = upload_form("One", "a.mp4", b"");
    let asked = world.post(UPLOAD).by(&ada).header("content-type", &content_type);
    let refused = asked
        .header("content-length", "5368709120")
        .body(never)
        .send()
        .await;
    check(&refused, 413);
    assert!(world.stored().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_grows_too_large_on_the_way_leaves_nothing() {
    let world = World::open_with(|config| config.uploads.max_bytes = 10_000).await;
    let ada = world.person("ada").await;
    let (content_type, body) = upload_form("One", "a.mp4", &film(40_000));
    let pieces: Vec<_> = body
        .chunks(1_000)
        .map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)))
        .collect();
    let asked = world.post(UPLOAD).by(&ada).header("content-type", &content_type);
    let refused = asked.body(Body::from_stream(stream::iter(pieces))).send().await;
    check(&refused, 413);
    assert!(world.stored().is_empty(), "{:?}", world.stored());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_in_the_middle_leaves_nothing() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let (content_type, body) = upload_form("One", "a.mp4", &film(40_000));
    for end in [10, 200, 20_000, body.len() - 30] {
        let whole = bytes::Bytes::copy_from_slice(&body[..end]);
        for breaks in [
            vec![Ok(whole.clone())],
            vec![Ok(whole), Err(std::io::Error::other("reset by peer"))],
        ] {
            let asked = world.post(UPLOAD).by(&ada).header("content-type", &content_type);
            let refused = asked.body(Body::from_stream(stream::iter(breaks))).send().await;
            check(&refused, 400);
        }
    }
    assert!(world.stored().is_empty(), "{:?}", world.stored());
    assert_eq!(world.commits_about_films(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_uploads_are_refused_for_now() {
    if is_on_servers() {
        println!("NOT RUN: nobody knows how much room a bucket has");
        return;
    }
    let world = World::open_with(|config| config.uploads.min_free_bytes = 1 << 60).await;
    let ada = world.person("ada").await;
    let refused = world
        .post(UPLOAD)
        .by(&ada)
        .form(upload_form("One", "a.mp4", &film(500)))
        .send()
        .await;
    check(&refused, 503);
    assert_eq!(refused.header("retry-after"), "60");
    assert_eq!(refused.json()["type"], "urn:spool:problem:no-room");
    assert!(world.stored().is_empty());
}
