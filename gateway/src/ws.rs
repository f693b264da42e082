//! WebSocket: who one is, then what happens to one's own videos as it happens.

use crate::auth::{Credential, Means};
use crate::gateway::Gateway;
use crate::live::{Listening, Mailbox, written};
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use spool_domain::ids::SessionId;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

const AUTH_WITHIN: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(30);
/// Two pings without any sign of life, and some.
const SILENCE: Duration = Duration::from_secs(75);
/// A socket that takes nothing for so long has gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// Small, and nothing held back: the defaults cost 14 times the memory for thousands of quiet sockets.
const READ_BUFFER_BYTES: usize = 2_048;
/// The key of our own answers in a mailbox: the latest one counts.
const ANSWER: Uuid = Uuid::nil();

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(upgrade))
}

/// A WebSocket with `{"type", "data"}` messages.
///
/// The first message is `{"type":"auth","data":{"token":"<access token>"}}`, within 10 seconds, answered by `auth-ok`; the
/// token may be `null`. Then come, about one's own videos, `videoProcessingProgress` {video_id, job_id, state, progress,
/// stage_text}, `videoProcessingComplete` {video_id, job_id} and `videoProcessingError` {video_id, job_id, error_text}. A slow
/// reader gets the latest state of each job. What cannot be understood is answered by `error` {detail}.
#[utoipa::path(get, path = "/ws", operation_id = "open_socket", tag = "live", security(()), responses(
    (status = 101, description = "A WebSocket from here on"),
    (status = 400, description = "Not a WebSocket handshake", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn upgrade(
    State(gateway): State<Gateway>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade
        .map_err(|_| Problem::malformed("this address is a WebSocket; connect with a client for that"))?;
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(MESSAGE_MAX_BYTES)
        .max_frame_size(MESSAGE_MAX_BYTES);
    Ok(upgrade.on_upgrade(move |socket| serve(gateway, socket)))
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: serde_json::Value,
}

async fn serve(gateway: Gateway, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let person = match greet(&gateway, &mut stream).await {
        Ok(person) => person,
        Err(detail) => return part(&mut sink, Some(error(&detail)), close_code::POLICY).await,
    };
    let listening = gateway
        .live()
        .listen(person.as_deref().map(|person| (person.account, session(person))));
    let user_id = person.map(|person| person.account.0);
    let hello = written("auth-ok", &json!({ "user_id": user_id }));
    if send(&mut sink, Message::Text(hello)).await.is_err() {
        return;
    }
    pump(sink, stream, listening).await;
}

const fn session(person: &Credential) -> Option<SessionId> {
    match person.means {
        Means::Session(session) => Some(session),
        Means::ApiKey(..) | Means::Visit(..) => None,
    }
}

/// The person behind the socket, by its first message; nobody in particular if the token is left out.
async fn greet(
    gateway: &Gateway,
    stream: &mut SplitStream<WebSocket>,
) -> Result<Option<Arc<Credential>>, String> {
    let first = timeout(AUTH_WITHIN, first_text(stream)).await;
    let first = first
        .ok()
        .flatten()
        .ok_or("the first message must be auth, within 10 seconds")?;
    let first: Incoming = serde_json::from_str(&first).map_err(|error| format!("not a message: {error}"))?;
    if first.kind != "auth" {
        return Err("the first message must be auth".to_owned());
    }
    match first.data.get("token").and_then(serde_json::Value::as_str) {
        None => Ok(None),
        Some(token) => {
            let believed = gateway.believe(token).await;
            believed
                .map(Some)
                .map_err(|_| "the access token is not good (any more)".to_owned())
        }
    }
}

async fn first_text(stream: &mut SplitStream<WebSocket>) -> Option<Utf8Bytes> {
    loop {
        match stream.next().await?.ok()? {
            Message::Text(text) => return Some(text),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) => return None,
        }
    }
}

/// Writes what comes into the mailbox, and pings, until either side has enough. Reading has a task of its own, so
/// that a socket that cannot be written still notices that the other side has gone.
async fn pump(mut sink: SplitSink<WebSocket, Message>, stream: SplitStream<WebSocket>, listening: Listening) {
    let mailbox = listening.mailbox.clone();
    let mut reading = AbortOnDropHandle::new(tokio::spawn(read(stream, mailbox.clone())));
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let sent = tokio::select! {
            _ = &mut reading => return,
            _ = pings.tick() => send(&mut sink, Message::Ping(bytes::Bytes::new())).await,
            taken = mailbox.take() => match taken {
                Some(messages) => send_all(&mut sink, messages).await,
                None => return part(&mut sink, None, close_code::AWAY).await,
            },
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn read(mut stream: SplitStream<WebSocket>, mailbox: Arc<Mailbox>) {
    let mut heard_at = Instant::now();
    loop {
        let Ok(message) = tokio::time::timeout_at(heard_at + SILENCE, stream.next()).await else {
            return;
        };
        heard_at = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => mailbox.put(ANSWER, answer(&text)),
            Some(Ok(Message::Binary(_))) => mailbox.put(ANSWER, error("messages are text")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
        }
    }
}

fn answer(text: &str) -> Utf8Bytes {
    match serde_json::from_str::<Incoming>(text) {
        Ok(incoming) if incoming.kind == "ping" => written("pong", &incoming.data),
        Ok(incoming) => {
            let kind: String = incoming.kind.chars().take(40).collect();
            error(&format!("there are no messages of type {kind:?} here"))
        }
        Err(problem) => error(&format!("not a message: {problem}")),
    }
}

fn error(detail: &str) -> Utf8Bytes {
    written("error", &json!({ "detail": detail }))
}

/// The socket takes no more.
struct Gone;

async fn send(sink: &mut SplitSink<WebSocket, Message>, message: Message) -> Result<(), Gone> {
    match timeout(WRITE_WITHIN, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

async fn send_all(sink: &mut SplitSink<WebSocket, Message>, messages: Vec<Utf8Bytes>) -> Result<(), Gone> {
    for text in messages {
        send(sink, Message::Text(text)).await?;
    }
    Ok(())
}

/// Says a last word and closes.
async fn part(sink: &mut SplitSink<WebSocket, Message>, last: Option<Utf8Bytes>, code: u16) {
    if let Some(text) = last
        && send(sink, Message::Text(text)).await.is_err()
    {
        return;
    }
    let frame = CloseFrame {
        code,
        reason: Utf8Bytes::default(),
    };
    // Whether the other side hears it makes no difference any more.
    let _ = send(sink, Message::Close(Some(frame))).await;
}
