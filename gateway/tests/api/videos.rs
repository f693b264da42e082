//! Videos: lists, reading one's own writes, changing with care, and what is private.

use crate::shown::redacted;
use crate::world::{Person, World, check};
use serde_json::{Value, json};
use spool_domain::actors::{Actor, Role};
use std::collections::BTreeSet;

fn path(video: &Value) -> String {
    format!("/api/videos/{}", video["id"].as_str().expect("an id"))
}

async fn titles(world: &World, query: &str, person: Option<&Person>) -> (Vec<String>, Option<String>) {
    let asked = world.get(&format!("/api/videos?{query}"));
    let answer = person
        .into_iter()
        .fold(asked, |asked, person| asked.by(person))
        .send()
        .await;
    check(&answer, 200);
    let page = answer.json();
    let items = page["items"].as_array().expect("a list").iter();
    let titles = items
        .map(|item| item["title"].as_str().expect("a title").to_owned())
        .collect();
    (titles, page["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_page_by_page_while_videos_come_and_go() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let mut videos = vec![];
    for number in 0..7 {
        videos.push(world.video(&ada, &format!("Film {number}"), "public").await);
        world.clock.advance(1_000);
    }
    let (first, cursor) = titles(&world, "limit=3", None).await;
    assert_eq!(first, ["Film 6", "Film 5", "Film 4"]);
    // New ones come in front, and one that was to come next goes: nothing is skipped or seen twice.
    world.video(&ada, "Film 7", "public").await;
    check(&world.delete(&path(&videos[2])).by(&ada).send().await, 204);
    world.caught_up().await;
    let (second, cursor) = titles(
        &world,
        &format!("limit=3&cursor={}", cursor.expect("there is more")),
        None,
    )
    .await;
    assert_eq!(second, ["Film 3", "Film 1", "Film 0"]);
    assert_eq!(cursor, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_wrote_one_reads() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "Before", "public").await;
    for number in 0..20 {
        let title = format!("After {number}");
        let change = world
            .put(&path(&video))
            .by(&ada)
            .json(&json!({"title": title}))
            .send()
            .await;
        check(&change, 200);
        assert_eq!(change.json()["title"], title);
        let token = change.header("consistency-token").to_owned();
        let read = world
            .get(&path(&video))
            .header("consistency-token", &token)
            .send()
            .await;
        assert_eq!(read.json()["title"], title);
        let list = world
            .get("/api/videos")
            .header("consistency-token", &token)
            .send()
            .await;
        assert_eq!(list.json()["items"][0]["title"], title);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_keeps_what_it_does_not_mention() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    let change = json!({"description": "two\nlines", "visibility": "unlisted"});
    let answer = world.put(&path(&video)).by(&ada).json(&change).send().await;
    check(&answer, 200);
    insta::assert_json_snapshot!("changed", redacted(answer.json()));
    world.caught_up().await;
    let (listed, _) = titles(&world, "", None).await;
    assert!(listed.is_empty(), "unlisted");
    check(&world.get(&path(&video)).send().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_the_same_version_one_is_told() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    let etag = world.get(&path(&video)).send().await.header("etag").to_owned();
    let change = |title: &str| {
        let body = json!({"title": title, "description": "", "visibility": "public"});
        world
            .put(&path(&video))
            .by(&ada)
            .header("if-match", &etag)
            .json(&body)
            .send()
    };
    let (one, two) = tokio::join!(change("Two"), change("Three"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let winner = if one.status == 200 { one } else { two };
    let next = winner.header("etag").to_owned();
    let deleted = world
        .delete(&path(&video))
        .by(&ada)
        .header("if-match", &etag)
        .send()
        .await;
    check(&deleted, 412);
    check(
        &world
            .delete(&path(&video))
            .by(&ada)
            .header("if-match", &next)
            .send()
            .await,
        204,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_video_is_gone_and_deleting_it_again_is_quiet() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    let deleted = world.delete(&path(&video)).by(&ada).send().await;
    check(&deleted, 204);
    let token = deleted.header("consistency-token").to_owned();
    check(
        &world
            .get(&path(&video))
            .header("consistency-token", &token)
            .send()
            .await,
        404,
    );
    check(
        &world
            .get(&format!("{}/status", path(&video)))
            .header("consistency-token", &token)
            .send()
            .await,
        404,
    );
    check(&world.delete(&path(&video)).by(&ada).send().await, 204);
    check(
        &world
            .put(&path(&video))
            .by(&ada)
            .json(&json!({"title": "Two"}))
            .send()
            .await,
        404,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_and_administrators_change_a_video() {
    let world = World::open().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let video = world.video(&ada, "One", "public").await;
    check(
        &world
            .put(&path(&video))
            .by(&eve)
            .json(&json!({"title": "Mine"}))
            .send()
            .await,
        403,
    );
    check(&world.delete(&path(&video)).by(&eve).send().await, 403);
    check(&world.delete(&path(&video)).send().await, 401);
    let admin = Actor::Person {
        account: spool_domain::ids::AccountId(uuid::Uuid::from_u128(1)),
        role: Role::Admin,
    };
    assert!(admin.may_act_for(spool_domain::ids::AccountId(ada.id.parse().expect("a UUID"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_video_is_not_there_for_others() {
    let world = World::open().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let video = world.video(&ada, "Diary", "private").await;
    let job = world.job_of(video["id"].as_str().expect("an id")).await;
    let id = video["id"].as_str().expect("an id");
    let paths = [
        path(&video),
        format!("{}/status", path(&video)),
        format!("/api/jobs/{job}"),
        format!("/api/processing/videos/{id}/status"),
        format!("/api/storage/videos/{id}/hls/master.m3u8"),
        format!("/api/storage/videos/{id}/original"),
        format!("/api/storage/videos/{id}/thumbnail"),
    ];
    for path in &paths {
        check(&world.get(path).send().await, 404);
        check(&world.get(path).by(&eve).send().await, 404);
    }
    for path in &paths[..4] {
        check(&world.get(path).by(&ada).send().await, 200);
    }
    check(
        &world
            .put(&path(&video))
            .by(&eve)
            .json(&json!({"title": "Mine"}))
            .send()
            .await,
        404,
    );
    check(&world.delete(&path(&video)).by(&eve).send().await, 404);
    for action in ["start", "cancel"] {
        check(
            &world
                .post(&format!("/api/processing/videos/{id}/{action}"))
                .by(&eve)
                .send()
                .await,
            404,
        );
    }
    assert!(titles(&world, "", Some(&ada)).await.0.is_empty());
    assert!(
        titles(&world, &format!("owner={}", ada.id), Some(&eve))
            .await
            .0
            .is_empty()
    );
    assert_eq!(titles(&world, "owner=me", Some(&ada)).await.0, ["Diary"]);
    assert_eq!(
        titles(&world, &format!("owner={}", ada.id), Some(&ada)).await.0,
        ["Diary"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_somebody_elses_list_one_sees_the_public_part() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    for number in 0..6 {
        let visibility = ["public", "private", "unlisted"][number % 3];
        world
            .video(&ada, &format!("{visibility} {number}"), visibility)
            .await;
        world.clock.advance(1_000);
    }
    let mut seen = vec![];
    let mut cursor = None;
    loop {
        let query = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let (titles, next) = titles(&world, &format!("owner={}&limit=1{query}", ada.id), None).await;
        seen.extend(titles);
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, ["public 3", "public 0"]);
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_answer_is_not_sent_again() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    for path in [path(&video), "/api/videos".to_owned()] {
        let etag = world.get(&path).send().await.header("etag").to_owned();
        let again = world.get(&path).header("if-none-match", &etag).send().await;
        check(&again, 304);
        assert!(again.body.is_empty());
    }
    let etag = world.get(&path(&video)).send().await.header("etag").to_owned();
    let change = world
        .put(&path(&video))
        .by(&ada)
        .json(&json!({"title": "Two"}))
        .send()
        .await;
    let token = change.header("consistency-token").to_owned();
    let asked = world
        .get(&path(&video))
        .header("if-none-match", &etag)
        .header("consistency-token", &token);
    check(&asked.send().await, 200);
}
