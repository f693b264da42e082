//! The WebSocket, over a real connection.

use crate::serving::{SOON, Served};
use crate::world::{Person, World, check};
use axum::http::StatusCode;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use spool_domain::jobs::{Command, Failure};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(served: &Served) -> Self {
        let (socket, _) = connect_async(format!("ws://{}/ws", served.address))
            .await
            .expect("it connects");
        Self(socket)
    }

    async fn greeted(served: &Served, person: &Person) -> Self {
        let mut socket = Self::open(served).await;
        socket
            .say(&json!({"type": "auth", "data": {"token": person.access_token}}).to_string())
            .await;
        let hello = socket.hear().await.expect("an answer");
        assert_eq!(hello, json!({"type": "auth-ok", "data": {"user_id": person.id}}));
        socket
    }

    async fn say(&mut self, text: &str) {
        self.0
            .send(Message::Text(text.into()))
            .await
            .expect("it can be written");
    }

    /// The next message; nothing when the socket is closed.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(SOON, self.0.next())
                .await
                .expect("something comes")?
            {
                Ok(Message::Text(text)) => {
                    return Some(serde_json::from_str(&text).expect("messages are JSON"));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_hears_of_their_own_videos_and_of_no_others() {
    let world = World::open().await;
    let served = Served::serve(&world).await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let video = world.video(&ada, "One", "private").await;
    let id = video["id"].as_str().expect("an id");
    let job = world.job_of(id).await;
    let (mut hers, mut others) = (
        Socket::greeted(&served, &ada).await,
        Socket::greeted(&served, &eve).await,
    );
    world.claim(&video).await;
    world.signal(&ada.id, id, &job, 42);
    let progress = hers.hear().await.expect("progress");
    assert_eq!(
        progress,
        json!({"type": "videoProcessingProgress", "data": {
            "video_id": id, "job_id": job, "state": "PROCESSING", "progress": 42, "stage_text": "making 360p",
        }})
    );
    // Whoever comes later hears how things are.
    let mut late = Socket::greeted(&served, &ada).await;
    assert_eq!(late.hear().await, Some(progress));
    let failure = Failure {
        code: "no_video".to_owned(),
        sentence: "No picture.".to_owned(),
        passing: false,
    };
    world.work(&video, Command::Fail { attempt: 1, failure }).await;
    assert_eq!(
        hers.hear().await,
        Some(
            json!({"type": "videoProcessingError", "data": {"video_id": id, "job_id": job, "error_text": "No picture."}})
        )
    );
    others
        .say(&json!({"type": "ping", "data": {"n": 1}}).to_string())
        .await;
    assert_eq!(
        others.hear().await,
        Some(json!({"type": "pong", "data": {"n": 1}})),
        "nothing came before"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_answered_by_an_error() {
    let world = World::open().await;
    let served = Served::serve(&world).await;
    let ada = world.person("ada").await;
    let mut socket = Socket::greeted(&served, &ada).await;
    for text in ["{", "[]", "{\"type\":\"join-premiere\"}"] {
        socket.say(text).await;
        assert_eq!(socket.hear().await.expect("an answer")["type"], "error", "{text}");
    }
    socket.say(&"x".repeat(100_000)).await;
    assert_eq!(socket.hear().await, None, "too much at once ends it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_a_good_beginning_is_closed() {
    let world = World::open().await;
    let served = Served::serve(&world).await;
    for first in [
        "{}",
        "hello",
        "{\"type\":\"auth\",\"data\":{\"token\":\"a.b.c\"}}",
        "{\"type\":\"ping\"}",
    ] {
        let mut socket = Socket::open(&served).await;
        socket.say(first).await;
        assert_eq!(
            socket.hear().await.expect("a last word")["type"],
            "error",
            "{first}"
        );
        assert_eq!(socket.hear().await, None, "{first}");
    }
    let mut nobody = Socket::open(&served).await;
    nobody.say("{\"type\":\"auth\",\"data\":{\"token\":null}}").await;
    assert_eq!(
        nobody.hear().await,
        Some(json!({"type": "auth-ok", "data": {"user_id": null}}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_closes_the_sockets_of_the_session() {
    let world = World::open().await;
    let served = Served::serve(&world).await;
    let ada = world.person("ada").await;
    let mut socket = Socket::greeted(&served, &ada).await;
    check(
        &world.post("/api/auth/logout").by(&ada).send().await,
        StatusCode::NO_CONTENT.as_u16(),
    );
    assert_eq!(socket.hear().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_closes_sockets_and_ends_serving() {
    let world = World::open().await;
    let served = Served::serve(&world).await;
    let ada = world.person("ada").await;
    let mut socket = Socket::greeted(&served, &ada).await;
    let (_, closed) = tokio::join!(served.stop(), socket.hear());
    assert_eq!(closed, None);
}
