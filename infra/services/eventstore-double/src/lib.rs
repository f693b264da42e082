//! Stands in for an EventStoreDB or KurrentDB server in tests, where no real one can be had.
//!
//! It speaks the published gRPC protocol: appends one by one and in batches, reads of streams and of `$all` in both
//! directions, subscriptions to both with filters and checkpoints, server features, and gossip of a cluster of one. That it
//! speaks it as others understand it is checked by an official client of another language (`tests/`). Everything is
//! kept in memory, and outlives [`Double::kill`]: a server that syncs before it answers looks the same.
//!
//! Not there: users, TLS, links, deleting, persistent subscriptions, projections.

#![expect(
    clippy::result_large_err,
    reason = "a status is what the handlers of tonic must fail with"
)]

mod append;
mod faults;
mod filter;
mod read;
mod services;
mod store;
mod subscription;
mod wire;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use faults::Faults;
use store::Store;

/// A server of this process, on a free port of 127.0.0.1. Ends when it is dropped.
pub struct Double {
    store: Arc<Store>,
    faults: Arc<Faults>,
    node: uuid::Uuid,
    port: u16,
    /// None when it was killed.
    running: Option<Runtime>,
}

impl Double {
    /// # Panics
    /// If there is no free port or no thread left.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let mut double = Self {
            store: Arc::new(Store::new()),
            faults: Arc::default(),
            node: uuid::Uuid::new_v4(),
            port,
            running: None,
        };
        double.serve(listener);
        double
    }

    /// What a client connects with.
    pub fn connection_string(&self) -> String {
        format!("esdb://127.0.0.1:{}?tls=false", self.port)
    }

    /// Closes all connections at once, as a server does that is killed. Blocks for a moment; not for async tasks.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.running.take() {
            // Waits, so that nothing is answered any more when this returns.
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }

    /// Serves again, on the same port, what was there when it was killed.
    ///
    /// # Panics
    /// If the port was taken by somebody else meanwhile.
    pub fn restart(&mut self) {
        self.kill();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        // What was killed may still hold the port for a moment.
        let deadline = Instant::now() + Duration::from_secs(10);
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(
                    Instant::now() < deadline,
                    "port {} is not free again after 10 s: {error}",
                    self.port
                ),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        self.serve(listener);
    }

    /// The next `appends` fail before they are made.
    pub fn refuse(&self, appends: u32) {
        self.faults.refused.store(appends, Ordering::Release);
    }

    /// The next `appends` are made, but whoever made them is told that the connection was lost.
    pub fn leave_unanswered(&self, appends: u32) {
        self.faults.unanswered.store(appends, Ordering::Release);
    }

    fn serve(&mut self, listener: TcpListener) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("eventstore-double")
            .enable_all()
            .build()
            .expect("a thread for the double");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let streams = services::Streams {
            store: Arc::clone(&self.store),
            faults: Arc::clone(&self.faults),
        };
        let gossip = services::Gossip {
            node: self.node,
            port: self.port,
        };
        runtime.spawn(async move {
            let listener =
                tokio::net::TcpListener::from_std(listener).expect("the listener fits the runtime");
            let incoming =
                TcpIncoming::from_listener(listener, true, None).expect("the listener can be served");
            Server::builder()
                .add_service(streams)
                .add_service(services::ServerFeatures)
                .add_service(gossip)
                .serve_with_incoming(incoming)
                .await
                .expect("the double serves until it is killed");
        });
        self.running = Some(runtime);
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Some(runtime) = self.running.take() {
            runtime.shutdown_background();
        }
    }
}
