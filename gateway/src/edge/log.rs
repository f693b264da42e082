//! The access log: a line for a request, at target `access`, without anything that tells who it was.
//!
//! A line takes some microseconds, a good part of what a whole request does; so by default only failures have one. What is
//! counted of all requests is in `/metrics`.

use super::visit::Visit;
use crate::asking::{TRACEPARENT, is_traceparent};
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use spool_platform::config;
use std::time::Instant;

/// Which requests get a line.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog(config::AccessLog);

impl AccessLog {
    pub const fn new(wanted: config::AccessLog) -> Self {
        Self(wanted)
    }

    fn wants(self, status: StatusCode) -> bool {
        let failed = status.is_client_error() || status.is_server_error();
        match self.0 {
            config::AccessLog::Off => false,
            config::AccessLog::Failed => failed && status != StatusCode::TOO_MANY_REQUESTS,
            config::AccessLog::All => true,
        }
    }
}

/// What is known of a request before it is answered.
pub struct Line {
    wanted: AccessLog,
    begun: Instant,
    method: Method,
    /// As routes are written, with `{id}` in it: addresses may carry signatures.
    route: Option<MatchedPath>,
    visit: Visit,
    traceparent: Option<HeaderValue>,
}

impl Line {
    pub fn begun(wanted: AccessLog, request: &Request, visit: Visit) -> Option<Self> {
        if matches!(wanted.0, config::AccessLog::Off) {
            return None;
        }
        Some(Self {
            wanted,
            begun: Instant::now(),
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            visit,
            traceparent: request.headers().get(TRACEPARENT).cloned(),
        })
    }

    pub fn write(self, answer: &Response) {
        if !self.wanted.wants(answer.status()) {
            return;
        }
        let id = self.visit.id;
        tracing::info!(
            target: "access",
            method = %self.method,
            route = self.route.as_ref().map_or("-", MatchedPath::as_str),
            status = answer.status().as_u16(),
            ms = self.begun.elapsed().as_secs_f64() * 1000.0,
            bytes = answer.body().size_hint().exact(),
            request = %id,
            trace = self.trace(),
            client = %self.visit.client,
            "answered"
        );
    }

    /// Of a request that belongs to no trace, its own id is the trace's.
    fn trace(&self) -> String {
        let given = self.traceparent.as_ref().and_then(|value| value.to_str().ok());
        let trace = given
            .filter(|text| is_traceparent(text))
            .and_then(|text| text.get(3..35));
        trace.map_or_else(|| self.visit.id.simple().to_string(), str::to_owned)
    }
}
