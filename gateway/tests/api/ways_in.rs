//! Passwords, sessions, API keys, names and the first administrator.

use crate::world::{Person, World, check, registration};
use serde_json::{Value, json};
use spool_commands::accounts::username_place;
use spool_domain::reservations::{Holding, Reservation};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);
const NEW: &str = "a much better password";

async fn sign_in(world: &World, email: &str, password: &str) -> (u16, Value) {
    let credentials = json!({ "email": email, "password": password });
    let answer = world.post("/api/auth/login").json(&credentials).send().await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_all_other_sessions() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let (status, elsewhere) = sign_in(&world, &ada.email, "correct horse battery").await;
    assert_eq!(status, 200);
    let elsewhere = Person::of(&elsewhere);
    let change = |current: &str| json!({ "current_password": current, "new_password": NEW });
    let wrong = world
        .put("/api/auth/change-password")
        .by(&ada)
        .json(&change("wrong"))
        .send()
        .await;
    check(&wrong, 403);
    let short = json!({ "current_password": "correct horse battery", "new_password": "short" });
    let short = world
        .put("/api/auth/change-password")
        .by(&ada)
        .json(&short)
        .send()
        .await;
    check(&short, 422);
    assert_eq!(short.json()["errors"][0]["pointer"], "/new_password");
    let right = change("correct horse battery");
    let right = world
        .put("/api/auth/change-password")
        .by(&ada)
        .json(&right)
        .send()
        .await;
    check(&right, 204);
    check(&world.get("/api/auth/profile").by(&ada).send().await, 200);
    check(&world.get("/api/auth/profile").by(&elsewhere).send().await, 401);
    assert_eq!(sign_in(&world, &ada.email, "correct horse battery").await.0, 401);
    assert_eq!(sign_in(&world, &ada.email, NEW).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let credentials = json!({ "email": ada.email, "password": "correct horse battery" });
    let phone = world.post("/api/auth/login").header("user-agent", "a phone");
    let phone = Person::of(&phone.json(&credentials).send().await.json());
    let list = world.get("/api/auth/sessions").by(&ada).send().await;
    check(&list, 200);
    let list = list.json();
    let sessions = list["items"].as_array().expect("a list");
    assert_eq!(sessions.len(), 2, "{list}");
    let other = sessions
        .iter()
        .find(|session| session["current"] == false)
        .expect("the phone");
    assert_eq!(other["user_agent"], "a phone");
    assert!(other["address"].is_string(), "{other}");
    let path = format!("/api/auth/sessions/{}", other["id"].as_str().expect("an id"));
    // Nobody ends what is not theirs.
    let eve = world.person("eve").await;
    check(&world.delete(&path).by(&eve).send().await, 204);
    check(&world.get("/api/auth/profile").by(&phone).send().await, 200);
    check(&world.delete(&path).by(&ada).send().await, 204);
    check(&world.get("/api/auth/profile").by(&phone).send().await, 401);
    let third = Person::of(&sign_in(&world, &ada.email, "correct horse battery").await.1);
    check(&world.delete("/api/auth/sessions").by(&ada).send().await, 204);
    check(&world.get("/api/auth/profile").by(&third).send().await, 401);
    check(&world.get("/api/auth/profile").by(&ada).send().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_what_it_is_good_for() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let valid = world.get("/api/auth/validate-token").by(&ada).send().await;
    check(&valid, 200);
    assert_eq!(valid.json()["user_id"], ada.id);
    check(&world.get("/api/auth/validate-token").send().await, 401);
    let verify = async |token: &str| {
        let answer = world
            .post("/api/auth/verify")
            .json(&json!({ "token": token }))
            .send()
            .await;
        check(&answer, 200);
        answer.json()
    };
    let good = verify(&ada.access_token).await;
    assert_eq!((&good["valid"], &good["role"]), (&json!(true), &json!("creator")));
    assert_eq!(verify("nonsense").await["valid"], false);
    check(&world.post("/api/auth/logout").by(&ada).send().await, 204);
    assert_eq!(verify(&ada.access_token).await["valid"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_it_is_for_and_no_more() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let wanted = json!({ "name": "import", "scopes": ["videos:read", "videos:write"], "expires_in_days": 1 });
    let make = || {
        world
            .post("/api/auth/api-keys")
            .by(&ada)
            .header("idempotency-key", "one")
    };
    let made = make().json(&wanted).send().await;
    check(&made, 201);
    let again = make().json(&wanted).send().await;
    assert_eq!(again.json(), made.json());
    let made = made.json();
    let key = made["key"].as_str().expect("it is shown").to_owned();
    let listed = world.get("/api/auth/api-keys").by(&ada).send().await.json();
    assert_eq!(listed["items"][0]["name"], "import");
    assert!(!listed.to_string().contains(&key), "it is shown once");
    let with_key = |asking: crate::requests::Asking| asking.header("x-api-key", &key);
    let mine = with_key(world.get("/api/videos?owner=me")).send().await;
    check(&mine, 200);
    check(&with_key(world.get("/api/auth/profile")).send().await, 403);
    check(&with_key(world.get("/api/auth/api-keys")).send().await, 403);
    check(&with_key(world.get("/api/users")).send().await, 403);
    let odd = json!({ "name": "", "scopes": ["everything"], "expires_in_days": 0 });
    let odd = world.post("/api/auth/api-keys").by(&ada).json(&odd).send().await;
    check(&odd, 422);
    assert_eq!(odd.json()["errors"].as_array().map(Vec::len), Some(3));
    let path = format!("/api/auth/api-keys/{}", made["id"].as_str().expect("an id"));
    check(&world.delete(&path).by(&ada).send().await, 204);
    check(&with_key(world.get("/api/videos?owner=me")).send().await, 401);
    let mut wrong = key.clone();
    wrong.replace_range(60..61, if &key[60..61] == "A" { "B" } else { "A" });
    check(
        &world.get("/api/videos").header("x-api-key", &wrong).send().await,
        401,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_with_its_time() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let wanted = json!({ "name": "a day", "scopes": ["videos:read"], "expires_in_days": 1 });
    let made = world
        .post("/api/auth/api-keys")
        .by(&ada)
        .json(&wanted)
        .send()
        .await
        .json();
    let key = made["key"].as_str().expect("it is shown");
    check(
        &world
            .get("/api/videos?owner=me")
            .header("x-api-key", key)
            .send()
            .await,
        200,
    );
    world.clock.advance(86_400_000);
    check(
        &world
            .get("/api/videos?owner=me")
            .header("x-api-key", key)
            .send()
            .await,
        401,
    );
}

/// Waits until the manager has confirmed a username. One that is given up before that is free when its reservation lapses.
async fn is_confirmed(world: &World, username: &str) {
    let until = Instant::now() + SOON;
    let place = username_place(&world.keys, username).stream();
    loop {
        let (state, _) = world
            .commands
            .state::<Reservation>(place)
            .await
            .expect("readable");
        if matches!(state.holding, Holding::Confirmed { .. }) {
            return;
        }
        assert!(Instant::now() < until, "{username} is not confirmed: {state:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_called_otherwise_and_the_old_name_is_free() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    is_confirmed(&world, "ada").await;
    let before = world.get("/api/auth/profile").by(&ada).send().await;
    let tag = before.header("etag").to_owned();
    let change = json!({ "username": "countess", "first_name": "Augusta Ada" });
    let changed = world
        .put("/api/auth/profile")
        .by(&ada)
        .header("if-match", &tag)
        .json(&change)
        .send()
        .await;
    check(&changed, 200);
    assert_eq!(changed.json()["username"], "countess");
    assert_eq!(changed.json()["last_name"], before.json()["last_name"]);
    let late = world
        .put("/api/auth/user")
        .by(&ada)
        .header("if-match", &tag)
        .json(&change)
        .send()
        .await;
    check(&late, 412);
    let moved = json!({ "email": "countess@example.org" });
    check(
        &world.put("/api/auth/profile").by(&ada).json(&moved).send().await,
        403,
    );
    let moved = json!({ "email": "countess@example.org", "current_password": "correct horse battery" });
    let moved = world.put("/api/auth/profile").by(&ada).json(&moved).send().await;
    check(&moved, 200);
    assert_eq!(moved.json()["email_confirmed"], false);
    assert_eq!(
        sign_in(&world, "countess@example.org", "correct horse battery")
            .await
            .0,
        200
    );
    assert_eq!(sign_in(&world, &ada.email, "correct horse battery").await.0, 401);
    // A manager gives the old names back in its own time.
    let until = Instant::now() + SOON;
    loop {
        let again = world.post("/api/auth/register").json(&registration("ada"));
        let again = again.send().await;
        if again.status == 201 {
            break;
        }
        assert!(
            Instant::now() < until,
            "the old names are not free: {}",
            again.text()
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let taken = json!({ "username": "ADA" });
    let taken = world.put("/api/auth/profile").by(&ada).json(&taken).send().await;
    check(&taken, 409);
    assert_eq!(taken.json()["errors"][0]["pointer"], "/username");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_to_be_called_the_same_one_is() {
    let world = World::open().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let change = json!({ "username": "lovelace" });
    let (one, two) = tokio::join!(
        world.put("/api/auth/profile").by(&ada).json(&change).send(),
        world.put("/api/auth/profile").by(&eve).json(&change).send(),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_are_as_they_were_left() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let first = world.get("/api/auth/preferences").by(&ada).send().await;
    check(&first, 200);
    assert_eq!(first.json()["theme"], "system");
    let wanted =
        json!({ "theme": "dark", "language": "de-AT", "time_zone": "Europe/Vienna", "autoplay": true });
    let set = world
        .put("/api/auth/preferences")
        .by(&ada)
        .json(&wanted)
        .send()
        .await;
    check(&set, 200);
    assert_eq!(set.json()["language"], "de-AT");
    let again = world.get("/api/auth/preferences").by(&ada).send().await;
    assert_eq!(again.json(), set.json());
    let odd = json!({ "theme": "dark", "language": "not a tag!" });
    check(
        &world
            .put("/api/auth/preferences")
            .by(&ada)
            .json(&odd)
            .send()
            .await,
        422,
    );
    let own = format!("/api/users/{}/preferences", ada.id);
    assert_eq!(world.get(&own).by(&ada).send().await.json(), set.json());
    let eve = world.person("eve").await;
    check(&world.get(&own).by(&eve).send().await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_has_the_secret_and_makes_the_others() {
    let world = World::open().await;
    let secret = world
        .gateway
        .bootstrap_secret()
        .await
        .expect("there is no administrator");
    let with = |name: &str, secret: Option<&str>| {
        let mut body = registration(name);
        if let Some(secret) = secret {
            body["secret"] = json!(secret);
        }
        body
    };
    let ask = |body: Value| world.post("/api/auth/register-admin").json(&body);
    check(&ask(with("root", None)).send().await, 401);
    check(&ask(with("root", Some("guessed"))).send().await, 403);
    let (one, two) = tokio::join!(
        ask(with("root", Some(&secret))).send(),
        ask(with("boot", Some(&secret))).send(),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403], "it is good once");
    assert_eq!(world.gateway.bootstrap_secret().await, None);
    let root = if one.status == 201 { one.json() } else { two.json() };
    assert_eq!(root["role"], "admin");
    let email = root["email"].as_str().expect("an address");
    let (_, root) = sign_in(&world, email, "correct horse battery").await;
    let root = Person::of(&root);
    let mut robot = registration("robot");
    robot["role"] = json!("service");
    let robot = world
        .post("/api/auth/register-admin")
        .by(&root)
        .json(&robot)
        .send()
        .await;
    check(&robot, 201);
    assert_eq!(robot.json()["role"], "service");
    let eve = world.person("eve").await;
    let refused = world
        .post("/api/auth/register-admin")
        .by(&eve)
        .json(&registration("mallory"))
        .send()
        .await;
    check(&refused, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_decides_counts_at_once() {
    let world = World::open().await;
    let root = world.admin("root").await;
    let ada = world.person("ada").await;
    check(&world.get("/api/auth/profile").by(&ada).send().await, 200);
    let path = format!("/api/users/{}", ada.id);
    let promoted = world
        .put(&path)
        .by(&root)
        .json(&json!({ "role": "admin" }))
        .send()
        .await;
    check(&promoted, 200);
    check(&world.get("/api/users").by(&ada).send().await, 200);
    check(
        &world
            .put(&path)
            .by(&root)
            .json(&json!({ "role": "viewer" }))
            .send()
            .await,
        200,
    );
    check(&world.get("/api/users").by(&ada).send().await, 403);
    let toggle = format!("{path}/toggle-status");
    check(&world.post(&toggle).by(&root).send().await, 200);
    check(&world.get("/api/auth/profile").by(&ada).send().await, 401);
    assert_eq!(sign_in(&world, &ada.email, "correct horse battery").await.0, 403);
    check(&world.post(&toggle).by(&root).send().await, 200);
    assert_eq!(sign_in(&world, &ada.email, "correct horse battery").await.0, 200);
}
