//! Values that somebody is likely to have forgotten.

use axum::http::Method;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};
use serde_json::{Number, Value, json};
use uuid::Uuid;

const TEXTS: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "null",
    "true",
    "me",
    "undefined",
    "\0",
    "a\0b",
    "\u{feff}",
    "\u{202e}gnp.exe",
    "\u{200b}",
    "e\u{301}",
    "é",
    "ﬁ",
    "İ",
    "ß",
    "𝒳𝓎𝓏",
    "👩‍👩‍👧‍👦",
    "\u{10ffff}",
    "\u{e000}",
    "../../../../etc/passwd",
    "..%2f..%2f",
    "%00",
    "%",
    "%zz",
    "%ff%fe",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "\"; DROP TABLE videos; --",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "a\r\nSet-Cookie: a=b",
    "line\nline",
    "\t",
    "\\",
    "\"",
    "1e308",
    "NaN",
    "18446744073709551616",
    "-9223372036854775809",
    "0x10",
    "١٢٣",
    "2026-02-30T25:61:61Z",
    "00000000-0000-0000-0000-000000000000",
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    "{00000000-0000-0000-0000-000000000000}",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "a@b",
    "\"a b\"@example.org",
    "http://127.0.0.1:1/",
    "file:///etc/passwd",
    "//example.org/%2f..",
];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "-1",
    "100",
    "101",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e308",
    "1e-400",
    "0.1",
    "1.7976931348623157e308",
];

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "X",
];

pub fn method(choices: &mut StdRng) -> Method {
    METHODS
        .choose(choices)
        .expect("there are some")
        .parse()
        .expect("they are words")
}

pub fn text(choices: &mut StdRng) -> String {
    match choices.random_range(0..12) {
        0..=6 => (*TEXTS.choose(choices).expect("there are some")).to_owned(),
        7 => Uuid::from_u128(choices.random()).to_string(),
        8 => Uuid::now_v7().to_string(),
        9 => {
            let letter = TEXTS.choose(choices).expect("there are some");
            letter.repeat(choices.random_range(0..300))
        }
        10 => "x".repeat(
            *[63, 64, 65, 255, 256, 1_024, 10_000]
                .choose(choices)
                .expect("there are some"),
        ),
        _ => (0..choices.random_range(0..24))
            .map(|_| choices.random::<char>())
            .collect(),
    }
}

pub fn bytes(choices: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; choices.random_range(0..64)];
    choices.fill_bytes(&mut bytes);
    bytes
}

/// As it is written, not as a machine holds it.
pub fn number(choices: &mut StdRng) -> Number {
    let text = NUMBERS.choose(choices).expect("there are some");
    serde_json::from_str(text).unwrap_or_else(|_| Number::from(0))
}

pub fn json(choices: &mut StdRng, depth: usize) -> Value {
    match choices.random_range(0..10) {
        0 => Value::Null,
        1 => json!(choices.random::<bool>()),
        2..=3 => Value::Number(number(choices)),
        4..=7 => Value::String(text(choices)),
        _ if depth > 3 => json!([]),
        8 => (0..choices.random_range(0..4))
            .map(|_| json(choices, depth + 1))
            .collect(),
        _ => (0..choices.random_range(0..4))
            .map(|_| (text(choices), json(choices, depth + 1)))
            .collect(),
    }
}

/// Some of the bytes are other ones, more, or fewer.
pub fn damaged(mut bytes: Vec<u8>, choices: &mut StdRng) -> Vec<u8> {
    for _ in 0..choices.random_range(1..4) {
        if bytes.is_empty() {
            return self::bytes(choices);
        }
        let at = choices.random_range(0..bytes.len());
        match choices.random_range(0..5) {
            0 => bytes[at] = choices.random(),
            1 => bytes[at] ^= 1 << choices.random_range(0..8),
            2 => bytes.truncate(at),
            3 => {
                let end = choices.random_range(at..bytes.len().min(at + 64));
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let added = self::bytes(choices);
                bytes.splice(at..at, added);
            }
        }
    }
    bytes
}
