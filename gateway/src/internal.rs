//! What this node does for the other nodes of the installation: takes commands for the partitions that it leads, and lets
//! them look at states. Not part of the API, and for holders of the service token only.

use crate::frame::FrameLayer;
use crate::problem::{Kind, Problem};
use crate::serve::{Entrance, serve};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde::Serialize;
use spool_commands::{Commands, GIVE, LOOK, Reply, ServiceToken};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// More than any command takes that a log would.
const QUESTION_MAX_BYTES: usize = 8 << 20;
const QUESTION_WITHIN: Duration = Duration::from_secs(10);

/// The side of a node that the others see. Clones share everything.
#[derive(Clone)]
pub struct Internal(Arc<Inner>);

struct Inner {
    commands: Commands,
    token: ServiceToken,
}

/// RFC 9457, with the address of the node to ask instead.
#[derive(Serialize)]
struct Misdirected {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

impl Internal {
    pub fn new(commands: Commands, token: ServiceToken) -> Self {
        Self(Arc::new(Inner { commands, token }))
    }

    /// The routes, to be served alone or [beside others](crate::Gateway::serve_routes).
    pub fn routes(&self) -> Router {
        Router::new()
            .route(GIVE, post(give))
            .route(LOOK, post(look))
            .layer(FrameLayer::default())
            .with_state(self.clone())
    }

    /// Serves the routes alone on `listener` until `shutdown` resolves; then lets questions under way end, for at most 20
    /// seconds.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        serve(self.routes(), listener, Entrance::default(), shutdown, || {}).await
    }

    /// The question, if it comes from another node of the installation.
    async fn question(&self, request: Request) -> Result<Bytes, Problem> {
        if !self.comes_from_a_node(request.headers()) {
            return Err(Problem::new(
                Kind::SignInNeeded,
                "this is for the nodes of this installation, which have the same keys",
            ));
        }
        let question = to_bytes(request.into_body(), QUESTION_MAX_BYTES);
        match tokio::time::timeout(QUESTION_WITHIN, question).await {
            Ok(Ok(question)) => Ok(question),
            Ok(Err(_)) => Err(Problem::malformed(
                "the question broke off before its end or is too long",
            )),
            Err(_) => Err(Problem::new(
                Kind::TookTooLong,
                "the question did not come in time",
            )),
        }
    }

    fn comes_from_a_node(&self, headers: &HeaderMap) -> bool {
        let authorization = headers.get(header::AUTHORIZATION);
        authorization.is_some_and(|value| self.0.token.is_in(value.as_bytes()))
    }
}

async fn give(State(internal): State<Internal>, request: Request) -> Result<Response, Problem> {
    let question = internal.question(request).await?;
    told(internal.0.commands.answer_given(&question).await)
}

async fn look(State(internal): State<Internal>, request: Request) -> Result<Response, Problem> {
    let question = internal.question(request).await?;
    told(internal.0.commands.answer_look(&question).await)
}

fn told(reply: Reply) -> Result<Response, Problem> {
    match reply {
        Reply::Answer(answer) => Ok(json(StatusCode::OK, "application/json", answer)),
        Reply::Elsewhere(owner) => {
            let status = StatusCode::MISDIRECTED_REQUEST;
            let misdirected = Misdirected {
                kind: "urn:spool:problem:misdirected",
                title: "Another node takes this",
                status: status.as_u16(),
                detail: "this node does not lead the partition of this stream",
                owner,
            };
            let body = serde_json::to_vec(&misdirected).expect("texts and a number become JSON");
            Ok(json(status, "application/problem+json", body))
        }
        Reply::Unavailable(cause) => {
            Err(Problem::unavailable("it is not known what came of this").caused_by(cause))
        }
        Reply::Unreadable => Err(Problem::malformed(
            "the question cannot be read; are all nodes of one version?",
        )),
    }
}

fn json(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    (status, [kind], body).into_response()
}
