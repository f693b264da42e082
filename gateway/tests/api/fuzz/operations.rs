//! The operations of the document, as far as making requests goes.

use axum::http::Method;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

/// Hashing a password takes as long as a thousand other requests, and whoever has signed out, or is gone, gets no further.
const SELDOM: &[&str] = &["register", "login", "password", "logout", "delete /api/users/"];

pub struct Operation {
    /// Method and path as the document has them.
    pub name: String,
    pub method: Method,
    pub path: String,
    /// Name and schema.
    pub queries: Vec<(String, Value)>,
    pub headers: Vec<(String, Value)>,
    /// Content type and schema.
    pub body: Option<(String, Value)>,
    is_seldom: bool,
}

/// All of them, with every reference replaced by what it leads to.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut all = vec![];
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let content = resolved(&operation["requestBody"], document, 0)["content"].take();
            let body = content.as_object().and_then(|content| content.iter().next());
            let name = format!("{method} {path}");
            all.push(Operation {
                is_seldom: SELDOM.iter().any(|word| name.contains(word)),
                name,
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                queries: parameters(operation, "query", document),
                headers: parameters(operation, "header", document),
                body: body.map(|(kind, content)| (kind.clone(), content["schema"].clone())),
            });
        }
    }
    all
}

/// Any of them, some of them seldom.
pub fn chosen<'a>(operations: &'a [Operation], choices: &mut StdRng) -> &'a Operation {
    loop {
        let operation = operations.choose(choices).expect("there are operations");
        if !operation.is_seldom || choices.random_ratio(1, 16) {
            return operation;
        }
    }
}

fn parameters(operation: &Value, place: &str, document: &Value) -> Vec<(String, Value)> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let all = all.map(|parameter| resolved(parameter, document, 0));
    all.filter(|parameter| parameter["in"] == place)
        .map(|parameter| {
            let name = parameter["name"].as_str().expect("a parameter has a name");
            let mut schema = parameter["schema"].clone();
            if let (Some(example), Some(fields)) = (parameter.get("example"), schema.as_object_mut()) {
                fields.insert("example".to_owned(), example.clone());
            }
            (name.to_owned(), schema)
        })
        .collect()
}

fn resolved(value: &Value, document: &Value, depth: usize) -> Value {
    // A schema may lead to itself.
    if depth > 12 {
        return Value::Null;
    }
    let go_on = |value: &Value| resolved(value, document, depth + 1);
    match value {
        Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let pointer = reference.trim_start_matches('#');
                go_on(document.pointer(pointer).expect("references lead somewhere"))
            }
            None => fields
                .iter()
                .map(|(name, value)| (name.clone(), go_on(value)))
                .collect(),
        },
        Value::Array(values) => values.iter().map(go_on).collect(),
        plain => plain.clone(),
    }
}
