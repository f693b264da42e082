//! Serves a router on a socket: HTTP/1.1 and HTTP/2, with limits on how long a client may dawdle, until told to stop.

use crate::gateway::Gateway;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::pin::pin;
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
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
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
        let stopping = stopping.clone();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stopping.cancelled() => {
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
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(FAREWELL, connections.wait()).await.is_err() {
        tracing::warn!("some requests were still under way when the time to stop was over");
    }
    Ok(())
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
