//! What a schema may not do once its version is published. The rule: within one version optional
//! properties may be added, and nothing else may change but the words that explain it.

use serde_json::{Map, Value};

/// Where `after` breaks what `before` promised, as sentences.
pub fn broken_promises(before: &Value, after: &Value) -> Vec<String> {
    let mut broken = vec![];
    compare("", before, after, &mut broken);
    broken
}

fn compare(place: &str, before: &Value, after: &Value, broken: &mut Vec<String>) {
    let (before, after) = match (before, after) {
        (Value::Object(before), Value::Object(after)) => (before, after),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{place}/{at}"), before, after, broken);
            }
            return;
        }
        _ if before == after => return,
        _ => return broken.push(format!("{place}: {before} became {after}")),
    };
    let keys = before
        .keys()
        .chain(after.keys().filter(|key| !before.contains_key(*key)));
    for key in keys {
        let inside = format!("{place}/{key}");
        match (key.as_str(), before.get(key), after.get(key)) {
            ("description" | "title" | "$id", _, _) => {}
            ("properties" | "$defs", old, new) => grown(&inside, old, new, broken),
            ("required", old, new) if sorted(old) == sorted(new) => {}
            (_, Some(old), Some(new)) => compare(&inside, old, new, broken),
            (_, Some(_), None) => broken.push(format!("{inside} is gone")),
            (_, None, _) => broken.push(format!("{inside} is new")),
        }
    }
}

/// What was there must still be there and mean the same; what is new is optional, as `required` must not change.
fn grown(place: &str, before: Option<&Value>, after: Option<&Value>, broken: &mut Vec<String>) {
    let none = Map::new();
    let entries = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&none).clone();
    let after = entries(after);
    for (name, old) in &entries(before) {
        match after.get(name) {
            Some(new) => compare(&format!("{place}/{name}"), old, new, broken),
            None => broken.push(format!("{place}/{name} is gone")),
        }
    }
}

fn sorted(required: Option<&Value>) -> Vec<String> {
    let mut names: Vec<String> = required
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(Value::to_string)
        .collect();
    names.sort();
    names
}

mod tests {
    use super::broken_promises;
    use serde_json::{Value, json};

    fn film() -> Value {
        json!({
            "description": "A film.",
            "type": "object",
            "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
            "required": ["title"],
        })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: &[&str]) {
        let mut after = film();
        change(&mut after);
        assert_eq!(broken_promises(&film(), &after), expected);
    }

    #[test]
    fn words_and_optional_properties_may_be_added() {
        check(|film| film["description"] = json!("A film, whole."), &[]);
        check(
            |film| film["properties"]["studio"] = json!({"type": ["string", "null"]}),
            &[],
        );
    }

    #[test]
    fn a_required_property_can_neither_come_nor_go() {
        let changed = "/required: [\"title\"] became";
        for required in [json!([]), json!(["title", "year"])] {
            check_starts(|film| film["required"] = required, changed);
        }
    }

    #[test]
    fn a_property_can_neither_vanish_nor_change_its_type() {
        check(
            |film| {
                drop(
                    film["properties"]
                        .as_object_mut()
                        .expect("it is one")
                        .remove("year"),
                )
            },
            &["/properties/year is gone"],
        );
        check(
            |film| film["properties"]["year"]["type"] = json!("string"),
            &["/properties/year/type: \"integer\" became \"string\""],
        );
    }

    #[test]
    fn a_choice_may_be_explained_otherwise_but_not_widened() {
        let choice = |described: &str| json!({"oneOf": [{"const": "public", "description": described}]});
        assert_eq!(broken_promises(&choice("All."), &choice("Everybody.")), [""; 0]);
        let wider = json!({"oneOf": [{"const": "public"}, {"const": "private"}]});
        assert_eq!(broken_promises(&choice("All."), &wider).len(), 1);
    }

    #[test]
    fn a_new_rule_for_old_data_is_refused() {
        check(
            |film| film["properties"]["title"]["maxLength"] = json!(10),
            &["/properties/title/maxLength is new"],
        );
    }

    #[track_caller]
    fn check_starts(change: impl FnOnce(&mut Value), start: &str) {
        let mut after = film();
        change(&mut after);
        let broken = broken_promises(&film(), &after);
        assert!(broken.iter().any(|line| line.starts_with(start)), "{broken:?}");
    }
}
