//! The headers that requests may bring and answers have, described once each.

use serde_json::{Map, Value, json};

/// What a request may bring.
pub fn parameters() -> Value {
    let header = |name: &str, example: &str, description: &str| {
        let parameter = json!({
            "name": name, "in": "header", "required": false, "schema": { "type": "string" }, "example": example, "description": description,
        });
        (name.to_owned(), parameter)
    };
    let mut all: Map<String, Value> = [
        header(
            "Idempotency-Key",
            "9b1d7c1e-6f0a-4c6e-9a57-1c1f2f9a3b10",
            "Sent again within 24 hours, the same key with the same body has no second effect and gives the first answer again.",
        ),
        header(
            "If-Match",
            "\"v3\"",
            "The `ETag` of the version to change, or `*` for any. Another version is answered 412.",
        ),
        header(
            "If-None-Match",
            "\"v3-5d41\"",
            "The `ETag` of what the caller has. If it is still that, the answer is 304.",
        ),
        header("Range", "bytes=0-499", "The part of the file that is wanted."),
        header(
            "Consistency-Token",
            "3:1042",
            "From the answer to a command: this query waits, at most 5 seconds, until it can show what that did.",
        ),
    ]
    .into_iter()
    .collect();
    all["Idempotency-Key"]["schema"] = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
    Value::Object(all)
}

/// What an answer has. One that is not required may be missing where it is told of.
pub fn headers() -> Value {
    let header = |name: &str, required: bool, example: Value, description: &str| {
        let kind = if example.is_u64() { "integer" } else { "string" };
        let header = json!({
            "schema": { "type": kind }, "required": required, "example": example, "description": description,
        });
        (name.to_owned(), header)
    };
    let all: Map<String, Value> = [
        header(
            "X-Request-Id",
            true,
            json!("0192f3a0-1111-7222-8333-444455556666"),
            "Names the request: the caller's own id if it sent a UUID, else a new one.",
        ),
        header(
            "Consistency-Token",
            true,
            json!("3:1042"),
            "Send it with a query that must show what this command did.",
        ),
        header(
            "ETag",
            true,
            json!("\"v3-5d41\""),
            "The version: for `If-Match`, to change this one and no other, and for `If-None-Match`.",
        ),
        header(
            "Location",
            true,
            json!("/api/videos/0192f3a0-1111-7222-8333-444455556666"),
            "Where it is, or where to go.",
        ),
        header("Retry-After", true, json!(1), "Seconds after which to ask again."),
        header(
            "RateLimit",
            false,
            json!("\"queries\";r=2999;t=1"),
            "How many requests are left (`r`), and in how many seconds all of them are back (`t`). Missing where nothing is limited.",
        ),
        header(
            "RateLimit-Policy",
            false,
            json!("\"queries\";q=3000;w=60"),
            "How many requests are taken (`q`) in how many seconds (`w`): draft-ietf-httpapi-ratelimit-headers-10.",
        ),
        header("WWW-Authenticate", true, json!("Bearer"), "How to say who asks."),
        header(
            "Allow",
            true,
            json!("GET, HEAD"),
            "The methods that this address takes.",
        ),
        header(
            "Content-Range",
            true,
            json!("bytes 0-499/2000"),
            "Which part of the file it is, and how long the whole is.",
        ),
    ]
    .into_iter()
    .collect();
    Value::Object(all)
}
