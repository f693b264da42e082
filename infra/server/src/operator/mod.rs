//! The operator's door: a Unix socket in the data directory of a running node. Who may open the file may ask.
//!
//! Every answer is a stream of JSON lines, the last of which says how it ended.

pub mod client;
pub mod work;

use crate::node::Node;
use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;
use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

/// The socket of the node that works on `data`.
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("operator.sock")
}

/// Opens the door. The directory's lock is held, so a socket that lies there is a dead one's.
pub fn listen(node: &Node) -> anyhow::Result<UnixListener> {
    let path = socket_path(&node.config.data_dir);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| format!("opening {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("restricting {}", path.display()))?;
    Ok(listener)
}

pub async fn serve(node: Node, listener: UnixListener, stop: CancellationToken) {
    let path = socket_path(&node.config.data_dir);
    let router = Router::new()
        .route("/events", get(events))
        .route("/rebuild", post(rebuild))
        .route("/verify", post(verify))
        .with_state(Door {
            node,
            stop: stop.clone(),
        });
    if let Err(error) = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
    {
        tracing::error!(%error, "the operator's socket failed");
    }
    let _ = std::fs::remove_file(path);
}

#[derive(Clone)]
struct Door {
    node: Node,
    stop: CancellationToken,
}

#[derive(Deserialize)]
struct RebuildOf {
    view: String,
}

async fn events(State(door): State<Door>, Query(wanted): Query<work::Wanted>) -> Body {
    let (lines, receiver) = work::lines();
    let (log, stop) = (door.node.log.clone(), door.stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work::events(log, wanted, lines) => {}
        }
    });
    body(receiver)
}

async fn rebuild(State(door): State<Door>, Query(of): Query<RebuildOf>) -> Body {
    let (lines, receiver) = work::lines();
    tokio::spawn(async move { work::rebuild(&door.node.projections, &of.view, lines).await });
    body(receiver)
}

async fn verify(State(door): State<Door>) -> Body {
    let (lines, receiver) = work::lines();
    tokio::spawn(
        async move { work::verify(door.node.log.clone(), door.node.projections.clone(), lines).await },
    );
    body(receiver)
}

fn body(receiver: tokio::sync::mpsc::Receiver<Bytes>) -> Body {
    let lines = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|line| (line, receiver))
    });
    Body::from_stream(lines.map(Ok::<_, Infallible>))
}
