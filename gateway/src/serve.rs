//! Serves a router on a socket: HTTP/1.1 and HTTP/2, with limits on how long a client may dawdle, until told to stop.

use crate::gateway::Gateway;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A client that has not sent its headers by then has no request to make.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// Requests under way may go on for so long after the word to stop.
const FAREWELL: Duration = Duration::from_secs(20);
/// Pause after a failed accept, most likely for want of file descriptors.
const BREATHER: Duration = Duration::from_millis(50);

impl Gateway {
    /// Serves connections of `listener` until `shutdown` resolves; then lets requests under way end, for at
    /// most 20 seconds, and closes WebSockets.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        self.serve_routes(self.router(), listener, shutdown).await
    }

    /// The same with these routes instead of the gateway's own.
    pub async fn serve_routes(
        &self,
        routes: Router,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        serve(routes, listener, shutdown, || self.live().close()).await
    }
}

/// Serves connections of `listener` until `shutdown` resolves; then calls `closing` and lets requests under way end, for at
/// most 20 seconds.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    closing: impl FnOnce(),
) -> io::Result<()> {
    let service = TowerToHyperService::new(router);
    let builder = builder();
    let (stop, connections) = (Arc::new(Stop::default()), TaskTracker::new());
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(BREATHER).await;
                    continue;
                }
            },
        };
        let stream = TokioIo::new(prepared(stream));
        let connection = builder
            .serve_connection_with_upgrades(stream, service.clone())
            .into_owned();
        let stop = Arc::clone(&stop);
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let served = tokio::select! {
                biased;
                served = connection.as_mut() => served,
                () = stop.begun() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    closing();
    stop.begin();
    connections.close();
    if tokio::time::timeout(FAREWELL, connections.wait()).await.is_err() {
        tracing::warn!("some requests were still under way when the time to stop was over");
    }
    Ok(())
}

/// The word to stop. Every connection waits for it all the time, and each time it looks at all that it waits for: so that
/// look must not take a lock that all of them share.
#[derive(Default)]
struct Stop {
    is_begun: AtomicBool,
    token: CancellationToken,
}

impl Stop {
    fn begin(&self) {
        self.is_begun.store(true, Ordering::Release);
        self.token.cancel();
    }

    async fn begun(&self) {
        let mut cancelled = pin!(self.token.cancelled());
        let mut waits: Option<Waker> = None;
        poll_fn(|context| {
            let is_waiting = waits
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()));
            if is_waiting && !self.is_begun.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            waits = Some(context.waker().clone());
            cancelled.as_mut().poll(context)
        })
        .await;
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADERS_WITHIN)
        .max_concurrent_streams(256);
    builder
}

/// Small answers must not wait for the acknowledgement of earlier ones.
fn prepared(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    stream
}
