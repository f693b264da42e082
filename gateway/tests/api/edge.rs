//! What stands before the handlers: limits, addresses, what browsers are told, other sites, and log-in that is slowed down.

use crate::requests::{Answer, Asking};
use crate::world::{World, check, registration};
use serde_json::json;
use spool_platform::config::{Config, Preset, Rate};

/// Requests of these stories come from this process, which passes for a proxy.
fn behind_a_proxy(config: &mut Config) {
    config.edge.trusted_proxies = "127.0.0.0/8".to_owned().try_into().ok();
}

fn limited(config: &mut Config) {
    behind_a_proxy(config);
    config.limits.preset = Preset::Standard;
    config.limits.queries = Some(Rate::Of {
        requests: 3,
        seconds: 30,
    });
}

fn from(asking: Asking, address: &str) -> Asking {
    asking.header("x-forwarded-for", address)
}

async fn statuses(count: usize, ask: impl Fn() -> Asking) -> Vec<u16> {
    let mut statuses = vec![];
    for _ in 0..count {
        statuses.push(ask().send().await.status.as_u16());
    }
    statuses
}

fn log_in(world: &World, name: &str, password: &str, address: &str) -> Asking {
    let credentials = json!({"email": format!("{name}@example.org"), "password": password});
    from(world.post("/api/auth/login"), address).json(&credentials)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_so_many_answers_and_is_told_how_many_are_left() {
    let world = World::open_with(limited).await;
    let ask = |address: &'static str| from(world.get("/api/videos"), address);
    let first = ask("192.0.2.1").send().await;
    check(&first, 200);
    assert_eq!(first.header("ratelimit-policy"), "\"queries\";q=3;w=30");
    assert_eq!(first.header("ratelimit"), "\"queries\";r=2;t=10");
    assert_eq!(statuses(3, || ask("192.0.2.1")).await, [200, 200, 429]);
    let refused = ask("192.0.2.1").send().await;
    check(&refused, 429);
    assert_eq!(refused.header("retry-after"), "10");
    assert_eq!(refused.header("ratelimit"), "\"queries\";r=0;t=30");
    let problem = refused.json();
    assert_eq!(problem["type"], "urn:spool:problem:limited");
    assert_eq!(problem["instance"], refused.header("x-request-id"));
    check(&ask("192.0.2.2").send().await, 200);
    world.clock.advance(10_000);
    assert_eq!(statuses(2, || ask("192.0.2.1")).await, [200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_class_of_routes_has_a_quota_of_its_own() {
    let world = World::open_with(limited).await;
    assert_eq!(
        statuses(4, || world.get("/api/videos")).await,
        [200, 200, 200, 429]
    );
    let policy = |answer: &Answer| answer.header("ratelimit-policy").to_owned();
    let page = world.get("/").send().await;
    assert_eq!(
        (page.status.as_u16(), policy(&page).as_str()),
        (200, "\"media\";q=30000;w=60")
    );
    let wrong = world.post("/api/auth/login").json(&json!({})).send().await;
    assert_eq!(
        (wrong.status.as_u16(), policy(&wrong).as_str()),
        (422, "\"sign_in\";q=100;w=60")
    );
    let nobody = world.put("/api/videos/7").json(&json!({})).send().await;
    assert_eq!(policy(&nobody), "\"commands\";q=600;w=60");
    // Whoever watches over the node is never held up.
    let health = world.get("/health/live").send().await;
    check(&health, 200);
    assert!(!health.headers.contains_key("ratelimit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_one_quota_wherever_they_are_and_no_share_in_that_of_their_address() {
    let world = World::open_with(limited).await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let ask = |person, address: &'static str| from(world.get("/api/videos").by(person), address);
    let answered = ask(&ada, "192.0.2.1").send().await;
    assert_eq!(answered.header("ratelimit"), "\"queries\";r=2;t=10");
    check(&ask(&ada, "192.0.2.2").send().await, 200);
    check(&ask(&ada, "192.0.2.3").send().await, 200);
    let refused = ask(&ada, "192.0.2.4").send().await;
    check(&refused, 429);
    assert_eq!(refused.header("ratelimit"), "\"queries\";r=0;t=30");
    assert_eq!(refused.header("retry-after"), "10");
    check(&ask(&bob, "192.0.2.1").send().await, 200);
    // The address of both has all of its own.
    let nobody = || from(world.get("/api/videos"), "192.0.2.1");
    assert_eq!(statuses(4, nobody).await, [200, 200, 200, 429]);
    check(&ask(&bob, "192.0.2.1").send().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_has_a_quota_apart_from_its_owners() {
    let world = World::open_with(limited).await;
    let ada = world.person("ada").await;
    let wanted = json!({"name": "a script", "scopes": ["videos:read"]});
    let made = world
        .post("/api/auth/api-keys")
        .by(&ada)
        .json(&wanted)
        .send()
        .await;
    check(&made, 201);
    let key = made.json()["key"].as_str().expect("it is shown once").to_owned();
    let by_key = || world.get("/api/videos").header("x-api-key", &key);
    assert_eq!(statuses(4, by_key).await, [200, 200, 200, 429]);
    let by_owner = || world.get("/api/videos").by(&ada);
    assert_eq!(statuses(4, by_owner).await, [200, 200, 200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_prove_nothing_are_counted_for_where_they_come_from() {
    let change = |config: &mut Config| {
        limited(config);
        config.limits.sign_in = Some(Rate::Of {
            requests: 4,
            seconds: 60,
        });
    };
    let world = World::open_with(change).await;
    let ada = world.person("ada").await;
    let made_up = || from(world.get("/api/videos").token("a.b.c"), "192.0.2.1");
    let answer = made_up().send().await;
    check(&answer, 401);
    assert_eq!(answer.header("ratelimit-policy"), "\"unproven\";q=4;w=60");
    assert_eq!(statuses(4, made_up).await, [401, 401, 401, 429]);
    // Good ones have to wait as well there, since nobody looks at them; elsewhere they do not.
    let by_ada = |address: &'static str| from(world.get("/api/videos").by(&ada), address);
    check(&by_ada("192.0.2.1").send().await, 429);
    check(&by_ada("192.0.2.2").send().await, 200);
    check(&from(world.get("/api/videos"), "192.0.2.1").send().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_classic_preset_is_a_hundred_in_a_quarter_of_an_hour_for_everything_but_films() {
    let classic = |config: &mut Config| config.limits.preset = Preset::Classic;
    let world = World::open_with(classic).await;
    let ada = world.person("ada").await;
    let mut taken = 1;
    while world.get("/api/videos").by(&ada).send().await.status == 200 {
        taken += 1;
    }
    assert_eq!(taken, 100);
    let refused = world.post("/api/auth/login").json(&json!({})).send().await;
    check(&refused, 429);
    assert_eq!(refused.header("ratelimit-policy"), "\"classic\";q=100;w=900");
    assert_eq!(refused.header("retry-after"), "9");
    let film = world.get("/api/storage/videos/7/hls/master.m3u8").send().await;
    check(&film, 404);
    check(&world.get("/").send().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_can_be_left_out() {
    let world = World::open_with(|config| config.limits.preset = Preset::Off).await;
    assert!(
        statuses(150, || world.get("/api/videos"))
            .await
            .iter()
            .all(|status| *status == 200)
    );
    assert!(
        !world
            .get("/api/videos")
            .send()
            .await
            .headers
            .contains_key("ratelimit")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_passwords_is_slowed_down_whether_or_not_there_is_an_account() {
    let world = World::open_with(behind_a_proxy).await;
    world.person("ada").await;
    let mut answers = vec![];
    for name in ["ada", "nobody"] {
        let guess = || log_in(&world, name, "battery staple", "192.0.2.1");
        assert_eq!(statuses(10, guess).await, [401; 10], "{name}");
        let refused = guess().send().await;
        check(&refused, 429);
        let mut problem = refused.json();
        problem["instance"] = json!("");
        answers.push((problem, refused.header("retry-after").to_owned()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].1, "90");
    // The right one is no way around, or it could be found out.
    check(
        &log_in(&world, "ada", "correct horse battery", "192.0.2.1")
            .send()
            .await,
        429,
    );
    check(
        &log_in(&world, "ada", "correct horse battery", "198.51.100.1")
            .send()
            .await,
        200,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_session_is_no_way_to_find_out_its_password() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let guess = json!({"current_password": "battery staple", "new_password": "a much better password"});
    let guess = || world.put("/api/auth/change-password").by(&ada).json(&guess);
    assert_eq!(statuses(11, guess).await[9..], [403, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_locked_out_by_what_others_guess() {
    let world = World::open_with(behind_a_proxy).await;
    world.person("ada").await;
    let at_home = || log_in(&world, "ada", "correct horse battery", "198.51.100.7");
    check(&at_home().send().await, 200);
    let mut let_through = 0;
    for stranger in 1..=15 {
        let address = format!("203.0.{stranger}.1");
        let guess = || log_in(&world, "ada", "battery staple", &address);
        let answers = statuses(8, guess).await;
        let_through += answers.iter().filter(|status| **status == 401).count();
    }
    assert_eq!(let_through, 100);
    check(
        &log_in(&world, "ada", "correct horse battery", "203.0.99.1")
            .send()
            .await,
        429,
    );
    check(&at_home().send().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_what_to_refuse() {
    let world = World::open().await;
    for path in [
        "/",
        "/api/docs",
        "/api/videos",
        "/api/nothing",
        "/metrics",
        "/assets/nothing.js",
    ] {
        let answer = world.get(path).send().await;
        for (name, expected) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), expected, "{path}");
        }
        let policy = answer.header("content-security-policy");
        let is_page = ["/", "/api/docs"].contains(&path);
        assert_eq!(policy.contains("script-src 'self';"), is_page, "{path}: {policy}");
        assert!(policy.ends_with("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(
            answer.header("permissions-policy").contains("camera=()"),
            "{path}"
        );
        assert!(
            !answer.headers.contains_key("strict-transport-security"),
            "{path}"
        );
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_held_to_https_where_it_is_spoken() {
    let public = |config: &mut Config| config.public_url = Some("https://films.example".to_owned());
    let world = World::open_with(public).await;
    let hsts = "strict-transport-security";
    assert_eq!(world.get("/").send().await.header(hsts), "max-age=31536000");
    let world = World::open_with(behind_a_proxy).await;
    let by = |proto| world.get("/").header("x-forwarded-proto", proto);
    assert_eq!(by("https").send().await.header(hsts), "max-age=31536000");
    assert!(!by("http").send().await.headers.contains_key(hsts));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_may_call_the_api_where_they_are_named() {
    let change = |config: &mut Config| {
        limited(config);
        config.edge.cors_origins = "https://a.example".to_owned().try_into().ok();
    };
    let world = World::open_with(change).await;
    let preflight = |origin| {
        Asking::new(&world.router, "OPTIONS", "/api/videos/7")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "authorization,if-match")
            .send()
    };
    let allowed = preflight("https://a.example").await;
    check(&allowed, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://a.example");
    assert!(allowed.header("access-control-allow-methods").contains("PUT"));
    assert!(
        allowed
            .header("access-control-allow-headers")
            .contains("if-match")
    );
    assert_eq!(allowed.header("x-request-id").len(), 36);
    let refused = preflight("https://b.example").await;
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
    // Their scripts can read answers and refusals alike.
    let ask = || world.get("/api/videos").header("origin", "https://a.example");
    assert_eq!(statuses(3, ask).await, [200, 200, 200]);
    let limited = ask().send().await;
    check(&limited, 429);
    assert_eq!(limited.header("access-control-allow-origin"), "https://a.example");
    let exposed = limited.header("access-control-expose-headers");
    for name in [
        "consistency-token",
        "etag",
        "ratelimit",
        "retry-after",
        "x-request-id",
    ] {
        assert!(
            exposed.split(',').any(|exposed| exposed == name),
            "{name} in {exposed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_may_call_the_api_by_default() {
    let world = World::open().await;
    let answer = world
        .get("/api/videos")
        .header("origin", "https://a.example")
        .send()
        .await;
    check(&answer, 200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    let preflight = Asking::new(&world.router, "OPTIONS", "/api/videos")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "GET");
    check(&preflight.send().await, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_headers_have_an_end() {
    let world = World::open().await;
    let long = world
        .get(&format!("/api/videos?cursor={}", "x".repeat(9_000)))
        .send()
        .await;
    check(&long, 414);
    let heavy = world
        .get("/api/videos")
        .header("cookie", &"x".repeat(40_000))
        .send()
        .await;
    check(&heavy, 431);
    for refused in [&long, &heavy] {
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(refused.json()["instance"], refused.header("x-request-id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_route_can_read_is_a_problem_that_names_the_request() {
    let world = World::open().await;
    let strange = world.get("/api/videos").header("x-request-id", "no UUID");
    for (asking, status) in [
        (world.get("/api/videos/%ff"), 404),
        (world.get("/api/storage/videos/%ff/hls/%ff/%ff"), 400),
        (world.get("/%ff"), 404),
        (world.get("/api/videos?limit=%ff"), 422),
        (world.put("/api/videos"), 405),
        (strange.header("accept-encoding", "gzip"), 200),
    ] {
        let answer = asking.send().await;
        check(&answer, status);
        let id = answer.header("x-request-id");
        assert!(uuid::Uuid::try_parse(id).is_ok(), "{id}");
        if status != 200 {
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.json()["instance"], id);
        }
    }
    let id = "018f0000-0000-7000-8000-000000000007";
    let given = world.get("/api/nothing").header("x-request-id", id).send().await;
    assert_eq!(given.header("x-request-id"), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed_for_those_who_take_that() {
    let world = World::open().await;
    let answer = world
        .get("/metrics")
        .header("accept-encoding", "gzip")
        .send()
        .await;
    check(&answer, 200);
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.header("vary").contains("accept-encoding"));
    assert_eq!(&answer.body[..2], [0x1f, 0x8b]);
    let plain = world.get("/metrics").send().await;
    assert!(!plain.headers.contains_key("content-encoding"));
    assert!(plain.text().contains("spool_http_requests_total"));
    // What nobody may keep has secrets in it, whose length a compressed answer would give away.
    let mut person = registration("ada");
    person["first_name"] = json!("a".repeat(60));
    let signed_in = world.post("/api/auth/register").header("accept-encoding", "gzip");
    let signed_in = signed_in.json(&person).send().await;
    check(&signed_in, 201);
    assert!(!signed_in.headers.contains_key("content-encoding"));
}
