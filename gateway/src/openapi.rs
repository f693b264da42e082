//! The OpenAPI document: made from the handlers, completed here, served at `/api/openapi.json`.

mod conventions;
mod examples;
mod headers;
mod problems;
mod shapes;

use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::problem::{FieldError, ProblemBody};
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use serde_json::Value;
use std::sync::Arc;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Spool",
        description = include_str!("../../infra/docs/API.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody, FieldError)),
    tags(
        (name = "accounts", description = "Registering, signing in and out"),
        (name = "users", description = "Persons and their data"),
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
        let key = ApiKeyValue::with_description(
            "X-Api-Key",
            "An API key from `/api/auth/api-keys`; each operation says which scope it needs.",
        );
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
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

/// The document that the handlers made, with all that is said once for all of them.
fn completed(document: &Document) -> Value {
    let mut document = serde_json::to_value(document).expect("a document has text keys");
    shapes::mend(&mut document);
    conventions::add(&mut document);
    examples::add(&mut document);
    document
}

/// Serves the whole document, encoded once.
pub fn routes(document: &Document) -> Router<Gateway> {
    let encoded = Arc::new(Encoded::json(&completed(document), "", Caching::Revalidate));
    let serve = move |headers: HeaderMap| {
        let encoded = Arc::clone(&encoded);
        async move { encoded.answer(&headers) }
    };
    Router::new().route("/api/openapi.json", get(serve))
}

/// Calls back with every operation: its path, its method, and what it says.
fn for_each_operation(document: &mut Value, mut visit: impl FnMut(&str, &str, &mut Value)) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            visit(path, method, operation);
        }
    }
}
