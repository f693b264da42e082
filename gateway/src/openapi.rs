//! The OpenAPI document: made from the handlers, completed here, served at `/api/openapi.json`.

use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::problem::{FieldError, ProblemBody};
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use std::sync::Arc;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Spool",
        description = "Films from upload to playback, through a log.\n\nEvery answer that is not a success is `application/problem+json` (RFC 9457). \
            A command's answer carries `Consistency-Token`; a query that sends it back sees what the command did. \
            `Idempotency-Key` makes a POST safe to repeat; `ETag` and `If-Match` keep two writers apart.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody, FieldError)),
    tags(
        (name = "accounts", description = "Registering, signing in and out"),
        (name = "uploads", description = "Bringing films in"),
        (name = "videos", description = "The catalogue"),
        (name = "processing", description = "What is being made of a film"),
        (name = "media", description = "What players fetch"),
        (name = "live", description = "What happens as it happens"),
        (name = "operation", description = "For those who run it")
    ),
    modifiers(&Security)
)]
struct Frame;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token from `/api/auth/login`."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let signature =
            ApiKeyValue::with_description("signature", "Part of the media addresses that an answer gives.");
        components.add_security_scheme("signature", SecurityScheme::ApiKey(ApiKey::Query(signature)));
        document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    }
}

/// What the document says before any route is in it.
pub fn frame() -> Document {
    Frame::openapi()
}

/// Serves the whole document, encoded once.
pub fn routes(document: Document) -> Router<Gateway> {
    let encoded = Arc::new(Encoded::json(&document, "", Caching::Revalidate));
    let serve = move |headers: HeaderMap| {
        let encoded = Arc::clone(&encoded);
        async move { encoded.answer(&headers) }
    };
    Router::new().route("/api/openapi.json", get(serve))
}
