//! The AsyncAPI document: what is written to Kafka for other teams, served at `/api/asyncapi.json`.

use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use spool_platform::config::Kafka;
use spool_projections::publisher::asyncapi;
use std::sync::Arc;

/// Serves the whole document, encoded once.
pub fn routes(kafka: &Kafka) -> Router<Gateway> {
    let document = asyncapi::document(kafka.topic_prefix.as_deref().unwrap_or_default());
    let encoded = Arc::new(Encoded::json(&document, "", Caching::Revalidate));
    let serve = move |headers: HeaderMap| {
        let encoded = Arc::clone(&encoded);
        async move { encoded.answer(&headers) }
    };
    Router::new().route("/api/asyncapi.json", get(serve))
}
