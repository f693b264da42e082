//! Persons and their data: listed, found, changed, locked, deleted and restored by administrators.

use crate::requests::Answer;
use crate::world::{Person, World, check, registration};
use serde_json::{Value, json};
use spool_commands::Ask;
use spool_domain::accounts::Command;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::AccountId;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl World {
    /// Registers `name` and makes an administrator of the person.
    pub async fn admin(&self, name: &str) -> Person {
        let person = self.person(name).await;
        let account = AccountId(person.id.parse().expect("a UUID"));
        let change = Command::ChangeRole {
            account,
            role: Role::Admin,
            by: Actor::System,
        };
        let given = self
            .commands
            .give(account.stream(), change, Ask::fresh(Actor::System))
            .await;
        given.expect("the system may say who administers");
        self.caught_up().await;
        self.signed_in(name).await
    }

    pub async fn signed_in(&self, name: &str) -> Person {
        let answer = self.log_in(name).await;
        check(&answer, 200);
        Person::of(&answer.json())
    }

    async fn log_in(&self, name: &str) -> Answer {
        let body = json!({"email": format!("{name}@example.org"), "password": "correct horse battery"});
        self.post("/api/auth/login").json(&body).send().await
    }

    async fn usernames(&self, admin: &Person, query: &str) -> Vec<String> {
        let answer = self.get(&format!("/api/users{query}")).by(admin).send().await;
        check(&answer, 200);
        usernames(&answer.json())
    }
}

fn usernames(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("a list").iter();
    items
        .map(|item| item["username"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_list_all_newest_first_and_go_on_where_they_were_though_others_come() {
    let world = World::open().await;
    let admin = world.admin("root").await;
    for name in ["ada", "bob", "cyd"] {
        world.clock.advance(1_000);
        world.person(name).await;
    }
    let first = world.get("/api/users?limit=2").by(&admin).send().await;
    check(&first, 200);
    assert_eq!(usernames(&first.json()), ["cyd", "bob"]);
    world.clock.advance(1_000);
    world.person("dan").await;
    let cursor = first.json()["next_cursor"]
        .as_str()
        .expect("it goes on")
        .to_owned();
    let query = format!("?limit=2&cursor={cursor}");
    assert_eq!(world.usernames(&admin, &query).await, ["ada", "root"]);
    let last = world.get(&format!("/api/users{query}")).by(&admin).send().await;
    assert_eq!(last.json()["next_cursor"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_a_part_of_what_they_are_called_and_by_what_they_are() {
    let world = World::open().await;
    let admin = world.admin("root").await;
    for (name, first, last) in [
        ("ada", "Zelda", "Fitz"),
        ("grace", "Grace", "Hopper"),
        ("gus", "Gustav", "Zeldin"),
    ] {
        world.clock.advance(1_000);
        let mut said = registration(name);
        said["first_name"] = json!(first);
        said["last_name"] = json!(last);
        check(&world.post("/api/auth/register").json(&said).send().await, 201);
    }
    let found = async |query: &str| world.usernames(&admin, query).await;
    assert_eq!(found("?q=ZELD").await, ["gus", "ada"]);
    assert_eq!(found("?q=ce%20hop").await, ["grace"]);
    assert_eq!(found("?q=grace@exam").await, ["grace"]);
    assert_eq!(found("?q=nobody").await, [""; 0]);
    assert_eq!(found("?role=admin").await, ["root"]);
    assert_eq!(
        found("?role=creator&q=example.org&limit=2").await,
        ["gus", "grace"]
    );
    let page = world
        .get("/api/users?role=creator&q=example.org&limit=2")
        .by(&admin)
        .send()
        .await;
    let cursor = page.json()["next_cursor"]
        .as_str()
        .expect("it goes on")
        .to_owned();
    assert_eq!(
        found(&format!("?role=creator&q=example.org&limit=2&cursor={cursor}")).await,
        ["ada"]
    );
    // What comes and what changes is found as well.
    let zoe = world.person("zoe").await;
    assert_eq!(found("?q=zo").await, ["zoe"]);
    let toggled = world
        .post(&format!("/api/users/{}/toggle-status", zoe.id))
        .by(&admin)
        .send()
        .await;
    check(&toggled, 200);
    world.caught_up().await;
    assert_eq!(found("?status=disabled").await, ["zoe"]);
    assert_eq!(found("?status=disabled&q=zoe").await, ["zoe"]);
    assert_eq!(found("?status=active&q=zoe").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_listed_so_is_told() {
    let world = World::open().await;
    let admin = world.admin("root").await;
    let person = world.person("ada").await;
    check(&world.get("/api/users").send().await, 401);
    check(&world.get("/api/users").by(&person).send().await, 403);
    for (query, pointer) in [
        ("role=king", "/role"),
        ("status=asleep", "/status"),
        ("sort=oldest", "/sort"),
        ("limit=0", "/limit"),
        ("cursor=x", "/cursor"),
        ("q=ada&cursor=x", "/cursor"),
        ("q=a%0Ab", "/q"),
    ] {
        let answer = world.get(&format!("/api/users?{query}")).by(&admin).send().await;
        check(&answer, 422);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_what_is_public_of_a_person_and_no_more() {
    let world = World::open().await;
    let (admin, ada, bob) = (
        world.admin("root").await,
        world.person("ada").await,
        world.person("bob").await,
    );
    let path = format!("/api/users/{}", ada.id);
    for asking in [world.get(&path), world.get(&path).by(&bob)] {
        let seen = asking.send().await;
        check(&seen, 200);
        let keys: Vec<String> = seen
            .json()
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        assert_eq!(keys, ["created_at", "id", "username"]);
    }
    for who in [&ada, &admin] {
        let seen = world.get(&path).by(who).send().await.json();
        assert_eq!(seen["email"], "ada@example.org");
        assert_eq!(seen["status"], "active");
        let profile = world.get(&format!("{path}/profile")).by(who).send().await;
        assert_eq!(profile.json(), seen);
    }
    for part in ["profile", "stats"] {
        check(&world.get(&format!("{path}/{part}")).by(&bob).send().await, 403);
        check(&world.get(&format!("{path}/{part}")).send().await, 401);
    }
    let nobody = "/api/users/00000000-0000-4000-8000-000000000000";
    check(&world.get(nobody).by(&admin).send().await, 404);
    for part in ["profile", "preferences", "stats", "audit", "export", "avatar"] {
        check(
            &world.get(&format!("{nobody}/{part}")).by(&admin).send().await,
            404,
        );
    }
    let wanted = world.put(&format!("{nobody}/preferences")).by(&admin);
    check(&wanted.json(&json!({"theme": "dark"})).send().await, 404);
    check(
        &world
            .put(nobody)
            .by(&admin)
            .json(&json!({"role": "admin"}))
            .send()
            .await,
        404,
    );
    check(&world.delete(nobody).by(&admin).send().await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_changed_unless_it_was_changed_meanwhile() {
    let world = World::open().await;
    let (admin, ada) = (world.admin("root").await, world.person("ada").await);
    let path = format!("/api/users/{}", ada.id);
    let seen = world.get(&path).by(&admin).send().await;
    let tag = seen.header("etag").to_owned();
    // Signing in changes nothing of what is shown.
    world.signed_in("ada").await;
    let change = |tag: &str, role: &str| {
        let body = json!({"role": role});
        world
            .put(&path)
            .by(&admin)
            .header("if-match", tag)
            .json(&body)
            .send()
    };
    let changed = change(&tag, "viewer").await;
    check(&changed, 200);
    assert_eq!(changed.json()["role"], "viewer");
    assert_ne!(changed.header("etag"), tag);
    check(&change(&tag, "admin").await, 412);
    let next = changed.header("etag").to_owned();
    check(&change(&next, "creator").await, 200);
    check(&change("*", "king").await, 422);
    // Nobody makes themselves an administrator, and no administrator leaves alone.
    let own = format!("/api/users/{}", admin.id);
    check(
        &world
            .put(&own)
            .by(&admin)
            .json(&json!({"role": "viewer"}))
            .send()
            .await,
        403,
    );
    check(
        &world
            .put(&path)
            .by(&ada)
            .json(&json!({"role": "admin"}))
            .send()
            .await,
        403,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_is_out_at_once_until_unlocked() {
    let world = World::open().await;
    let (admin, ada) = (world.admin("root").await, world.person("ada").await);
    check(&world.get("/api/auth/profile").by(&ada).send().await, 200);
    let toggle = || {
        world
            .post(&format!("/api/users/{}/toggle-status", ada.id))
            .by(&admin)
    };
    let locked = toggle().header("idempotency-key", "k").send().await;
    check(&locked, 200);
    assert_eq!(locked.json(), json!({"id": ada.id, "status": "disabled"}));
    // The same request again changes nothing.
    let again = toggle().header("idempotency-key", "k").send().await;
    assert_eq!(again.json(), locked.json());
    check(&world.get("/api/auth/profile").by(&ada).send().await, 401);
    assert_ne!(world.log_in("ada").await.status.as_u16(), 200);
    assert_eq!(toggle().send().await.json()["status"], "active");
    world.signed_in("ada").await;
    check(
        &world
            .post(&format!("/api/users/{}/toggle-status", admin.id))
            .by(&admin)
            .send()
            .await,
        403,
    );
    check(
        &world
            .post(&format!("/api/users/{}/toggle-status", admin.id))
            .by(&ada)
            .send()
            .await,
        401,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_can_be_brought_back_in_its_days_of_grace() {
    let world = World::open().await;
    let (admin, ada) = (world.admin("root").await, world.person("ada").await);
    let path = format!("/api/users/{}", ada.id);
    check(
        &world
            .delete(&format!("{path}?grace_days=31"))
            .by(&ada)
            .send()
            .await,
        422,
    );
    let gone = world
        .delete(&format!("{path}?grace_days=7"))
        .by(&ada)
        .send()
        .await;
    check(&gone, 204);
    check(&world.get("/api/auth/profile").by(&ada).send().await, 401);
    world.caught_up().await;
    check(&world.get(&path).send().await, 404);
    let seen = world.get(&path).by(&admin).send().await.json();
    assert_eq!(seen["status"], "deleted");
    assert_eq!(seen["erase_at"], "2026-11-28T08:00:00.000Z");
    assert_eq!(world.usernames(&admin, "?status=deleted").await, ["ada"]);
    let restored = world.post(&format!("{path}/restore")).by(&admin).send().await;
    check(&restored, 200);
    assert_eq!(restored.json()["status"], "active");
    assert_eq!(restored.json()["erase_at"], Value::Null);
    check(
        &world.post(&format!("{path}/restore")).by(&admin).send().await,
        409,
    );
    world.signed_in("ada").await;
    check(
        &world
            .delete(&format!("{path}?grace_days=7"))
            .by(&admin)
            .send()
            .await,
        204,
    );
    world.clock.advance(7 * DAY_MS);
    let admin = world.signed_in("root").await;
    check(
        &world.post(&format!("{path}/restore")).by(&admin).send().await,
        409,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_found_nowhere_and_the_name_is_free() {
    let world = World::open().await;
    let (admin, ada, bob) = (
        world.admin("root").await,
        world.person("xenia").await,
        world.person("bob").await,
    );
    assert_eq!(world.usernames(&admin, "?q=xen").await, ["xenia"]);
    let path = format!("/api/users/{}", ada.id);
    check(&world.delete(&path).by(&bob).send().await, 403);
    let own = format!("/api/users/{}", admin.id);
    check(&world.delete(&own).by(&admin).send().await, 403);
    check(&world.delete(&path).by(&ada).send().await, 204);
    check(&world.get("/api/auth/profile").by(&ada).send().await, 401);
    world.caught_up().await;
    assert_eq!(world.usernames(&admin, "?q=xen").await, [""; 0]);
    let mut left = world.usernames(&admin, "").await;
    left.sort();
    assert_eq!(left, ["bob", "root"]);
    check(&world.get(&path).by(&admin).send().await, 404);
    check(
        &world.post(&format!("{path}/restore")).by(&admin).send().await,
        404,
    );
    check(&world.log_in("xenia").await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_a_person_are_those_of_the_videos() {
    let world = World::open().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    world.video(&ada, "One", "public").await;
    let two = world.video(&ada, "Two", "private").await;
    world.video(&bob, "Other", "public").await;
    let stats = async || {
        let answer = world
            .get(&format!("/api/users/{}/stats", ada.id))
            .by(&ada)
            .send()
            .await;
        check(&answer, 200);
        answer.json()
    };
    let before = stats().await;
    assert_eq!((&before["videos"], &before["uploads"]), (&json!(2), &json!(2)));
    assert_eq!(
        before["uploaded_bytes"],
        json!(2 * two["file_size"].as_u64().expect("a size"))
    );
    assert_eq!(before["views"], 0);
    let path = format!("/api/videos/{}", two["id"].as_str().expect("an id"));
    check(&world.delete(&path).by(&ada).send().await, 204);
    world.caught_up().await;
    assert_eq!(stats().await["videos"], 1);
}
