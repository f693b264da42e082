//! Bodies: JSON and forms as the document describes them, and what is not quite that.

use super::known::Known;
use super::odd;
use super::operations::Operation;
use crate::forms::{film, picture, written};
use axum::body::Bytes;
use image::ImageFormat;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

/// What the product reads of a JSON body, and a little more.
const TOO_LARGE: usize = 70_000;

/// Content type and content.
pub fn made(operation: &Operation, known: &Known, choices: &mut StdRng) -> (Option<String>, Vec<u8>) {
    let Some((kind, schema)) = &operation.body else {
        return match choices.random_ratio(1, 32) {
            true => (Some("application/json".to_owned()), odd::bytes(choices)),
            false => (None, vec![]),
        };
    };
    if kind.starts_with("multipart/") {
        return form(schema, known, choices);
    }
    if kind.starts_with("image/") {
        return image(choices);
    }
    let body = of_schema("", schema, known, choices);
    let body = match choices.random_ratio(1, 4) {
        true => changed(body, choices),
        false => body,
    };
    let written = match choices.random_range(0..32) {
        0 => odd::damaged(body.to_string().into_bytes(), choices),
        1 => format!("{body}{body}").into_bytes(),
        2 => format!("\u{feff}{body}").into_bytes(),
        3 => format!("{body:#}\n\n").into_bytes(),
        4 => body.to_string().replace("\":\"", "\":\"\\ud800").into_bytes(),
        5 => [b"{\"a\":", &b"[".repeat(choices.random_range(1..20_000))[..]].concat(),
        6 => format!("{{\"a\":\"{}\"}}", "x".repeat(TOO_LARGE)).into_bytes(),
        7 => vec![],
        8 => body
            .to_string()
            .replacen('{', "{\"title\":1e400,\"title\":2,", 1)
            .into_bytes(),
        _ => body.to_string().into_bytes(),
    };
    (Some(kind.clone()), written)
}

/// A picture that is whole, or not quite, under a name that fits, or does not.
fn image(choices: &mut StdRng) -> (Option<String>, Vec<u8>) {
    let kinds = [
        ("image/jpeg", ImageFormat::Jpeg),
        ("image/png", ImageFormat::Png),
        ("image/webp", ImageFormat::WebP),
        ("image/gif", ImageFormat::Gif),
    ];
    let (_, format) = *kinds.choose(choices).expect("there are some");
    let (name, _) = *kinds.choose(choices).expect("there are some");
    let edges = [1, 2, 7, 64];
    let mut edge = || *edges.choose(choices).expect("there are some");
    let file = written(&picture(edge(), edge(), 40), format);
    let file = match choices.random_range(0..4) {
        0 => file,
        1 => odd::bytes(choices),
        _ => odd::damaged(file, choices),
    };
    (Some(name.to_owned()), file)
}

/// In one piece, mostly.
pub fn in_pieces(body: Vec<u8>, choices: &mut StdRng) -> Vec<Bytes> {
    let body = Bytes::from(body);
    if body.is_empty() || choices.random_ratio(3, 4) {
        return vec![body];
    }
    let mut pieces = vec![];
    let mut rest = body;
    while !rest.is_empty() && pieces.len() < 64 {
        pieces.push(rest.split_to(choices.random_range(0..=rest.len())));
    }
    pieces.push(rest);
    pieces
}

fn of_schema(name: &str, schema: &Value, known: &Known, choices: &mut StdRng) -> Value {
    if let Some(choice) = ["oneOf", "anyOf"].iter().find_map(|word| schema[word].as_array()) {
        let chosen = choice.choose(choices).cloned().unwrap_or_default();
        return of_schema(name, &chosen, known, choices);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.choose(choices).cloned().unwrap_or_default();
    }
    if let Some(all) = schema["allOf"].as_array() {
        let parts = all.iter().map(|part| of_schema(name, part, known, choices));
        let fields = parts.filter_map(|part| part.as_object().cloned()).flatten();
        return Value::Object(fields.collect());
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.choose(choices).cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("object") => object(schema, known, choices),
        Some("array") => {
            let one = |_| of_schema(name, &schema["items"], known, choices);
            (0..3).map(one).collect()
        }
        Some("integer") => json!(choices.random_range(0..200)),
        Some("number") => json!(choices.random_range(0.0..100.0)),
        Some("boolean") => json!(choices.random::<bool>()),
        Some("string") => Value::String(text(name, schema, known, choices)),
        _ => Value::Null,
    }
}

fn object(schema: &Value, known: &Known, choices: &mut StdRng) -> Value {
    let mut fields = Map::new();
    let required = schema["required"].as_array();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.is_some_and(|names| names.iter().any(|required| required == name));
        if is_required || choices.random() {
            fields.insert(name.clone(), of_schema(name, schema, known, choices));
        }
    }
    Value::Object(fields)
}

/// What a field of this name would be filled with.
fn text(name: &str, schema: &Value, known: &Known, choices: &mut StdRng) -> String {
    let is_new = choices.random_ratio(1, 2);
    match name {
        "email" if is_new => format!("new{}@example.org", choices.random::<u64>()),
        "username" if is_new => format!("new{}", choices.random::<u64>()),
        _ => super::likely(name, schema, known, choices),
    }
}

/// One field is another one, or gone, or there is one more.
fn changed(mut body: Value, choices: &mut StdRng) -> Value {
    let Some(fields) = body.as_object_mut() else {
        return odd::json(choices, 0);
    };
    let names: Vec<String> = fields.keys().cloned().collect();
    match (names.choose(choices), choices.random_range(0..4)) {
        (Some(name), 0) => drop(fields.remove(name)),
        (Some(name), 1..=2) => drop(fields.insert(name.clone(), odd::json(choices, 0))),
        (_, 3) => drop(fields.insert(odd::text(choices), odd::json(choices, 0))),
        _ => return odd::json(choices, 0),
    }
    body
}

fn form(schema: &Value, known: &Known, choices: &mut StdRng) -> (Option<String>, Vec<u8>) {
    let boundaries = ["x", "----WebKitFormBoundary7MA4YWxk", "a'()+_,-./:=?"];
    let boundary = *boundaries.choose(choices).expect("there are some");
    let mut names: Vec<&String> = schema["properties"]
        .as_object()
        .map(|all| all.keys().collect())
        .unwrap_or_default();
    if choices.random_ratio(1, 16) {
        names.extend(names.clone());
    }
    let mut body = vec![];
    for name in names {
        if choices.random_ratio(1, 12) {
            continue;
        }
        let schema = &schema["properties"][name.as_str()];
        let is_file = schema["format"] == "binary" || schema.get("contentMediaType").is_some();
        let file_name = match (is_file, choices.random_ratio(1, 12)) {
            (true, false) => "; filename=\"a film.mp4\"".to_owned(),
            (true, true) => format!("; filename=\"{}\"", odd::text(choices)),
            (false, _) => String::new(),
        };
        let content = match is_file {
            true => content_of_a_file(choices),
            false => of_schema(name, schema, known, choices)
                .as_str()
                .unwrap_or_default()
                .into(),
        };
        body.extend(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n").bytes(),
        );
        if choices.random_ratio(1, 16) {
            body.extend(format!("{}: {}\r\n", odd::text(choices), odd::text(choices)).bytes());
        }
        body.extend(b"\r\n");
        body.extend(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    if choices.random_ratio(1, 6) {
        body = odd::damaged(body, choices);
    }
    let told = match choices.random_ratio(1, 24) {
        true => odd::text(choices),
        false => boundary.to_owned(),
    };
    (Some(format!("multipart/form-data; boundary=\"{told}\"")), body)
}

fn content_of_a_file(choices: &mut StdRng) -> Vec<u8> {
    match choices.random_range(0..12) {
        0 => vec![],
        1 => odd::bytes(choices),
        2 => film(120_000),
        3 => odd::damaged(film(200), choices),
        4 => b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n".to_vec(),
        _ => film(400),
    }
}
