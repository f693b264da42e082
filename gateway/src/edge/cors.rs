//! Lets pages of other sites call the API, where that is configured.

use super::limits::{RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::asking::{CONSISTENCY_TOKEN, IDEMPOTENCY_KEY, REQUEST_ID, TRACEPARENT};
use axum::http::{HeaderName, HeaderValue, Method, header};
use spool_platform::config::Origins;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may rely on a permission; the longest that browsers take.
const GOOD_FOR: Duration = Duration::from_secs(7_200);

/// Nobody sends cookies here, so none are allowed: a token has to be shown by whoever has it.
pub fn layer(origins: &Origins) -> CorsLayer {
    let origins = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::These(origins) => AllowOrigin::list(origins.iter().map(|origin| {
            HeaderValue::try_from(origin.as_str()).expect("the configuration takes plain origins only")
        })),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            header::IF_RANGE,
            header::RANGE,
            HeaderName::from_static("x-api-key"),
            CONSISTENCY_TOKEN,
            IDEMPOTENCY_KEY,
            REQUEST_ID,
            TRACEPARENT,
        ])
        .expose_headers([
            header::ACCEPT_RANGES,
            header::ALLOW,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            CONSISTENCY_TOKEN,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            REQUEST_ID,
        ])
        .max_age(GOOD_FOR)
}
