//! The ideals: an axum route that only group-commits, and one that only returns bytes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::routing::{get, put};
use spool_log::{Config, Log};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

struct Bare {
    log: Log,
    commit: Bytes,
    /// The next offset of each partition.
    next: Vec<Mutex<u64>>,
    turn: AtomicUsize,
}

/// A log of the same kind and the same bytes for each request, and nothing else.
pub async fn serve(folder: &Path, commit: Bytes) -> SocketAddr {
    let log = Log::open(Config::new(folder.join("bare-log"))).expect("a log opens");
    let next = (0..log.partitions()).map(|_| Mutex::default()).collect();
    let bare = Arc::new(Bare {
        log,
        commit,
        next,
        turn: AtomicUsize::new(0),
    });
    listen(Router::new().route("/append", put(append)).with_state(bare)).await
}

async fn append(State(bare): State<Arc<Bare>>, _body: Bytes) -> &'static str {
    let partition = bare.turn.fetch_add(1, Ordering::Relaxed) % bare.next.len();
    let appending = {
        let mut next = bare.next[partition].lock().expect("nobody panics");
        *next += 1;
        let number = u16::try_from(partition).expect("there are few partitions");
        bare.log.append(number, *next - 1, vec![bare.commit.clone()])
    };
    appending.await.expect("the log takes it");
    "ok"
}

pub fn append_request(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("PUT /append HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The same bytes for each request.
pub async fn serve_bytes(body: Vec<u8>) -> SocketAddr {
    let body = Bytes::from(body);
    let answer = move || {
        let body = body.clone();
        async move {
            (
                [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
                body,
            )
        }
    };
    listen(Router::new().route("/api/videos", get(answer))).await
}

async fn listen(router: Router) -> SocketAddr {
    use axum::serve::ListenerExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket takes options"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
