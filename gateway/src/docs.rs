//! The page to read the OpenAPI document with, and to try it, at `/api/docs`: our own few lines, nothing from elsewhere.

use crate::edge::headers::Shown;
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::pages::content_type;
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use std::sync::Arc;

const FILES: [(&str, &str, &[u8]); 5] = [
    ("/api/docs", "index.html", include_bytes!("docs_page/index.html")),
    (
        "/api/docs/docs.css",
        "docs.css",
        include_bytes!("docs_page/docs.css"),
    ),
    (
        "/api/docs/docs.js",
        "docs.js",
        include_bytes!("docs_page/docs.js"),
    ),
    ("/api/docs/dom.js", "dom.js", include_bytes!("docs_page/dom.js")),
    ("/api/docs/try.js", "try.js", include_bytes!("docs_page/try.js")),
];

pub fn routes() -> Router<Gateway> {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, name, content)| {
            let encoded = Encoded::new(
                Bytes::from_static(content),
                content_type(name),
                "",
                Caching::Revalidate,
            );
            let encoded = Arc::new(encoded);
            let serve = move |request: HeaderMap| {
                let encoded = Arc::clone(&encoded);
                async move { (Extension(Shown::Page), encoded.answer(&request)) }
            };
            router.route(path, get(serve))
        })
}
