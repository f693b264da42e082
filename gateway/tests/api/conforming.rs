//! Holds every answer of every story against the OpenAPI document: a status, header or shape that it does not have fails
//! the story.

use crate::requests::Answer;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Headers that clients rely on, and so must be told of where they come.
const TOLD: &[&str] = &[
    "etag",
    "consistency-token",
    "retry-after",
    "www-authenticate",
    "content-range",
    "allow",
    "location",
];

static DOCUMENT: OnceLock<Document> = OnceLock::new();

struct Document {
    whole: Value,
    /// By the pointer to the schema.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

pub fn is_known() -> bool {
    DOCUMENT.get().is_some()
}

/// The document of this binary, the same in every world.
pub fn know(document: Value) {
    DOCUMENT.get_or_init(|| Document {
        whole: strict(document),
        validators: Mutex::default(),
    });
}

/// Panics with what an answer has, or lacks, against what the document says. What is no operation is not looked at.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let document = DOCUMENT.get().expect("it was asked for before");
    if let Some(complaint) = document.complaint(method, path, answer) {
        panic!(
            "{method} {path} was answered {} against the document: {complaint}; {}",
            answer.status,
            answer.text()
        );
    }
}

impl Document {
    fn complaint(&self, method: &str, path: &str, answer: &Answer) -> Option<String> {
        let template = self.template(path)?;
        let method = method.to_lowercase();
        self.whole["paths"][&template].get(&method)?;
        let status = answer.status.as_str();
        let mut place = format!("/paths/{}/{method}/responses/{status}", escaped(&template));
        let Some(mut said) = self.whole.pointer(&place) else {
            return Some(format!("{method} {template} does not say {status}"));
        };
        if let Some(reference) = said["$ref"].as_str() {
            place = reference.trim_start_matches('#').to_owned();
            said = self.whole.pointer(&place).expect("references lead somewhere");
        }
        headers_differ(&told_headers(&self.whole, said), answer)
            .or_else(|| self.body_differs(&place, said, answer))
    }

    /// The path of the document that has the most words of this one.
    fn template(&self, path: &str) -> Option<String> {
        let words: Vec<&str> = path.split('/').collect();
        let fits = |template: &&String| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == words.len()
                && parts
                    .iter()
                    .zip(&words)
                    .all(|(part, word)| part == word || part.starts_with('{'))
        };
        let paths = self.whole["paths"].as_object().expect("paths");
        paths
            .keys()
            .filter(fits)
            .min_by_key(|template| template.matches('{').count())
            .cloned()
    }

    fn body_differs(&self, place: &str, said: &Value, answer: &Answer) -> Option<String> {
        if answer.body.is_empty() {
            return None;
        }
        let kind = answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let media = said["content"].get(&kind).or_else(|| said["content"].get("*/*"));
        let Some(media) = media else {
            return Some(format!("a body of {kind} is not told of"));
        };
        if !kind.ends_with("json") || media.get("schema").is_none() {
            return None;
        }
        let validator = self.validator(&format!("{place}/content/{}/schema", escaped(&kind)));
        let body = answer.json();
        let errors: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    }

    fn validator(&self, pointer: &str) -> Arc<Validator> {
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = known.entry(pointer.to_owned()).or_insert_with(|| {
            let mut schema = self.whole.pointer(pointer).expect("it was looked at").clone();
            schema["components"] = self.whole["components"].clone();
            let built = jsonschema::options().should_validate_formats(true).build(&schema);
            Arc::new(built.unwrap_or_else(|error| panic!("{pointer}: {error}")))
        });
        Arc::clone(validator)
    }
}

/// Each header that is told of, in small letters, and whether it is always there.
fn told_headers(document: &Value, said: &Value) -> Vec<(String, bool)> {
    let headers = said["headers"].as_object().into_iter().flatten();
    let each = headers.map(|(name, header)| {
        let named = header["$ref"].as_str().map(|place| place.trim_start_matches('#'));
        let header = named.map_or(header, |place| {
            document.pointer(place).expect("references lead somewhere")
        });
        (name.to_lowercase(), header["required"] == true)
    });
    each.collect()
}

fn headers_differ(told: &[(String, bool)], answer: &Answer) -> Option<String> {
    let is_told = |name: &str| told.iter().any(|(told, _)| told == name);
    let is_there = |name: &str| answer.headers.contains_key(name);
    let untold = TOLD.iter().find(|name| is_there(name) && !is_told(name));
    let missing = told.iter().find(|(name, required)| *required && !is_there(name));
    untold
        .map(|name| format!("its header {name} is not told of"))
        .or_else(|| missing.map(|(name, _)| format!("its header {name} is missing")))
}

/// The document, but a field that no schema has is against it. A schema that is part of others knows only some of their fields.
fn strict(mut document: Value) -> Value {
    let mut parts = vec![];
    parts_of_others(&document, &mut parts);
    let schemas = document["components"]["schemas"]
        .as_object_mut()
        .expect("schemas");
    for (name, schema) in schemas {
        let is_whole = schema.get("properties").is_some() && !parts.contains(name);
        if is_whole && schema.get("additionalProperties").is_none() {
            schema["additionalProperties"] = json!(false);
        }
    }
    document
}

fn parts_of_others(value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let all_of = fields
                .get("allOf")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let names = all_of.filter_map(|part| part["$ref"].as_str()?.rsplit('/').next());
            parts.extend(names.map(str::to_owned));
            fields.values().for_each(|value| parts_of_others(value, parts));
        }
        Value::Array(values) => values.iter().for_each(|value| parts_of_others(value, parts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}
