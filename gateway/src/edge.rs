//! The edge: what stands between the internet and the handlers.
//!
//! From the outside in: [`visit`] gives every request an id and its client's address and every answer its headers, [`cors`]
//! lets other sites in where that is configured, and `frame.rs` counts the request against the [`limits`] before it gives it
//! to its handler. [`throttle`] slows down those who guess passwords. [`tls`] and [`doors`] are about connections.

pub mod address;
mod buckets;
mod cors;
pub mod doors;
pub mod headers;
pub mod limits;
pub mod log;
pub mod throttle;
pub mod tls;
pub mod visit;

use crate::gateway::Parts;
use address::Proxies;
use headers::Guards;
use limits::Limits;
use log::AccessLog;
use std::sync::Arc;
use throttle::Throttle;
use tower_http::cors::CorsLayer;

/// The edge of one gateway. Clones share everything.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    proxies: Arc<Proxies>,
    guards: Guards,
    limits: Arc<Limits>,
    throttle: Throttle,
    access_log: AccessLog,
}

impl Edge {
    pub fn new(parts: &Parts) -> Self {
        let Parts { config, clock, .. } = parts;
        let films = parts.blobs.public_url("");
        Self(Arc::new(Inner {
            proxies: Arc::new(Proxies::new(&config.edge)),
            guards: Guards::new(films.as_deref(), config.public_url.as_deref()),
            limits: Arc::new(Limits::new(&config.limits, clock.clone())),
            throttle: Throttle::new(clock.clone()),
            access_log: AccessLog::new(config.edge.access_log),
        }))
    }

    pub fn proxies(&self) -> &Arc<Proxies> {
        &self.0.proxies
    }

    pub fn guards(&self) -> &Guards {
        &self.0.guards
    }

    pub fn limits(&self) -> &Arc<Limits> {
        &self.0.limits
    }

    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub fn access_log(&self) -> AccessLog {
        self.0.access_log
    }
}

/// Nothing, if no other site may call the API.
pub fn cors(parts: &Parts) -> Option<CorsLayer> {
    parts.config.edge.cors_origins.as_ref().map(cors::layer)
}
