//! The pages for people: part of the binary, sent with a strict policy, and the index for every address of theirs.

use crate::edge::headers::Shown;
use crate::encoded::{Caching, Encoded};
use crate::problem::{Kind, Problem};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Path below the site's root, and content. `build.rs` writes the list; it is empty when the pages were not built.
const FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/pages.rs"));

const INDEX: &str = "index.html";
/// Built files whose names carry a hash of their content.
const HASHED: &str = "assets/";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Spool</title>\
    <h1>The pages are not in this binary</h1><p>It was built without them. <code>cargo xtask demo</code> builds them first. \
    The API is here all the same: <a href=\"/api/docs\">/api/docs</a>.</p></html>";

/// Whatever no route took: a file of the pages, one of their addresses, or nothing.
pub async fn not_a_route(method: Method, uri: Uri, request: HeaderMap) -> Result<Response, Problem> {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Err(Problem::new(
            Kind::NotFound,
            "there is nothing at this address; /api/docs lists what there is",
        ));
    }
    if method != Method::GET && method != Method::HEAD {
        let problem = Problem::new(Kind::MethodNotAllowed, "pages can only be read");
        return Err(problem.with_header(header::ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    if let Some(file) = files().get(path) {
        return Ok(shown(file.answer(&request)));
    }
    let accepted = request
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if is_page(path) {
        return Ok(shown(index().answer(&request)));
    }
    if !accepted.contains("text/html") {
        return Err(Problem::new(Kind::NotFound, "there is nothing at this address"));
    }
    let mut answer = shown(index().answer(&request));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    Ok(answer)
}

/// The addresses that the pages know; `router.ts` has the same list.
fn is_page(path: &str) -> bool {
    let is_one = |rest: &str| !rest.is_empty() && !rest.contains('/');
    let is_fixed = matches!(
        path,
        "" | "upload"
            | "my"
            | "login"
            | "register"
            | "forgot-password"
            | "reset-password"
            | "confirm-email"
            | "account"
            | "account/preferences"
            | "account/sessions"
            | "account/keys"
            | "account/identities"
            | "account/data"
            | "goodbye"
            | "admin/users"
    );
    let one_of = |folder: &str| path.strip_prefix(folder).is_some_and(is_one);
    is_fixed || one_of("watch/") || one_of("admin/users/")
}

fn shown(mut answer: Response) -> Response {
    answer.extensions_mut().insert(Shown::Page);
    answer
}

fn files() -> &'static HashMap<&'static str, Encoded> {
    static ENCODED: OnceLock<HashMap<&'static str, Encoded>> = OnceLock::new();
    ENCODED.get_or_init(|| {
        let encoded = |(name, content): &(&'static str, &'static [u8])| {
            let caching = if name.starts_with(HASHED) {
                Caching::Immutable
            } else {
                Caching::Revalidate
            };
            (
                *name,
                Encoded::new(Bytes::from_static(content), content_type(name), "", caching),
            )
        };
        FILES.iter().map(encoded).collect()
    })
}

fn index() -> &'static Encoded {
    static INSTEAD: OnceLock<Encoded> = OnceLock::new();
    files().get(INDEX).unwrap_or_else(|| {
        INSTEAD.get_or_init(|| {
            let page = Bytes::from_static(NOT_BUILT.as_bytes());
            Encoded::new(page, content_type(INDEX), "", Caching::Revalidate)
        })
    })
}

/// By the name's end: these files are our own.
pub fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}
