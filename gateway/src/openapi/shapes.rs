//! Puts right what derived schemas say less well than they could.

use serde_json::{Value, json};

/// Where the schemas with a name are.
const NAMED: &str = "#/components/schemas/";

pub fn mend(document: &mut Value) {
    name_inlined(document);
    everywhere(document, &mut bytes);
    super::for_each_operation(document, |_, _, operation| {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for schema in parameters
            .into_iter()
            .flatten()
            .filter_map(|parameter| parameter.get_mut("schema"))
        {
            never_null(schema);
        }
    });
}

/// A list of something that has a name shows it in full: names it instead, so that clients have one type for it.
fn name_inlined(document: &mut Value) {
    let named = document["components"]["schemas"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let references = |value: &mut Value| {
        let known = named
            .iter()
            .find(|(_, schema)| *schema == value && schema.get("properties").is_some());
        if let Some((name, _)) = known {
            *value = json!({ "$ref": format!("{NAMED}{name}") });
        }
    };
    for schema in document["components"]["schemas"]
        .as_object_mut()
        .into_iter()
        .flat_map(|all| all.values_mut())
    {
        inside(schema, &mut { references });
    }
    everywhere(&mut document["paths"], &mut { references });
}

/// Bytes are derived as a list of numbers.
fn bytes(value: &mut Value) {
    let number = json!({ "type": "integer", "format": "int32", "minimum": 0 });
    if value["type"] == "array" && value["items"] == number {
        *value = json!({ "type": "string", "format": "binary" });
    }
}

/// A parameter can be left out, but `null` cannot be written in a header or a query.
fn never_null(schema: &mut Value) {
    if let Some([kind, Value::String(null)]) = schema["type"].as_array().map(Vec::as_slice)
        && null == "null"
    {
        schema["type"] = kind.clone();
    }
}

fn everywhere(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    change(value);
    inside(value, change);
}

fn inside(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| everywhere(value, change)),
        Value::Array(values) => values.iter_mut().for_each(|value| everywhere(value, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_name_is_called_by_it() {
        let film = json!({ "type": "object", "properties": { "title": { "type": "string" } } });
        let page = json!({ "properties": { "items": { "type": "array", "items": film } } });
        let mut document =
            json!({ "components": { "schemas": { "Film": film, "Page": page } }, "paths": {} });
        mend(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!(
            schemas["Page"]["properties"]["items"]["items"],
            json!({ "$ref": "#/components/schemas/Film" })
        );
        assert_eq!(schemas["Film"], film);
    }

    #[test]
    fn a_parameter_is_left_out_and_not_null() {
        let mut schema = json!({ "type": ["string", "null"] });
        never_null(&mut schema);
        assert_eq!(schema, json!({ "type": "string" }));
    }
}
