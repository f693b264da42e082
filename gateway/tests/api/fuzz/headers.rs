//! Headers: those that the product reads, with values as they should be and as they should not.

use super::known::Known;
use super::operations::Operation;
use super::{likely, odd};
use crate::place::is_on_servers;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

type Headers = Vec<(String, Vec<u8>)>;

/// What clients, proxies and attackers send, each with values that mean something in it.
const SENT: &[(&str, &[&str])] = &[
    (
        "accept",
        &["*/*", "text/html", "application/json", "image/png;q=0", ";;;"],
    ),
    (
        "accept-encoding",
        &["gzip", "br, gzip;q=0", "identity;q=0", "*;q=0", "gzip;q=9"],
    ),
    ("connection", &["close", "keep-alive, Upgrade"]),
    ("content-encoding", &["gzip", "identity", "br"]),
    (
        "content-length",
        &["0", "1", "-1", "18446744073709551616", "5368709120", "x"],
    ),
    ("cookie", &["a=b", "; ;=;", "session=\u{0};"]),
    ("expect", &["100-continue", "other"]),
    (
        "forwarded",
        &[
            "for=192.0.2.1;proto=https;host=example.org",
            "for=\"[2001:db8::1]:99999\"",
            "for=;;,,",
        ],
    ),
    ("host", &["example.org", "example.org:99999", "[::1", "a b", ""]),
    (
        "idempotency-key",
        &["a", "again", "", "\u{e9}", "0192f3a0-1111-7222-8333-444455556666"],
    ),
    (
        "if-match",
        &[
            "*",
            "\"v1\"",
            "\"v2\"",
            "W/\"v1\"",
            "\"v18446744073709551616\"",
            "v1",
            "\"v-1\"",
            ",",
            "\"v1\", \"v2\"",
        ],
    ),
    (
        "if-modified-since",
        &["Wed, 21 Oct 2015 07:28:00 GMT", "yesterday"],
    ),
    ("if-none-match", &["*", "\"v1\"", "\"\"", ","]),
    ("if-range", &["\"v1\"", "Wed, 21 Oct 2015 07:28:00 GMT", ""]),
    ("origin", &["https://example.org", "null", "x"]),
    ("access-control-request-method", &["PUT", "x y"]),
    (
        "access-control-request-headers",
        &["authorization, if-match", ",,"],
    ),
    (
        "range",
        &[
            "bytes=0-0",
            "bytes=0-",
            "bytes=-1",
            "bytes=-0",
            "bytes=9-1",
            "bytes=0-18446744073709551615",
            "bytes=18446744073709551615-",
            "bytes=0-1,2-3",
            "lines=1-2",
            "bytes=--1",
            "bytes",
        ],
    ),
    ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ==", ""]),
    ("sec-websocket-version", &["13", "0"]),
    (
        "traceparent",
        &[
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-0000000000000000-00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "----",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
        ],
    ),
    ("tracestate", &["a=b", "=,="]),
    ("transfer-encoding", &["chunked", "gzip, chunked"]),
    ("upgrade", &["websocket", "h2c"]),
    (
        "x-forwarded-for",
        &[
            "192.0.2.1",
            "192.0.2.1, , ::1",
            "999.0.0.1",
            "2001:db8::1%eth0",
            "unknown",
        ],
    ),
    ("x-forwarded-host", &["example.org", "evil\"><script>"]),
    ("x-forwarded-proto", &["https", "javascript"]),
    ("x-http-method-override", &["DELETE"]),
    (
        "x-request-id",
        &[
            "0192f3a0-1111-7222-8333-444455556666",
            "x",
            "{0192f3a0-1111-7222-8333-444455556666}",
        ],
    ),
    (
        "consistency-token",
        &[
            "",
            "0:0",
            "1:0",
            "0:x",
            ":",
            "0:",
            ":0",
            "-1:0",
            "0:-1",
            "70000:0",
            "0:0,0:0,,",
            "0:99999999999999999999999",
            "70:0",
        ],
    ),
];

const TYPES: &[&str] = &[
    "application/json",
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "application/merge-patch+json",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\"\"",
    "multipart/mixed; boundary=x",
    "application/x-www-form-urlencoded",
    "application/",
    "/",
    "",
];

pub fn made(
    operation: &Operation,
    content_type: Option<String>,
    known: &Known,
    choices: &mut StdRng,
) -> Headers {
    let mut headers: Headers = vec![];
    if let Some(value) = authorization(known, choices) {
        headers.push(("authorization".to_owned(), value));
    }
    let content_type = match choices.random_ratio(1, 24) {
        true => TYPES.choose(choices).map(|kind| (*kind).to_owned()),
        false => content_type,
    };
    headers.extend(content_type.map(|value| ("content-type".to_owned(), value.into_bytes())));
    for (name, schema) in &operation.headers {
        if choices.random_ratio(1, 3) {
            let heard = match name.to_ascii_lowercase().as_str() {
                "if-match" | "if-none-match" => "etag".to_owned(),
                other => other.to_owned(),
            };
            headers.push((name.clone(), likely(&heard, schema, known, choices).into_bytes()));
        }
    }
    while choices.random_ratio(1, 3) {
        let (name, values) = SENT.choose(choices).expect("there are some");
        // Another node might still write what a token names, so a cluster waits for it, and that takes five seconds.
        let is_odd = *name != "consistency-token" || !is_on_servers();
        let value = match choices.random_range(0..12) {
            0 if is_odd => odd::bytes(choices),
            1 if is_odd => odd::text(choices).into_bytes(),
            _ => values
                .choose(choices)
                .expect("there are some")
                .as_bytes()
                .to_vec(),
        };
        headers.push(((*name).to_owned(), value));
    }
    headers
}

/// Signed in, mostly.
fn authorization(known: &Known, choices: &mut StdRng) -> Option<Vec<u8>> {
    let token =
        |name: &str, choices: &mut StdRng| known.of(name).choose(choices).cloned().unwrap_or_default();
    let value = match choices.random_range(0..24) {
        0..=14 => format!("Bearer {}", token("access_token", choices)),
        15 => format!("bearer  {} ", token("access_token", choices)),
        16 => format!("Bearer {}", token("refresh_token", choices)),
        17 => {
            let bytes = odd::damaged(token("access_token", choices).into_bytes(), choices);
            return Some([b"Bearer ".to_vec(), bytes].concat());
        }
        18 => {
            let odd = [
                "Bearer",
                "Bearer ",
                "Basic YTpi",
                "Digest a=b",
                "Bearer a.b.c",
                "Bearer eyJhbGciOiJub25lIn0.e30.",
            ];
            (*odd.choose(choices).expect("there are some")).to_owned()
        }
        19 => likely("authorization", &Value::Null, known, choices),
        _ => return None,
    };
    Some(value.into_bytes())
}
