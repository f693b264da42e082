//! What is wrong with a request is said, with a 4xx, and leaves nothing behind.

use crate::forms::{film, form, upload_form};
use crate::requests::{Answer, Asking};
use crate::world::{Person, World, registration};
use serde_json::{Value, json};

/// A problem document of this status, naming the request, and the field if one is to blame.
#[track_caller]
fn check(answer: &Answer, status: u16, pointer: Option<&str>) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["instance"], answer.header("x-request-id"));
    for field in ["type", "title", "detail"] {
        assert!(
            problem[field].as_str().is_some_and(|text| !text.is_empty()),
            "{problem}"
        );
    }
    if let Some(pointer) = pointer {
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

fn with(base: &Value, field: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[field] = value;
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_that_cannot_be() {
    let world = World::open().await;
    let good = registration("ada");
    let cases = [
        (with(&good, "email", json!("not an address")), 422, Some("/email")),
        (with(&good, "email", json!("a@b\u{0}c")), 422, Some("/email")),
        (with(&good, "email", json!(5)), 422, Some("/email")),
        (with(&good, "password", json!("short")), 422, Some("/password")),
        (
            with(&good, "password", json!("x".repeat(10_000))),
            422,
            Some("/password"),
        ),
        (with(&good, "first_name", json!("")), 422, Some("/first_name")),
        (
            with(&good, "last_name", json!("x".repeat(10_000))),
            422,
            Some("/last_name"),
        ),
        (with(&good, "username", json!("<script>")), 422, Some("/username")),
        (with(&good, "username", json!("ab")), 422, Some("/username")),
        (json!({}), 422, None),
        (json!([]), 422, None),
        (json!("text"), 422, None),
    ];
    for (body, status, pointer) in &cases {
        check(
            &world.post("/api/auth/register").json(body).send().await,
            *status,
            *pointer,
        );
    }
    let all = json!({"email": "", "password": "", "first_name": "", "last_name": "", "username": ""});
    let answer = world.post("/api/auth/register").json(&all).send().await;
    check(&answer, 422, Some("/email"));
    assert_eq!(
        answer.json()["errors"].as_array().map(Vec::len),
        Some(5),
        "all of them are said at once"
    );
    assert_eq!(world.commits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read() {
    let world = World::open().await;
    let register = || world.post("/api/auth/register");
    check(
        &register()
            .header("content-type", "application/json")
            .body("{")
            .send()
            .await,
        400,
        None,
    );
    check(
        &register()
            .header("content-type", "application/json")
            .body("")
            .send()
            .await,
        400,
        None,
    );
    check(
        &register()
            .header("content-type", "application/json")
            .body(vec![0xff, 0xfe])
            .send()
            .await,
        400,
        None,
    );
    check(
        &register().body(registration("ada").to_string()).send().await,
        415,
        None,
    );
    check(
        &register()
            .header("content-type", "text/plain")
            .body("{}")
            .send()
            .await,
        415,
        None,
    );
    let huge = format!("{{\"email\":\"{}\"}}", "x".repeat(200_000));
    check(
        &register()
            .header("content-type", "application/json")
            .body(huge)
            .send()
            .await,
        413,
        None,
    );
    let deep = "[".repeat(60_000);
    check(
        &register()
            .header("content-type", "application/json")
            .body(deep)
            .send()
            .await,
        422,
        None,
    );
    let deep = format!("{{\"email\":{}", "[".repeat(60_000));
    check(
        &register()
            .header("content-type", "application/json")
            .body(deep)
            .send()
            .await,
        422,
        Some("/email"),
    );
    let long_key = "k".repeat(300);
    check(
        &register()
            .header("idempotency-key", &long_key)
            .json(&registration("ada"))
            .send()
            .await,
        400,
        None,
    );
    assert_eq!(world.commits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_no_good() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let profile = || world.get("/api/auth/profile");
    check(&profile().send().await, 401, None);
    for header in [
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer a.b.c",
        &format!("Bearer {}x", ada.access_token),
    ] {
        check(&profile().header("authorization", header).send().await, 401, None);
    }
    let long = format!("Bearer {}", "x".repeat(10_000));
    check(&profile().header("authorization", &long).send().await, 401, None);
    // A bad token is said also where none is needed.
    check(
        &world
            .get("/api/videos")
            .header("authorization", "Bearer a.b.c")
            .send()
            .await,
        401,
        None,
    );
    for token in ["", "x", &"x".repeat(91), &ada.access_token] {
        let body = json!({"refresh_token": token});
        check(
            &world.post("/api/auth/refresh-token").json(&body).send().await,
            401,
            None,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_methods_that_are_not_there() {
    let world = World::open().await;
    let id = uuid::Uuid::from_u128(7);
    let nothing = [
        "/api".to_owned(),
        "/api/nothing".to_owned(),
        "/api/videos/7".to_owned(),
        "/api/videos/..%2f..%2fetc".to_owned(),
        "/api/videos/%00".to_owned(),
        format!("/api/videos/{id}"),
        format!("/api/videos/{id}/status"),
        format!("/api/jobs/{id}"),
        format!("/api/processing/videos/{id}/status"),
        format!("/api/storage/videos/{id}/hls/master.m3u8"),
        format!("/api/storage/videos/{id}/hls/360p/0.m4s"),
        format!("/api/storage/videos/{id}/hls/360p/..%2f0.m4s"),
        format!("/api/storage/videos/{id}/thumbnail"),
        format!("/api/storage/videos/{id}/original"),
        "/favicon.ico".to_owned(),
    ];
    for path in &nothing {
        check(&world.get(path).send().await, 404, None);
    }
    let wrong_method = world.put("/api/videos").send().await;
    check(&wrong_method, 405, None);
    assert!(
        wrong_method.header("allow").contains("GET"),
        "{:?}",
        wrong_method.headers
    );
    check(&world.post("/health/live").send().await, 405, None);
    check(&world.post("/somewhere").send().await, 405, None);
    check(&world.get("/ws").send().await, 400, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_make_no_sense() {
    let world = World::open().await;
    for (path, pointer) in [
        ("/api/videos?limit=0", "/limit"),
        ("/api/videos?limit=101", "/limit"),
        ("/api/videos?limit=-1", "/limit"),
        ("/api/videos?limit=ten", "/limit"),
        ("/api/videos?cursor=%00%ff", "/cursor"),
        ("/api/videos?cursor=x", "/cursor"),
        ("/api/videos?owner=somebody", "/owner"),
    ] {
        check(&world.get(path).send().await, 422, Some(pointer));
    }
    let long = format!("/api/videos?cursor={}", "x".repeat(5_000));
    check(&world.get(&long).send().await, 422, Some("/cursor"));
    check(&world.get("/api/videos?owner=me").send().await, 401, None);
    check(
        &world
            .get("/api/videos")
            .header("consistency-token", "yes")
            .send()
            .await,
        400,
        None,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_refused_leave_nothing() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let file = film(5_000);
    let titled = |title: &str| upload_form(title, "a.mp4", &file);
    let named = |name: &str| upload_form("One", name, &file);
    let of = |content: &[u8]| upload_form("One", "a.mp4", content);
    let cases = [
        (titled(""), 422, Some("/title")),
        (titled(&"x".repeat(10_000)), 422, Some("/title")),
        (titled(&"x".repeat(201)), 422, Some("/title")),
        (titled("a\u{0}b"), 422, Some("/title")),
        (titled("a\u{202e}b"), 422, Some("/title")),
        (named("../../etc/cron.d/x.mp4"), 422, Some("/file")),
        (named("..\\\\x.mp4"), 422, Some("/file")),
        (named("<img src=x onerror=alert(1)>.mp4"), 422, Some("/file")),
        (named(&format!("{}.mp4", "x".repeat(300))), 422, Some("/file")),
        (named("a\tb.mp4"), 422, Some("/file")),
        (named("a\u{7f}b.mp4"), 400, None),
        (named("a\u{0}b.mp4"), 400, None),
        (of(b""), 422, Some("/file")),
        (of(b"this is not a video\n"), 415, None),
        (of(b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n"), 415, None),
        (of(b"\x7fELF\x02\x01\x01 and so on"), 415, None),
        (of(&[0x9c; 5_000]), 415, None),
        (form(&[("title", None, b"One")]), 422, Some("/file")),
        (form(&[("file", Some("a.mp4"), &file)]), 422, Some("/title")),
        (
            form(&[
                ("title", None, b"One"),
                ("visibility", None, b"secret"),
                ("file", Some("a.mp4"), &file),
            ]),
            422,
            Some("/visibility"),
        ),
        (
            form(&[("title", None, b"\xff\xfe"), ("file", Some("a.mp4"), &file)]),
            422,
            Some("/title"),
        ),
        (
            form(&[("title", None, b"One"), ("title", None, b"Two")]),
            422,
            Some("/title"),
        ),
        (
            form(&[
                ("file", Some("a.mp4"), &file),
                ("file", Some("b.mp4"), &file),
                ("title", None, b"One"),
            ]),
            422,
            Some("/file"),
        ),
        (
            form(&[("file", Some("a.mp4"), &file), ("title", None, &[b'x'; 10_000])]),
            422,
            Some("/title"),
        ),
        (
            form(&[
                ("file", Some("a.mp4"), &file),
                ("description", None, &[b'x'; 30_000]),
            ]),
            422,
            Some("/description"),
        ),
        (
            form(&[("junk", None, &[b'x'; 200_000]), ("file", Some("a.mp4"), &file)]),
            413,
            None,
        ),
        (form(&[]), 422, None),
    ];
    for (index, (upload, status, pointer)) in cases.into_iter().enumerate() {
        let answer = world
            .post("/api/storage/upload/video")
            .by(&ada)
            .form(upload)
            .send()
            .await;
        println!("case {index}: {}", answer.text());
        check(&answer, status, pointer);
    }
    check(&plain(&world, &ada, "application/json").send().await, 415, None);
    check(
        &plain(&world, &ada, "multipart/form-data").send().await,
        400,
        None,
    );
    check(
        &plain(&world, &ada, "multipart/form-data; boundary=x")
            .body("no form at all")
            .send()
            .await,
        400,
        None,
    );
    assert!(world.stored().is_empty(), "{:?}", world.stored());
    assert_eq!(world.commits_about_films(), 0);
    let videos = world.get("/api/videos?owner=me").by(&ada).send().await;
    assert_eq!(videos.json()["items"], json!([]));
}

fn plain(world: &World, person: &Person, content_type: &str) -> Asking {
    world
        .post("/api/storage/upload/video")
        .by(person)
        .header("content-type", content_type)
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_cannot_be_made() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    let path = format!("/api/videos/{}", video["id"].as_str().expect("an id"));
    let change = |body: Value| world.put(&path).by(&ada).json(&body).send();
    check(&change(json!({"title": ""})).await, 422, Some("/title"));
    check(
        &change(json!({"title": "x".repeat(10_000)})).await,
        422,
        Some("/title"),
    );
    check(
        &change(json!({"description": "a\u{0}b"})).await,
        422,
        Some("/description"),
    );
    check(
        &change(json!({"visibility": "secret"})).await,
        422,
        Some("/visibility"),
    );
    check(&change(json!({"owner_id": "me"})).await, 422, None);
    let matched = |etag: &str| {
        world
            .put(&path)
            .by(&ada)
            .header("if-match", etag)
            .json(&json!({"title": "Two"}))
            .send()
    };
    check(&matched("v1").await, 400, None);
    check(&matched("\"v999\"").await, 412, None);
    check(
        &world.put(&path).json(&json!({"title": "Two"})).send().await,
        401,
        None,
    );
    let read = world.get(&path).send().await.json();
    assert_eq!(read["title"], "One");
}

#[tokio::test(flavor = "multi_thread")]
async fn consistency_tokens_that_nobody_was_given() {
    let world = World::open().await;
    let partitions = world.log.partitions();
    let never = [
        "x".to_owned(),
        "0:x".to_owned(),
        "0".to_owned(),
        "-1:0".to_owned(),
        format!("{partitions}:0"),
        format!("{}:0", u16::MAX),
    ];
    // Of a log that other nodes write too, this one may not have heard everything.
    let ahead = (!world.log.needs_barrier()).then(|| format!("0:{}", world.log.head(0) + 1));
    for token in never.into_iter().chain(ahead) {
        let asked = world.get("/api/videos").header("consistency-token", &token);
        check(&asked.send().await, 400, None);
    }
}
