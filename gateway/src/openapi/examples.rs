//! Gives every body that has no example one, put together from what its schema says of each field.

use serde_json::{Map, Value, json};

const JSON: &str = "application/json";
const FORM: &str = "multipart/form-data";
const ID: &str = "0192f3a0-1111-7222-8333-444455556666";
const TIME: &str = "2026-11-21T08:00:00Z";
/// No shape of ours is that deep; one that contains itself would never end.
const DEEPEST: usize = 16;

pub fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    super::for_each_operation(document, |_, _, operation| {
        let asked = operation.pointer_mut("/requestBody/content");
        asked
            .into_iter()
            .for_each(|content| exemplify(content, &schemas, false));
        for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
            let content = answer.get_mut("content").filter(|_| status.starts_with('2'));
            content
                .into_iter()
                .for_each(|content| exemplify(content, &schemas, true));
        }
    });
}

/// `whole` also shows what may be left out.
fn exemplify(content: &mut Value, schemas: &Value, whole: bool) {
    for kind in [JSON, FORM] {
        let Some(media) = content.get_mut(kind).and_then(Value::as_object_mut) else {
            continue;
        };
        if media.contains_key("example") || media.contains_key("examples") {
            continue;
        }
        if let Some(example) = media
            .get("schema")
            .and_then(|schema| example_of(schema, schemas, whole, DEEPEST))
        {
            media.insert("example".to_owned(), example);
        }
    }
}

fn example_of(schema: &Value, schemas: &Value, whole: bool, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(example) = schema
        .get("example")
        .or_else(|| schema.get("default"))
        .or_else(|| schema.get("const"))
    {
        return Some(example.clone());
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return example_of(&schemas[name], schemas, whole, depth);
    }
    if let Some(first) = ["examples", "enum"].iter().find_map(|word| schema[*word].get(0)) {
        return Some(first.clone());
    }
    for word in ["oneOf", "anyOf"] {
        let choices = schema[word].as_array().into_iter().flatten();
        if let Some(found) = choices
            .filter(|choice| choice["type"] != "null")
            .find_map(|choice| example_of(choice, schemas, whole, depth))
        {
            return Some(found);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let shown = parts
            .iter()
            .filter_map(|part| example_of(part, schemas, whole, depth));
        let fields: Map<String, Value> = shown
            .filter_map(|value| value.as_object().cloned())
            .flatten()
            .collect();
        return Some(Value::Object(fields));
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    Some(match kind? {
        "object" => object(schema, schemas, whole, depth),
        "array" => Value::Array(
            example_of(&schema["items"], schemas, whole, depth)
                .into_iter()
                .collect(),
        ),
        "string" => text(schema),
        "integer" => schema
            .get("minimum")
            .filter(|least| least.as_f64() > Some(0.0))
            .cloned()
            .unwrap_or(json!(1)),
        "number" => json!(1.5),
        "boolean" => json!(true),
        _ => return None,
    })
}

fn object(schema: &Value, schemas: &Value, whole: bool, depth: usize) -> Value {
    let is_needed = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|needed| needed.iter().any(|one| one == name))
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let shown =
        properties.filter(|(name, property)| whole || is_needed(name) || property.get("example").is_some());
    let fields = shown
        .filter_map(|(name, property)| Some((name.clone(), example_of(property, schemas, whole, depth)?)));
    Value::Object(fields.collect())
}

fn text(schema: &Value) -> Value {
    match schema["format"].as_str() {
        Some("uuid") => json!(ID),
        Some("date-time") => json!(TIME),
        Some("date") => json!(TIME[..10]),
        Some("email") => json!("ada@example.org"),
        Some("uri") => json!("https://example.org/"),
        Some("binary") => json!("the bytes of a file"),
        _ => json!("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &Value, whole: bool, expected: &Value) {
        let schemas = json!({ "Film": { "type": "object", "required": ["id"], "properties": {
            "id": { "type": "string", "format": "uuid" }, "title": { "type": ["string", "null"] } } } });
        assert_eq!(
            example_of(schema, &schemas, whole, DEEPEST).as_ref(),
            Some(expected),
            "{schema}"
        );
    }

    #[test]
    fn examples_follow_the_schema() {
        let film = json!({ "$ref": "#/components/schemas/Film" });
        check(&film, false, &json!({ "id": ID }));
        check(&film, true, &json!({ "id": ID, "title": "text" }));
        check(
            &json!({ "oneOf": [{ "type": "null" }, { "enum": ["a", "b"] }] }),
            false,
            &json!("a"),
        );
        check(
            &json!({ "type": "array", "items": { "type": "integer", "minimum": 8 } }),
            false,
            &json!([8]),
        );
        check(
            &json!({ "type": "string", "example": "Ada" }),
            false,
            &json!("Ada"),
        );
    }
}
