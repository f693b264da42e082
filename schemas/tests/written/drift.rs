//! The committed JSON Schemas are what the code says, and a version once published only ever grows.

use crate::compatibility::broken_promises;
use crate::files::{HOW_TO_UPDATE, folder, json_files, parse_name, read, updating, write};
use serde_json::Value;
use spool_schemas::{event_types, json_schema};
use std::path::PathBuf;

fn generated() -> Vec<(PathBuf, Value)> {
    let events = folder("events");
    let mut all: Vec<_> = event_types()
        .iter()
        .map(|event| {
            let file = format!("{}.v{}.json", event.name, event.version);
            (events.join(file), json_schema::of_event(event))
        })
        .collect();
    all.push((events.join("envelope.v1.json"), json_schema::of_envelope()));
    all
}

#[test]
fn the_committed_schemas_are_what_the_code_says() {
    let mut drifted = vec![];
    for (path, schema) in generated() {
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        if path.exists() {
            // Compared as values: the order of keys depends on what else is built with serde_json.
            let before: Value = serde_json::from_str(&read(&path)).expect("a committed schema is JSON");
            if before == schema {
                continue;
            }
            let broken = broken_promises(&before, &schema);
            assert!(
                broken.is_empty(),
                "{} would break what was promised; write a new version instead: {broken:#?}",
                path.display()
            );
        }
        if updating() {
            write(&path, &text);
        } else {
            drifted.push(path);
        }
    }
    assert!(
        drifted.is_empty(),
        "{drifted:?} are not what the code says: {HOW_TO_UPDATE}"
    );
}

#[test]
fn every_version_ever_written_is_described() {
    for event in event_types() {
        for version in 1..=event.version {
            let path = folder("events").join(format!("{}.v{version}.json", event.name));
            assert!(
                path.exists() || updating(),
                "{} is missing: {HOW_TO_UPDATE}",
                path.display()
            );
        }
    }
}

#[test]
fn no_schema_is_of_an_event_that_cannot_be_read() {
    for (name, _) in json_files(&folder("events")) {
        if name == "envelope.v1" {
            continue;
        }
        let (event, version, word) = parse_name(&name);
        let known = event_types()
            .iter()
            .any(|known| known.name == event && version <= known.version);
        assert!(known && word.is_none(), "{name}: there is no such event");
    }
}

#[test]
fn every_schema_is_sound_and_says_what_it_is_about() {
    for (path, schema) in generated() {
        let place = path.display();
        assert!(jsonschema::meta::is_valid(&schema), "{place}: no JSON Schema");
        assert!(
            schema["description"].is_string(),
            "{place}: the type has no docstring"
        );
        assert!(
            schema["$id"].is_string() && schema["title"].is_string(),
            "{place}"
        );
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let described = property["description"].is_string() || property.get("$ref").is_some();
            assert!(described, "{place}: {name} has no docstring");
        }
    }
}

#[test]
fn outside_names_are_words_that_need_no_escape() {
    let mut seen = std::collections::BTreeSet::new();
    for event in event_types() {
        assert!(
            event.name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{}",
            event.name
        );
        assert!(seen.insert(event.name), "{} stands for two events", event.name);
    }
}
