//! The OpenAPI document, the page to read it, the pages for people, and what operators ask for.

use crate::world::{World, check};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every address of the contract that exists so far.
const PROMISED: &[&str] = &[
    "delete /api/auth/api-keys/{id}",
    "delete /api/auth/identities/{id}",
    "delete /api/auth/logout",
    "delete /api/auth/sessions",
    "delete /api/auth/sessions/{id}",
    "delete /api/users/{id}",
    "delete /api/users/{id}/avatar",
    "delete /api/videos/{id}",
    "get /.well-known/jwks.json",
    "get /api/auth/api-keys",
    "get /api/auth/identities",
    "get /api/auth/oidc/providers",
    "get /api/auth/oidc/{provider}/callback",
    "get /api/auth/oidc/{provider}/login",
    "get /api/auth/preferences",
    "get /api/auth/profile",
    "get /api/auth/sessions",
    "get /api/auth/user",
    "get /api/auth/validate-token",
    "get /api/jobs/{id}",
    "get /api/processing/queue/status",
    "get /api/processing/videos/{id}/status",
    "get /api/storage/videos/{id}/hls/master.m3u8",
    "get /api/storage/videos/{id}/hls/{rendition}/{file}",
    "get /api/storage/videos/{id}/original",
    "get /api/storage/videos/{id}/thumbnail",
    "get /api/users",
    "get /api/users/{id}",
    "get /api/users/{id}/audit",
    "get /api/users/{id}/avatar",
    "get /api/users/{id}/export",
    "get /api/users/{id}/preferences",
    "get /api/users/{id}/profile",
    "get /api/users/{id}/stats",
    "get /api/videos",
    "get /api/videos/{id}",
    "get /api/videos/{id}/status",
    "get /health",
    "get /health/live",
    "get /health/ready",
    "get /metrics",
    "get /ws",
    "post /api/auth/api-keys",
    "post /api/auth/confirm-email",
    "post /api/auth/forgot-password",
    "post /api/auth/login",
    "post /api/auth/logout",
    "post /api/auth/oidc/exchange",
    "post /api/auth/refresh-token",
    "post /api/auth/register",
    "post /api/auth/register-admin",
    "post /api/auth/resend-confirmation",
    "post /api/auth/reset-password",
    "post /api/auth/verify",
    "post /api/processing/videos/{id}/cancel",
    "post /api/processing/videos/{id}/start",
    "post /api/storage/upload/video",
    "post /api/users/{id}/restore",
    "post /api/users/{id}/toggle-status",
    "put /api/auth/change-password",
    "put /api/auth/preferences",
    "put /api/auth/profile",
    "put /api/auth/user",
    "put /api/users/{id}",
    "put /api/users/{id}/avatar",
    "put /api/users/{id}/preferences",
    "put /api/users/{id}/profile",
    "put /api/videos/{id}",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_document_has_every_route_and_every_route_is_there() {
    let world = World::open().await;
    let document = world.get("/api/openapi.json").send().await;
    check(&document, 200);
    let document = document.json();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1")),
        "{}",
        document["openapi"]
    );
    let paths = document["paths"].as_object().expect("paths");
    let listed: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .expect("methods")
                .keys()
                .map(move |method| format!("{method} {path}"))
        })
        .collect();
    let promised: BTreeSet<String> = PROMISED.iter().map(|route| (*route).to_owned()).collect();
    assert_eq!(listed, promised);
    for route in &listed {
        let (method, path) = route.split_once(' ').expect("method and path");
        let path = path
            .replace("{id}", "x")
            .replace("{rendition}", "360p")
            .replace("{file}", "index.m3u8");
        let answer = crate::requests::Asking::new(&world.router, &method.to_uppercase(), &path)
            .send()
            .await;
        assert!(answer.status != 405, "{route}: {}", answer.text());
    }
    references_resolve(&document, &document);
}

fn references_resolve(value: &Value, document: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            fields
                .values()
                .for_each(|value| references_resolve(value, document));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| references_resolve(value, document)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_says_what_can_go_wrong_and_who_may() {
    let world = World::open().await;
    let document = world.get("/api/openapi.json").send().await.json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let problem = |answer: &Value| {
                answer["content"]["application/problem+json"]["schema"]["$ref"]
                    == "#/components/schemas/Problem"
            };
            for (status, answer) in operation["responses"].as_object().expect("answers") {
                let named = answer["$ref"].as_str().map(|name| name.trim_start_matches('#'));
                let answer = named.map_or(answer, |name| document.pointer(name).expect("it leads somewhere"));
                let is_health = path.starts_with("/health");
                assert!(
                    is_health || !status.starts_with('4') || problem(answer),
                    "{method} {path}: {status}"
                );
                assert!(
                    answer["description"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{method} {path}: {status}"
                );
            }
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path}"
            );
        }
    }
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .expect("schemes");
    assert_eq!(
        schemes.keys().collect::<Vec<_>>(),
        ["api_key", "bearer", "signature"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_document_needs_nothing_from_elsewhere() {
    let world = World::open().await;
    let page = world.get("/api/docs").send().await;
    check(&page, 200);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'self'")
    );
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert!(page.text().contains("/api/docs/docs.js") && page.text().contains("/api/docs/docs.css"));
    for file in ["docs.js", "dom.js", "try.js", "docs.css"] {
        let file = format!("/api/docs/{file}");
        let answer = world.get(&file).send().await;
        check(&answer, 200);
        assert!(
            !answer.text().contains("http://") && !answer.text().contains("https://"),
            "{file}"
        );
    }
    assert!(
        !page.text().contains("<script>") && !page.text().contains("style="),
        "nothing inline"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_sent_for_the_addresses_they_know() {
    let world = World::open().await;
    for path in [
        "/",
        "/login",
        "/register",
        "/upload",
        "/my",
        "/forgot-password",
        "/reset-password",
        "/confirm-email",
        "/account",
        "/account/preferences",
        "/account/sessions",
        "/account/keys",
        "/account/identities",
        "/account/data",
        "/goodbye",
        "/admin/users",
        "/admin/users/0192aaaa-0000-7000-8000-000000000000",
        "/watch/0192aaaa-0000-7000-8000-000000000000",
    ] {
        let page = world.get(path).header("accept", "text/html").send().await;
        check(&page, 200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
    }
    let unknown = world.get("/somewhere").header("accept", "text/html").send().await;
    check(&unknown, 404);
    assert_eq!(unknown.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_whether_it_lives_and_its_figures() {
    let world = World::open().await;
    check(&world.get("/health/live").send().await, 200);
    let ready = world.get("/health/ready").send().await;
    check(&ready, 200);
    for dependency in ["log", "blobs", "projections"] {
        assert_eq!(ready.json()[dependency], serde_json::json!({"ok": true}));
    }
    let figures = world.get("/metrics").send().await;
    check(&figures, 200);
    let line = "spool_http_requests_total{route=\"/health/live\",method=\"GET\",status=\"2xx\"}";
    assert!(figures.text().contains(line), "{}", figures.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let world = World::open().await;
    let given = "0192f3a0-1111-7222-8333-444455556666";
    let answer = world
        .get("/api/videos")
        .header("x-request-id", given)
        .send()
        .await;
    assert_eq!(answer.header("x-request-id"), given);
    let answer = world
        .get("/api/videos")
        .header("x-request-id", "not one")
        .send()
        .await;
    assert!(
        answer
            .header("x-request-id")
            .parse::<uuid::Uuid>()
            .is_ok_and(|id| id.get_version_num() == 7)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cause_of_a_commit_is_the_request_and_its_trace() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    let (request, trace) = (
        "0192f3a0-1111-7222-8333-444455556666",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );
    let asked = world
        .put(&format!("/api/videos/{}", video["id"].as_str().expect("an id")))
        .by(&ada);
    let asked = asked.header("x-request-id", request).header("traceparent", trace);
    check(
        &asked.json(&serde_json::json!({"title": "Two"})).send().await,
        200,
    );
    let found = (0..world.log.partitions()).any(|partition| {
        let records = world
            .log
            .read(partition, 0, usize::MAX)
            .expect("the log can be read");
        records.iter().any(|record| {
            let commit: Value = serde_json::from_slice(&record.payload).expect("a commit is JSON");
            commit["cause"]["correlation"] == request && commit["cause"]["traceparent"] == trace
        })
    });
    assert!(found);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topics_for_other_teams_are_described() {
    let world = World::open().await;
    let document = world.get("/api/asyncapi.json").send().await;
    check(&document, 200);
    let document = document.json();
    assert_eq!(document["asyncapi"], "3.0.0");
    let messages = &document["channels"]["video-events"]["messages"];
    assert!(messages["VideoUploaded"].is_object(), "{messages}");
}
