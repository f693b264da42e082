//! Registering, signing in, renewing and signing out.

use crate::shown::redacted;
use crate::world::{Person, World, check, registration};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_registers_and_is_who_they_said() {
    let world = World::open().await;
    let answer = world
        .post("/api/auth/register")
        .json(&registration("ada"))
        .send()
        .await;
    check(&answer, 201);
    insta::assert_json_snapshot!("registered", redacted(answer.json()));
    let person = Person::of(&answer.json());
    let profile = world.get("/api/auth/profile").by(&person).send().await;
    check(&profile, 200);
    assert_eq!(profile.json(), answer.json()["user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_datum_is_in_the_log_in_the_clear() {
    let world = World::open().await;
    world.person("zuleika.dobson").await;
    for partition in 0..world.log.partitions() {
        for record in world
            .log
            .read(partition, 0, usize::MAX)
            .expect("the log can be read")
        {
            let text = String::from_utf8_lossy(&record.payload).into_owned();
            for secret in [
                "zuleika.dobson",
                "Lovelace",
                "example.org",
                "argon2",
                "correct horse",
            ] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_names_belong_to_one_person() {
    let world = World::open().await;
    world.person("ada").await;
    let mut other = registration("ada");
    other["username"] = json!("ada2");
    let answer = world.post("/api/auth/register").json(&other).send().await;
    check(&answer, 409);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/email");
    let mut other = registration("ADA2");
    other["username"] = json!("Ada");
    let answer = world.post("/api/auth/register").json(&other).send().await;
    check(&answer, 409);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/username");
    // The address of the one who was refused is free again.
    world.person("ada2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_one_name_at_once_one_gets_it() {
    let world = World::open().await;
    let mut second = registration("eve");
    second["username"] = json!("ada");
    let first = registration("ada");
    let (one, two) = tokio::join!(
        world.post("/api/auth/register").json(&first).send(),
        world.post("/api/auth/register").json(&second).send(),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_registration_gives_the_first_answer_and_another_body_is_refused() {
    let world = World::open().await;
    let ask = |body| {
        world
            .post("/api/auth/register")
            .header("idempotency-key", "k-1")
            .json(body)
            .send()
    };
    let body = registration("ada");
    let (first, again) = (ask(&body).await, ask(&body).await);
    check(&first, 201);
    check(&again, 201);
    assert_eq!(first.json()["user"], again.json()["user"]);
    assert_eq!(first.json()["refresh_token"], again.json()["refresh_token"]);
    let other = ask(&registration("eve")).await;
    check(&other, 422);
    assert_eq!(
        other.json()["type"],
        "urn:spool:problem:idempotency-key-used-before"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_needs_the_right_password_and_says_no_more_than_that() {
    let world = World::open().await;
    world.person("ada").await;
    let login = |email: &str, password: &str| {
        world
            .post("/api/auth/login")
            .json(&json!({"email": email, "password": password}))
            .send()
    };
    let good = login("Ada@Example.org", "correct horse battery").await;
    check(&good, 200);
    let (wrong, unknown) = (
        login("ada@example.org", "wrong password").await,
        login("eve@example.org", "wrong password").await,
    );
    check(&wrong, 401);
    check(&unknown, 401);
    assert_eq!(wrong.json()["detail"], unknown.json()["detail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once_and_again_for_half_a_minute() {
    let world = World::open().await;
    let person = world.person("ada").await;
    let refresh = |token: &str| {
        world
            .post("/api/auth/refresh-token")
            .json(&json!({"refresh_token": token}))
            .send()
    };
    let first = refresh(&person.refresh_token).await;
    check(&first, 200);
    let next = Person::of(&first.json());
    assert_ne!(next.refresh_token, person.refresh_token);
    // The answer was lost: the same question has the same answer.
    let again = refresh(&person.refresh_token).await;
    check(&again, 200);
    assert_eq!(again.json()["refresh_token"], first.json()["refresh_token"]);
    check(&refresh(&next.refresh_token).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_refresh_token_ends_the_session_and_its_access_tokens() {
    let world = World::open().await;
    let person = world.person("ada").await;
    let refresh = |token: &str| {
        world
            .post("/api/auth/refresh-token")
            .json(&json!({"refresh_token": token}))
            .send()
    };
    let next = Person::of(&refresh(&person.refresh_token).await.json());
    check(&world.get("/api/auth/profile").by(&next).send().await, 200);
    world.clock.advance(31_000);
    let stolen = refresh(&person.refresh_token).await;
    check(&stolen, 401);
    check(&refresh(&next.refresh_token).await, 401);
    for token in [&person.access_token, &next.access_token] {
        check(&world.get("/api/auth/profile").token(token).send().await, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_is_out_at_once_and_other_sessions_go_on() {
    let world = World::open().await;
    let person = world.person("ada").await;
    let body = json!({"email": person.email, "password": "correct horse battery"});
    let elsewhere = Person::of(&world.post("/api/auth/login").json(&body).send().await.json());
    check(&world.get("/api/auth/profile").by(&person).send().await, 200);
    check(
        &world
            .post("/api/auth/logout")
            .by(&person)
            .json(&json!({}))
            .send()
            .await,
        204,
    );
    check(&world.get("/api/auth/profile").by(&person).send().await, 401);
    check(&world.get("/api/auth/profile").by(&elsewhere).send().await, 200);
    // Also by the refresh token alone, with whatever access token.
    let leaving = json!({"refresh_token": elsewhere.refresh_token});
    check(&world.delete("/api/auth/logout").json(&leaving).send().await, 204);
    check(&world.get("/api/auth/profile").by(&elsewhere).send().await, 401);
    check(&world.post("/api/auth/logout").send().await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_ends_by_itself() {
    let world = World::open().await;
    let person = world.person("ada").await;
    check(&world.get("/api/auth/profile").by(&person).send().await, 200);
    world.clock.advance(899_000);
    check(&world.get("/api/auth/profile").by(&person).send().await, 200);
    world.clock.advance(1_000);
    let late = world.get("/api/auth/profile").by(&person).send().await;
    check(&late, 401);
    assert_eq!(late.header("www-authenticate"), "Bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_can_be_closed() {
    let world = World::open_with(|config| config.auth.open_registration = false).await;
    check(
        &world
            .post("/api/auth/register")
            .json(&registration("ada"))
            .send()
            .await,
        403,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_keys_are_there_for_others() {
    let world = World::open().await;
    let answer = world.get("/.well-known/jwks.json").send().await;
    check(&answer, 200);
    insta::assert_json_snapshot!("jwks", redacted(answer.json()));
}
