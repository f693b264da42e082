//! Serves a router on a socket: HTTP/1.1 and HTTP/2, with or without TLS, with limits on how long a client may dawdle, until
//! told to stop.

use crate::edge::address::Peer;
use crate::edge::doors::Doors;
use crate::edge::tls::Tls;
use crate::gateway::Gateway;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

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
        self.serve_routes(self.router(), listener, None, shutdown).await
    }

    /// The same with these routes instead of the gateway's own, and by HTTPS if there is a certificate.
    pub async fn serve_routes(
        &self,
        routes: Router,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let most = self.parts().config.edge.connections_per_address;
        let entrance = Entrance {
            doors: Some(Doors::new(most, Arc::clone(self.edge().proxies()))),
            tls,
        };
        serve(routes, listener, entrance, shutdown, || self.live().close()).await
    }
}

/// What a connection has to pass. By default nothing.
#[derive(Clone, Default)]
pub struct Entrance {
    doors: Option<Doors>,
    tls: Option<Tls>,
}

/// Serves connections of `listener` until `shutdown` resolves; then calls `closing` and lets requests under way end, for at
/// most 20 seconds.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    entrance: Entrance,
    shutdown: impl Future<Output = ()>,
    closing: impl FnOnce(),
) -> io::Result<()> {
    let serving = Serving {
        router,
        builder: builder(),
        stop: Stop::default(),
    };
    let (serving, connections) = (Arc::new(serving), TaskTracker::new());
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, address) = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(BREATHER).await;
                    continue;
                }
            },
        };
        let place = match &entrance.doors {
            None => None,
            Some(doors) => match doors.enter(address.ip().to_canonical()) {
                None => continue,
                place => place,
            },
        };
        let (serving, tls) = (Arc::clone(&serving), entrance.tls.clone());
        connections.spawn(async move {
            serving.connection(prepared(stream), address, tls).await;
            drop(place);
        });
    }
    drop(listener);
    closing();
    serving.stop.begin();
    connections.close();
    if tokio::time::timeout(FAREWELL, connections.wait()).await.is_err() {
        tracing::warn!("some requests were still under way when the time to stop was over");
    }
    Ok(())
}

/// What all connections have in common.
struct Serving {
    router: Router,
    builder: Builder<TokioExecutor>,
    stop: Stop,
}

impl Serving {
    async fn connection(&self, stream: TcpStream, address: SocketAddr, tls: Option<Tls>) {
        let peer = Peer::new(address, tls.is_some());
        let Some(tls) = tls else {
            return self.requests(stream, peer).await;
        };
        // Apart, so that connections without TLS do not carry what it needs.
        Box::pin(async move {
            match tls.greet(stream).await {
                Ok(stream) => self.requests(stream, peer).await,
                Err(error) => tracing::debug!(%error, "no key was agreed on"),
            }
        })
        .await;
    }

    async fn requests(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, peer: Peer) {
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            // A router is always ready.
            router.clone().call(request)
        });
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let served = tokio::select! {
            biased;
            served = connection.as_mut() => served,
            () = self.stop.begun() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection broke");
        }
    }
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
