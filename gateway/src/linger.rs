//! Reads a refused body on for a while: a connection closed on bytes still coming loses the answer on its way.

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::Request;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// How long and how far a body is read on.
const LONGEST: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 64 << 20;

/// What is left of a body that was lent out.
pub struct Rest(Arc<Mutex<Option<BodyDataStream>>>);

struct Lent(Arc<Mutex<Option<BodyDataStream>>>);

/// The body to be read, and what remains of it when the reader has enough.
pub fn lend(body: Body) -> (Body, Rest) {
    let shared = Arc::new(Mutex::new(Some(body.into_data_stream())));
    (Body::from_stream(Lent(shared.clone())), Rest(shared))
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.as_mut()
            .map_or(Poll::Ready(None), |body| body.poll_next_unpin(context))
    }
}

impl Rest {
    /// Reads on in the background and throws away.
    pub fn linger(self) {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(body) = body {
            linger(body);
        }
    }
}

/// Reads on in the background and throws away.
pub fn linger(body: BodyDataStream) {
    tokio::spawn(tokio::time::timeout(LONGEST, throw_away(body)));
}

/// The same for a request that is refused by its head alone; most have no body.
pub fn linger_over(request: Request) {
    let body = request.into_body();
    if !body.is_end_stream() {
        linger(body.into_data_stream());
    }
}

async fn throw_away(mut body: BodyDataStream) {
    let mut left = MOST_BYTES;
    while let Some(Ok(chunk)) = body.next().await {
        match left.checked_sub(chunk.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}
