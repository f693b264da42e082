//! The routes for other nodes, as HTTP.

use crate::given::{create, fresh, video};
use crate::world::{PATIENCE, Place, until};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use serde_json::{Value, json};
use spool_commands::{AnyCommand, GIVE, LOOK, ServiceToken};
use spool_platform::keys::Keys;
use tower::ServiceExt;

async fn ask(routes: &Router, path: &str, bearer: Option<&str>, body: String) -> Response<Body> {
    let mut request = Request::post(path);
    if let Some(bearer) = bearer {
        request = request.header(header::AUTHORIZATION, bearer);
    }
    let request = request.body(Body::from(body)).expect("a request");
    routes.clone().oneshot(request).await.expect("it answers")
}

async fn body(answer: Response<Body>) -> Value {
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_nodes_with_the_same_keys_are_answered_and_only_by_the_leader() {
    let place = Place::new().await;
    let (one, other) = (place.node("one").await, place.node("other").await);
    let visitor = place.visitor(PATIENCE).await;
    one.lead_all().await;
    until("the others have heard who leads", async || {
        [&other, &visitor].iter().all(|node| {
            let owner = node
                .log
                .owner(video(1).stream().partition(crate::world::PARTITIONS));
            owner.is_some_and(|owner| owner.url == one.url)
        })
    })
    .await;
    let given = json!({
        "stream": video(1).stream(), "command": AnyCommand::from(create(1)), "ask": fresh(),
    })
    .to_string();
    let look = json!({ "stream": video(1).stream(), "at_once": false }).to_string();
    let ours = ServiceToken::of(&place.keys).bearer();
    let strangers = tempfile::tempdir().expect("a directory for the test");
    let theirs = ServiceToken::of(&Keys::open(strangers.path()).expect("the keys open")).bearer();

    let routes = one.internal.routes();
    for bearer in [
        None,
        Some(theirs.as_str()),
        Some("Bearer "),
        Some(&ours[..ours.len() - 1]),
    ] {
        for (path, question) in [(GIVE, &given), (LOOK, &look)] {
            let answer = ask(&routes, path, bearer, question.clone()).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{bearer:?}");
        }
    }
    for nonsense in ["", "{}", "[1]", look.as_str()] {
        let answer = ask(&routes, GIVE, Some(&ours), nonsense.into()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{nonsense}");
    }
    for node in [&other, &visitor] {
        for (path, question) in [(GIVE, &given), (LOOK, &look)] {
            let answer = ask(&node.internal.routes(), path, Some(&ours), question.clone()).await;
            assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
            let problem = body(answer).await;
            assert_eq!(problem["owner"], json!(one.url), "{problem}");
            assert_eq!(problem["status"], json!(421));
        }
    }
    let accepted = ask(&routes, GIVE, Some(&ours), given).await;
    assert_eq!(accepted.status(), StatusCode::OK);
    assert!(!body(accepted).await["Accepted"]["position"].is_null());
    let seen = body(ask(&routes, LOOK, Some(&ours), look).await).await;
    assert!(seen["version"].as_u64() > Some(0), "{seen}");

    let routes = one.internal.routes();
    one.close().await;
    let again = json!({ "stream": video(1).stream(), "at_once": false }).to_string();
    let closed = ask(&routes, LOOK, Some(&ours), again).await;
    assert!(
        [StatusCode::SERVICE_UNAVAILABLE, StatusCode::MISDIRECTED_REQUEST].contains(&closed.status()),
        "{}",
        closed.status()
    );
    other.close().await;
    visitor.close().await;
}
