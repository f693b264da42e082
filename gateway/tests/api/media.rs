//! Playback: playlists that grow, segments, ranges, pictures, originals, and signed addresses.

use crate::jobs::LEASE;
use crate::shown::redacted;
use crate::world::{World, check};
use serde_json::{Value, json};
use spool_blobs::Durability;
use spool_domain::jobs::{Command, Fact};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_platform::config::BlobsBackend;

const SEGMENT: &[u8] = b"moof and mdat of a segment";

fn film() -> Film {
    Film {
        duration_ms: 12_000,
        width: 1280,
        height: 720,
        frames_per_second: 25.0,
        video_codec: "h264".to_owned(),
        audio_codec: None,
        bits_per_second: Some(800_000),
    }
}

fn rendition() -> Rendition {
    Rendition {
        name: "360p".to_owned(),
        kind: RenditionKind::Video,
        codecs: "avc1.64001e".to_owned(),
        width: 640,
        height: 360,
        frames_per_second: 25.0,
        provisional: false,
    }
}

impl World {
    /// A video of which two segments and a picture are published.
    pub async fn playable(&self, owner: &crate::world::Person, visibility: &str) -> Value {
        let video = self.video(owner, "One", visibility).await;
        let id = video["id"].as_str().expect("an id").to_owned();
        let job = self.job_of(&id).await;
        let folder = format!("renditions/{id}/{job}/1");
        for name in ["360p/init.mp4", "360p/0.m4s", "360p/1.m4s", "thumbnail.jpg"] {
            let put = self
                .blobs
                .put(&format!("{folder}/{name}"), SEGMENT.into(), Durability::Lazy)
                .await;
            put.expect("there is room");
        }
        let segment = Segment {
            duration_ms: 4_000,
            bytes: SEGMENT.len() as u32,
        };
        self.claim(&video).await;
        let facts = vec![
            Fact::Probed(film()),
            Fact::RenditionStarted(rendition()),
            Fact::SegmentsPublished {
                rendition: "360p".to_owned(),
                from: 0,
                segments: vec![segment; 2],
            },
            Fact::ThumbnailMade {
                blob: format!("{folder}/thumbnail.jpg"),
            },
        ];
        self.work(
            &video,
            Command::Report {
                attempt: 1,
                lease: LEASE,
                facts,
            },
        )
        .await;
        self.get(&format!("/api/videos/{id}"))
            .by(owner)
            .send()
            .await
            .json()
    }
}

fn address(video: &Value, name: &str) -> String {
    video[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {video}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn films_for_everybody_are_fetched_from_the_cdn_and_private_ones_are_not() {
    let world = World::open_with(|config| {
        config.blobs.backend = BlobsBackend::S3;
        config.s3.cdn_url = Some("https://cdn.example.org/films/".to_owned());
    })
    .await;
    let ada = world.person("ada").await;
    for (visibility, is_elsewhere) in [("public", true), ("private", false)] {
        let video = world.playable(&ada, visibility).await;
        let thumbnail = video["thumbnail_url"].as_str().expect("there is one");
        assert_eq!(
            thumbnail.starts_with("https://cdn.example.org/films/renditions/"),
            is_elsewhere,
            "{thumbnail}"
        );
        let id = video["id"].as_str().expect("an id");
        let playlist = world
            .get(&format!("/api/storage/videos/{id}/hls/360p/index.m3u8"))
            .by(&ada)
            .send()
            .await;
        check(&playlist, 200);
        let text = playlist.text();
        let folder = format!("https://cdn.example.org/films/renditions/{id}/");
        for file in ["/1/360p/init.mp4", "/1/360p/0.m4s", "/1/360p/1.m4s"] {
            let is_named = text
                .lines()
                .any(|line| line.contains(&folder) && line.trim_end_matches('"').ends_with(file));
            assert_eq!(is_named, is_elsewhere, "{file} in {text}");
        }
    }
    let page = world.get("/").send().await;
    let policy = page.header("content-security-policy");
    for what in ["img-src", "media-src", "connect-src"] {
        let allowed = format!("{what} 'self' https://cdn.example.org ");
        assert!(policy.contains(&allowed), "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_is_played_while_it_is_still_being_made() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.playable(&ada, "public").await;
    insta::assert_json_snapshot!("video_playable", redacted(video.clone()));
    let hls_url = address(&video, "hls_url");
    let master = world.get(&hls_url).send().await;
    check(&master, 200);
    assert_eq!(master.header("content-type"), "application/vnd.apple.mpegurl");
    assert_eq!(master.header("cache-control"), "no-cache");
    insta::assert_snapshot!("master_playlist", master.text());
    let folder = hls_url.trim_end_matches("master.m3u8");
    let media = world.get(&format!("{folder}360p/index.m3u8")).send().await;
    check(&media, 200);
    insta::assert_snapshot!("media_playlist", media.text());
    let init = world.get(&format!("{folder}360p/init-1.mp4")).send().await;
    check(&init, 200);
    assert_eq!(init.header("content-type"), "video/mp4");
    let segment = world.get(&format!("{folder}360p/1.m4s")).send().await;
    check(&segment, 200);
    assert_eq!(segment.body, SEGMENT);
    assert_eq!(segment.header("content-type"), "video/iso.segment");
    assert_eq!(
        segment.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    check(&world.get(&format!("{folder}360p/2.m4s")).send().await, 404);
    check(&world.get(&format!("{folder}720p/index.m3u8")).send().await, 404);
    let etag = media.header("etag").to_owned();
    check(
        &world
            .get(&format!("{folder}360p/index.m3u8"))
            .header("if-none-match", &etag)
            .send()
            .await,
        304,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_files_are_sent_as_asked() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.playable(&ada, "public").await;
    let path = address(&video, "hls_url").replace("master.m3u8", "360p/0.m4s");
    let whole = SEGMENT.len();
    let range = |range: &str| world.get(&path).header("range", range).send();
    let part = range("bytes=5-7").await;
    check(&part, 206);
    assert_eq!(
        (part.header("content-range"), &part.body[..]),
        (&*format!("bytes 5-7/{whole}"), &SEGMENT[5..8])
    );
    let end = range("bytes=-4").await;
    assert_eq!(&end.body[..], &SEGMENT[whole - 4..]);
    let beyond = range("bytes=1000-").await;
    check(&beyond, 416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{whole}"));
    check(&range("lines=1-2").await, 200);
    let other = world
        .get(&path)
        .header("range", "bytes=0-3")
        .header("if-range", "\"other\"")
        .send()
        .await;
    check(&other, 200);
    let head = crate::requests::Asking::new(&world.router, "HEAD", &path)
        .send()
        .await;
    check(&head, 200);
    assert_eq!(
        (head.header("content-length"), head.body.len()),
        (&*whole.to_string(), 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_video_plays_by_its_signed_address_until_that_expires() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.playable(&ada, "private").await;
    let hls_url = address(&video, "hls_url");
    let (path, query) = hls_url.split_once('?').expect("it is signed");
    let master = world.get(&hls_url).send().await;
    check(&master, 200);
    assert_eq!(master.header("cache-control"), "private, no-cache");
    assert!(
        master.text().contains(&format!("360p/index.m3u8?{query}")),
        "{}",
        master.text()
    );
    let folder = path.trim_end_matches("master.m3u8");
    for name in ["360p/index.m3u8", "360p/init-1.mp4", "360p/0.m4s"] {
        let signed = world.get(&format!("{folder}{name}?{query}")).send().await;
        check(&signed, 200);
        assert!(signed.header("cache-control").starts_with("private"));
        check(&world.get(&format!("{folder}{name}")).send().await, 404);
        check(&world.get(&format!("{folder}{name}")).by(&ada).send().await, 200);
    }
    check(&world.get(&address(&video, "thumbnail_url")).send().await, 200);
    // A signature for the playlists is none for the original.
    let original = path.replace("hls/master.m3u8", "original");
    check(&world.get(&format!("{original}?{query}")).send().await, 404);
    world.clock.advance(8 * 3_600_000);
    check(&world.get(&hls_url).send().await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_adds_to_an_address_does_not_get_into_playlists() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.playable(&ada, "public").await;
    let odd = format!(
        "{}?x=%0A%23EXT&signature=a%22b&expires=1",
        address(&video, "hls_url")
    );
    let master = world.get(&odd).send().await;
    // An expired signature on a public film is no reason to refuse it.
    check(&master, 200);
    assert!(
        !master.text().contains('%') && !master.text().contains("x="),
        "{}",
        master.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_is_for_its_owner() {
    let world = World::open().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let video = world.video(&ada, "One", "public").await;
    let path = format!(
        "/api/storage/videos/{}/original",
        video["id"].as_str().expect("an id")
    );
    let own = world.get(&path).by(&ada).send().await;
    check(&own, 200);
    assert_eq!(own.header("content-type"), "video/mp4");
    assert_eq!(own.header("x-content-type-options"), "nosniff");
    assert_eq!(
        own.header("content-disposition"),
        "attachment; filename=\"a_film.mp4\"; filename*=UTF-8''a%20film.mp4"
    );
    assert_eq!(own.body.len(), 2_000);
    check(&world.get(&path).by(&eve).send().await, 403);
    check(&world.get(&path).send().await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_plays_before_there_is_something() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    assert_eq!(video["hls_url"], json!(null));
    let folder = format!("/api/storage/videos/{}", video["id"].as_str().expect("an id"));
    check(&world.get(&format!("{folder}/hls/master.m3u8")).send().await, 404);
    check(&world.get(&format!("{folder}/thumbnail")).send().await, 404);
}
