//! Pictures of persons: set, shown, removed, forgotten.

use crate::forms::{picture, written};
use crate::requests::Answer;
use crate::world::{Person, World, check};
use image::ImageFormat;
use serde_json::Value;

impl World {
    async fn set_avatar(&self, asker: &Person, of: &str, kind: &str, file: Vec<u8>) -> Answer {
        let asking = self.put(&format!("/api/users/{of}/avatar"));
        asking
            .by(asker)
            .header("content-type", kind)
            .body(file)
            .send()
            .await
    }

    async fn avatar(&self, of: &Person) -> Answer {
        self.get(&format!("/api/users/{}/avatar", of.id)).send().await
    }

    async fn profile(&self, of: &Person) -> Value {
        let answer = self.get("/api/auth/profile").by(of).send().await;
        check(&answer, 200);
        answer.json()
    }
}

fn png(shade: u8) -> Vec<u8> {
    written(&picture(640, 360, shade), ImageFormat::Png)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_a_picture_for_everybody_to_see_until_it_is_removed() {
    let world = World::open().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    assert_eq!(world.profile(&ada).await.get("avatar_url"), None);
    check(&world.avatar(&ada).await, 404);

    let set = world.set_avatar(&ada, &ada.id, "image/png", png(40)).await;
    check(&set, 200);
    let address = set.json()["avatar_url"].as_str().expect("an address").to_owned();
    assert!(address.starts_with(&format!("/api/users/{}/avatar?v=", ada.id)));
    assert_eq!(world.profile(&ada).await["avatar_url"], address);
    let seen = world.get(&format!("/api/users/{}", ada.id)).by(&bob).send().await;
    assert_eq!(seen.json()["avatar_url"], address);

    let shown = world.get(&address).send().await;
    check(&shown, 200);
    assert_eq!(shown.header("content-type"), "image/jpeg");
    let picture = image::load_from_memory(&shown.body).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (256, 256));
    let known = shown.header("etag").to_owned();
    let again = world.get(&address).header("if-none-match", &known).send().await;
    check(&again, 304);

    // The same once more is no change, whatever file it comes in.
    let same = world.set_avatar(&ada, &ada.id, "image/png", png(40)).await;
    assert_eq!(same.json()["avatar_url"], address);
    let jpeg = written(&crate::forms::picture(300, 300, 200), ImageFormat::Jpeg);
    let other = world.set_avatar(&ada, &ada.id, "image/jpeg", jpeg).await;
    check(&other, 200);
    assert_ne!(other.json()["avatar_url"], address);
    assert_ne!(world.avatar(&ada).await.body, shown.body);

    let path = format!("/api/users/{}/avatar", ada.id);
    check(&world.delete(&path).by(&ada).send().await, 204);
    world.caught_up().await;
    check(&world.avatar(&ada).await, 404);
    assert_eq!(world.profile(&ada).await.get("avatar_url"), None);
    check(&world.delete(&path).by(&ada).send().await, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_set_for_the_version_that_was_seen_and_once_for_each_key() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let path = format!("/api/users/{}/avatar", ada.id);
    let seen = world.get("/api/auth/profile").by(&ada).send().await;
    let version = seen.header("etag").to_owned();
    let with = |file: Vec<u8>, header: &'static str, value: String| {
        let asking = world.put(&path).by(&ada).header("content-type", "image/png");
        asking.header(header, &value).body(file).send()
    };
    let set = with(png(1), "if-match", version.clone()).await;
    check(&set, 200);
    assert_ne!(set.header("etag"), version);
    check(&with(png(90), "if-match", version).await, 412);

    let first = with(png(90), "idempotency-key", "one".to_owned()).await;
    check(&first, 200);
    check(&with(png(180), "idempotency-key", "two".to_owned()).await, 200);
    let before = world.avatar(&ada).await.body;
    check(&with(png(90), "idempotency-key", "one".to_owned()).await, 200);
    assert_eq!(world.avatar(&ada).await.body, before);
    check(&with(png(91), "idempotency-key", "one".to_owned()).await, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_is_refused_and_changes_nothing() {
    let world = World::open().await;
    let (ada, bob, admin) = (
        world.person("ada").await,
        world.person("bob").await,
        world.admin("root").await,
    );
    check(&world.set_avatar(&ada, &ada.id, "image/png", png(40)).await, 200);
    let before = world.avatar(&ada).await.body;
    let whole = png(80);
    for (kind, file, status) in [
        ("image/png", vec![], 415),
        ("image/svg+xml", b"<svg onload='alert(1)'/>".to_vec(), 415),
        ("image/png", b"<html>".to_vec(), 415),
        ("image/png", whole[..whole.len() / 2].to_vec(), 422),
        ("image/png", vec![0; 10 * 1024 * 1024 + 1], 413),
    ] {
        let refused = world.set_avatar(&ada, &ada.id, kind, file).await;
        check(&refused, status);
        assert!(refused.json()["detail"].is_string());
    }
    assert_eq!(world.avatar(&ada).await.body, before);
    check(&world.set_avatar(&bob, &ada.id, "image/png", png(80)).await, 403);
    check(
        &world.set_avatar(&admin, &ada.id, "image/png", png(80)).await,
        200,
    );
    let nobody = "00000000-0000-4000-8000-000000000000";
    check(&world.set_avatar(&admin, nobody, "image/png", png(80)).await, 404);
    check(
        &world
            .delete(&format!("/api/users/{nobody}/avatar"))
            .by(&admin)
            .send()
            .await,
        404,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_is_not_shown_and_who_is_back_is() {
    let world = World::open().await;
    let (ada, admin) = (world.person("ada").await, world.admin("root").await);
    check(&world.set_avatar(&ada, &ada.id, "image/png", png(40)).await, 200);
    let picture = world.avatar(&ada).await.body;
    let path = format!("/api/users/{}", ada.id);
    let gone = world
        .delete(&format!("{path}?grace_days=1"))
        .by(&admin)
        .send()
        .await;
    check(&gone, 204);
    world.caught_up().await;
    check(&world.avatar(&ada).await, 404);
    check(
        &world.post(&format!("{path}/restore")).by(&admin).send().await,
        200,
    );
    assert_eq!(world.avatar(&ada).await.body, picture);
    check(&world.delete(&path).by(&admin).send().await, 204);
    world.caught_up().await;
    check(&world.avatar(&ada).await, 404);
}
