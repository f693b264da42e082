//! The address: the operation's path with things in its place, and a query.

use super::known::Known;
use super::operations::Operation;
use super::{likely, odd};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

pub fn made(operation: &Operation, known: &Known, choices: &mut StdRng) -> String {
    let mut path = String::new();
    for piece in operation.path.split_inclusive(['{', '}']) {
        match piece.strip_suffix('}') {
            Some(name) => {
                path.pop();
                let value = place(name, known, choices);
                path.push_str(&escaped(&value, choices));
            }
            None => path.push_str(piece),
        }
    }
    if choices.random_ratio(1, 24) {
        path = bent(path, choices);
    }
    let query = query(operation, known, choices);
    if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    }
}

fn place(name: &str, known: &Known, choices: &mut StdRng) -> String {
    let files = [
        "index.m3u8",
        "0.m4s",
        "init-1.mp4",
        "init-99999999999.mp4",
        "-1.m4s",
        "master.m3u8",
    ];
    match name {
        "rendition" if choices.random_ratio(3, 4) => "360p".to_owned(),
        "file" if choices.random_ratio(3, 4) => (*files.choose(choices).expect("there are some")).to_owned(),
        _ => likely(name, &Value::Null, known, choices),
    }
}

/// Escaped as it should be, mostly.
fn escaped(text: &str, choices: &mut StdRng) -> String {
    if choices.random_ratio(1, 12) {
        return text.to_owned();
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let escape = |byte: u8| match is_plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    };
    text.bytes().map(escape).collect()
}

/// Not quite the path of the operation.
fn bent(path: String, choices: &mut StdRng) -> String {
    match choices.random_range(0..9) {
        0 => format!("{path}/"),
        1 => path.replacen('/', "//", 1),
        2 => path.to_uppercase(),
        3 => format!("{path}/{}", escaped(&odd::text(choices), choices)),
        4 => format!("/.{path}/.."),
        5 => format!("{path};a=b"),
        6 => format!("http://example.org{path}"),
        7 => path.replacen("/api", "", 1),
        _ => format!("/{}", escaped(&odd::text(choices), choices)),
    }
}

fn query(operation: &Operation, known: &Known, choices: &mut StdRng) -> String {
    let mut pairs = vec![];
    for (name, schema) in &operation.queries {
        if choices.random_ratio(1, 2) {
            pairs.push(pair(name, schema, known, choices));
        }
        if choices.random_ratio(1, 32) {
            pairs.push(pair(name, schema, known, choices));
        }
    }
    if choices.random_ratio(1, 16) {
        let others = ["expires", "signature", "x", "limit", "cursor"];
        let name = others.choose(choices).expect("there are some");
        pairs.push(pair(name, &Value::Null, known, choices));
    }
    if choices.random_ratio(1, 32) {
        let broken = ["&", "=", "&&=", "%", "a=%f", "=b", "a[]=1", "a[b]=c", "%00=%00"];
        pairs.push((*broken.choose(choices).expect("there are some")).to_owned());
    }
    pairs.join("&")
}

fn pair(name: &str, schema: &Value, known: &Known, choices: &mut StdRng) -> String {
    let value = match name {
        "limit" if choices.random() => choices.random_range(0..102).to_string(),
        "cursor" => {
            let cursor = likely("next_cursor", schema, known, choices);
            match choices.random_ratio(1, 3) {
                true => String::from_utf8_lossy(&odd::damaged(cursor.into_bytes(), choices)).into_owned(),
                false => cursor,
            }
        }
        _ => likely(name, schema, known, choices),
    };
    format!("{name}={}", escaped(&value, choices))
}
