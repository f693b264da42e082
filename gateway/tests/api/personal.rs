//! What is kept about a person: the trail, the archive, and how all of it is forgotten.

use crate::world::{Person, World, check};
use serde_json::{Value, json};
use std::io::{Cursor, Read};

async fn trail(world: &World, asker: &Person, of: &str, query: &str) -> Value {
    let answer = world
        .get(&format!("/api/users/{of}/audit{query}"))
        .by(asker)
        .send()
        .await;
    check(&answer, 200);
    answer.json()
}

/// Without the video's own, which the gateway or a process manager brought about, whichever was quicker.
fn events(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("a list").iter();
    items
        .filter(|item| {
            !item["event"]
                .as_str()
                .is_some_and(|event| event.starts_with("Video"))
        })
        .map(|item| item["event"].as_str().expect("a name"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_says_what_was_done_to_an_account_and_what_its_person_did() {
    let world = World::open().await;
    let (admin, ada, bob) = (
        world.admin("root").await,
        world.person("ada").await,
        world.person("bob").await,
    );
    world.clock.advance(1_000);
    world.video(&ada, "A film", "public").await;
    world.clock.advance(1_000);
    let path = format!("/api/users/{}", ada.id);
    check(
        &world
            .put(&path)
            .by(&admin)
            .json(&json!({"role": "viewer"}))
            .send()
            .await,
        200,
    );
    check(
        &world
            .post(&format!("{path}/toggle-status"))
            .by(&admin)
            .header("user-agent", "Console 1.0")
            .send()
            .await,
        200,
    );
    world.caught_up().await;
    let seen = trail(&world, &admin, &ada.id, "").await;
    assert_eq!(
        events(&seen),
        [
            "SessionEnded",
            "UserDisabled",
            "RoleChanged",
            "UploadReceived",
            "SessionStarted",
            "UserRegistered",
        ]
    );
    let items = seen["items"].as_array().expect("a list");
    let named = |name: &str| {
        items
            .iter()
            .find(|item| item["event"] == name)
            .expect("it is there")
    };
    assert_eq!(named("SessionEnded")["detail"], "disabled");
    assert_eq!(named("RoleChanged")["detail"], "viewer");
    let by = json!({"kind": "person", "id": admin.id, "role": "admin"});
    assert_eq!(named("RoleChanged")["by"], by);
    let uploaded = named("UploadReceived");
    assert_eq!(uploaded["by"]["id"], ada.id);
    assert!(
        uploaded["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("uploads-") && id.ends_with("@1"))
    );
    // The administrator's own trail has it too.
    let own = trail(&world, &admin, &admin.id, "?limit=2").await;
    assert_eq!(events(&own), ["SessionEnded", "UserDisabled"]);
    assert_eq!(own["items"][1]["client"]["user_agent"], "Console 1.0");
    assert_eq!(seen["items"][1]["client"], Value::Null);
    let cursor = own["next_cursor"].as_str().expect("it goes on");
    let rest = trail(&world, &admin, &admin.id, &format!("?cursor={cursor}")).await;
    assert_eq!(events(&rest)[0], "RoleChanged");
    for (asker, of, status) in [(&bob, &ada, 403), (&bob, &admin, 403)] {
        let answer = world
            .get(&format!("/api/users/{}/audit", of.id))
            .by(asker)
            .send()
            .await;
        check(&answer, status);
    }
    check(&world.get(&format!("{path}/audit")).send().await, 401);
    check(
        &world
            .get(&format!("{path}/audit?cursor=x"))
            .by(&admin)
            .send()
            .await,
        422,
    );
    let nobody = "/api/users/00000000-0000-4000-8000-000000000000/audit";
    check(&world.get(nobody).by(&admin).send().await, 404);
}

/// The files of an archive, as text.
fn unpacked(archive: &[u8]) -> Vec<(String, String)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).expect("the archive is whole");
    let mut files = vec![];
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).expect("each file is there");
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).expect("and whole");
        files.push((
            file.name().expect("a name is text").into_owned(),
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_has_all_that_is_kept_about_a_person_and_nothing_of_others() {
    let world = World::open().await;
    let (admin, ada, bob) = (
        world.admin("root").await,
        world.person("ada").await,
        world.person("bob").await,
    );
    world.video(&ada, "Hers alone", "private").await;
    world.video(&bob, "His alone", "public").await;
    world.caught_up().await;
    let path = format!("/api/users/{}/export", ada.id);
    check(&world.get(&path).send().await, 401);
    check(&world.get(&path).by(&bob).send().await, 403);
    check(
        &world.get(&format!("{path}?files=perhaps")).by(&ada).send().await,
        422,
    );
    let answer = world.get(&path).by(&ada).send().await;
    check(&answer, 200);
    assert_eq!(answer.header("content-type"), "application/zip");
    let files = unpacked(&answer.body);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "README.txt",
        "profile.json",
        "preferences.json",
        "sessions.json",
        "api_keys.json",
        "identities.json",
        "videos.jsonl",
        "jobs.jsonl",
        "events.jsonl",
    ];
    assert_eq!(names, expected);
    let file = |name: &str| {
        files
            .iter()
            .find(|(known, _)| known == name)
            .expect("it is there")
            .1
            .as_str()
    };
    assert!(file("profile.json").contains("ada@example.org"));
    assert!(file("videos.jsonl").contains("Hers alone"));
    assert_eq!(file("jobs.jsonl").lines().count(), 1);
    let facts: Vec<Value> = file("events.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a fact a line"))
        .collect();
    let registered = facts
        .iter()
        .find(|fact| fact["type"] == "UserRegistered")
        .expect("she registered");
    assert_eq!(registered["data"]["personal"]["email"], "ada@example.org");
    assert_eq!(registered["data"]["password_hash"], Value::Null);
    let uploaded = facts
        .iter()
        .find(|fact| fact["type"] == "UploadReceived")
        .expect("she uploaded");
    assert_eq!(uploaded["data"]["description"]["title"], "Hers alone");
    for (name, text) in &files {
        assert!(
            !text.contains("His alone") && !text.contains("bob@example.org"),
            "{name}"
        );
        assert!(!text.contains("argon2"), "{name}");
    }
    let with_films = world.get(&format!("{path}?files=true")).by(&admin).send().await;
    check(&with_films, 200);
    let film = unpacked(&with_films.body).pop().expect("the film is the last");
    assert!(
        film.0.starts_with("files/") && film.0.ends_with("/a film.mp4"),
        "{}",
        film.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_person_go_all_texts_and_videos_and_the_sums_stay() {
    let world = World::open().await;
    let (admin, ada, bob) = (
        world.admin("root").await,
        world.person("ada").await,
        world.person("bob").await,
    );
    let hers = world.video(&ada, "Hers alone", "public").await;
    let his = world.video(&bob, "His alone", "public").await;
    world.caught_up().await;
    let days = || {
        world
            .projections
            .analytics()
            .days("2026-01-01", "2026-12-31")
            .expect("the view answers")
    };
    let before = days();
    assert_eq!((before[0].registrations, before[0].uploads), (3, 2));
    let path = format!("/api/users/{}", ada.id);
    world.clock.advance(1_000);
    check(&world.delete(&path).by(&admin).send().await, 204);
    let gone = format!("/api/videos/{}", hers["id"].as_str().expect("an id"));
    let mut changed = world.projections.catalogue().watch();
    while world.get(&gone).send().await.status.as_u16() != 404 {
        changed.changed().await.expect("the view goes on");
    }
    world.caught_up().await;
    assert_eq!(days(), before);
    let kept = world
        .get(&format!("/api/videos/{}", his["id"].as_str().expect("an id")))
        .send()
        .await;
    assert_eq!(
        (&kept.json()["title"], &kept.json()["owner_username"]),
        (&json!("His alone"), &json!("bob"))
    );
    for part in ["", "/profile", "/stats", "/export"] {
        check(&world.get(&format!("{path}{part}")).by(&admin).send().await, 404);
    }
    // What was done is known of the id still, and nothing says who it was.
    let seen = trail(&world, &admin, &ada.id, "?limit=3").await;
    assert_eq!(events(&seen), ["UserErased", "SessionEnded", "UserDeleted"]);
    // Nobody reads it any more: not even whoever has the whole log and this program.
    let account = ada.id.parse().expect("a UUID");
    assert!(world.keys.is_erased(account).expect("the keys answer"));
    world.person("ada").await;
}
