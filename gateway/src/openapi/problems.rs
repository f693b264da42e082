//! The answers that are problems, described once each and named by every operation that can give them.

use crate::problem::Kind;
use serde_json::{Map, Value, json};

const REQUEST: &str = "0192f3a0-1111-7222-8333-444455556666";

/// One component for each status: its name, and the whole of it.
pub fn components() -> Map<String, Value> {
    let mut all = Map::new();
    for kind in Kind::ALL {
        let answer = all.entry(name_of(kind)).or_insert_with(|| bare(kind));
        let (_, name, _) = kind.facts();
        answer["content"]["application/problem+json"]["examples"][name] = json!({ "value": example(kind) });
    }
    all
}

/// The name of the component for the status of this kind.
pub fn name_of(kind: Kind) -> String {
    let first = Kind::ALL
        .into_iter()
        .find(|other| other.status() == kind.status());
    let (_, name, _) = first.unwrap_or(kind).facts();
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}

fn bare(kind: Kind) -> Value {
    let mut headers = json!({});
    for header in headers_of(kind) {
        headers[*header] = json!({ "$ref": format!("#/components/headers/{header}") });
    }
    let mut answer = json!({
        "description": said_of(kind).0,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    if headers != json!({}) {
        answer["headers"] = headers;
    }
    answer
}

const fn headers_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::SignInNeeded => &["WWW-Authenticate"],
        Kind::MethodNotAllowed => &["Allow"],
        Kind::Limited | Kind::Unavailable | Kind::NoRoom => &["Retry-After"],
        Kind::RangeNotSatisfiable => &["Content-Range"],
        _ => &[],
    }
}

fn example(kind: Kind) -> Value {
    let (status, name, title) = kind.facts();
    let detail = said_of(kind).1;
    let mut problem = json!({
        "type": format!("urn:spool:problem:{name}"), "title": title, "status": status.as_u16(), "detail": detail, "instance": REQUEST,
    });
    if kind == Kind::Invalid {
        problem["errors"] = json!([{ "pointer": "/title", "detail": "must not be empty" }]);
    }
    problem
}

/// When a kind is answered, and what its detail may be.
const fn said_of(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Malformed => (
            "A header or the body cannot be read",
            "the body is not JSON: EOF while parsing an object at line 1 column 1",
        ),
        Kind::SignInNeeded => (
            "No valid token where one is needed, or one that is not valid any more",
            "this needs a valid access token in the Authorization header",
        ),
        Kind::NotAllowed => (
            "Known who you are, and that you may not",
            "only the owner or an administrator may do this",
        ),
        Kind::NotFound => (
            "There is none that the caller may know of",
            "there is no such video",
        ),
        Kind::MethodNotAllowed => (
            "This address does not take this method",
            "this address does not take this method; see Allow",
        ),
        Kind::TookTooLong => ("The body did not come in time", "the body did not come in time"),
        Kind::Conflict => (
            "Not in this state, or already somebody else's",
            "the e-mail address is already taken",
        ),
        Kind::Stale => (
            "It was changed meanwhile: the version is not the one in If-Match",
            "it is at version 4 now; read it again before changing it",
        ),
        Kind::TooLarge => (
            "The body is too large",
            "the body must be at most 65536 bytes long",
        ),
        Kind::AddressTooLong => (
            "The address with its query is too long",
            "an address may have 8192 bytes, and this one has 9022",
        ),
        Kind::WrongType => (
            "The body has the wrong type",
            "the body must be JSON, with Content-Type: application/json",
        ),
        Kind::RangeNotSatisfiable => ("The file has no such part", "the file has 2000 bytes"),
        Kind::Invalid | Kind::KeyUsedBefore => (
            "Invalid values, or an Idempotency-Key that came with another body before",
            match kind {
                Kind::Invalid => "the title must not be empty",
                _ => "this Idempotency-Key came with another request before",
            },
        ),
        Kind::Limited => (
            "More requests than are taken in a while, or more attempts to sign in; see Retry-After and RateLimit-Policy",
            "that is more than is taken in a while; RateLimit-Policy says how much is",
        ),
        Kind::HeadersTooLarge => (
            "The headers are too large",
            "all headers together may have 32768 bytes, and these have 40012",
        ),
        Kind::Unavailable | Kind::NoRoom => (
            "Something that this needs is away, or there is no room; see Retry-After",
            match kind {
                Kind::Unavailable => "changes cannot be taken at the moment",
                _ => "there is no room left to keep this; please try again later",
            },
        ),
        Kind::Defect => (
            "A mistake of ours; it is written down below the request's id",
            "this is our mistake, and it was written down; the request's id names it",
        ),
    }
}
