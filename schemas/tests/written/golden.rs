//! What was written once is read for ever: the committed samples, which only ever become more.

use crate::files::{HOW_TO_UPDATE, folder, json_files, parse_name, read, updating, write};
use crate::records;
use crate::samples::samples;
use serde_json::Value;
use sha2::{Digest, Sha256};
use spool_domain::ids::Feature;
use spool_schemas::{AnyEvent, CommitRef, DecodeError, Event, EventType, event_types};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes the samples that have no file yet.
fn complete_the_samples() {
    for (word, event) in samples() {
        let (name, version) = event.name_and_version();
        let dot = if word.is_empty() { "" } else { "." };
        let path = folder("golden").join(format!("{name}.v{version}{dot}{word}.json"));
        if !path.exists() {
            let text = serde_json::to_string_pretty(&data_of(&event)).expect("a sample is JSON");
            write(&path, &(text + "\n"));
        }
    }
    for (feature, commit) in records::records() {
        let path = folder("golden/records").join(format!("{}.json", feature.as_str()));
        if !path.exists() {
            let record = String::from_utf8(commit.encode()).expect("JSON is UTF-8");
            write(&path, &record);
        }
    }
}

fn data_of(event: &AnyEvent) -> Value {
    let written = serde_json::to_value(Event(event.clone())).expect("an event is JSON");
    written["data"].clone()
}

fn event_type(name: &str) -> EventType {
    event_types()
        .into_iter()
        .find(|event| event.name == name)
        .unwrap_or_else(|| panic!("{name} was written once and is known no more"))
}

fn decode(name: &str, version: u16, text: &str) -> Result<AnyEvent, DecodeError> {
    AnyEvent::decode(name, version, text)
}

/// One test, because its parts read what the first of them may write.
#[test]
fn everything_ever_written_is_read() {
    if updating() {
        complete_the_samples();
        extend_the_manifest();
    }
    the_manifest_knows_every_file_as_it_is();
    every_version_of_every_event_has_a_sample();
    for (file, path) in json_files(&folder("golden")) {
        a_sample_is_read_and_written_alike(&file, &path);
    }
    for feature in Feature::ALL {
        let path = folder("golden/records").join(format!("{}.json", feature.as_str()));
        assert!(path.exists(), "{feature:?} has no golden record: {HOW_TO_UPDATE}");
    }
    for (file, path) in json_files(&folder("golden/records")) {
        a_record_is_read_and_written_alike(&file, &path);
    }
}

fn every_version_of_every_event_has_a_sample() {
    let files = json_files(&folder("golden"));
    for event in event_types() {
        for version in 1..=event.version {
            let of_it = |file: &str| {
                let (name, number, _) = parse_name(file);
                (name, number) == (event.name, version)
            };
            assert!(
                files.iter().any(|(file, _)| of_it(file)),
                "{} version {version} has no sample: {HOW_TO_UPDATE}",
                event.name
            );
        }
    }
}

fn a_sample_is_read_and_written_alike(file: &str, path: &Path) {
    let text = read(path);
    let (name, version, _) = parse_name(file);
    let event = decode(name, version, &text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let before: Value = serde_json::from_str(&text).expect("a sample is JSON");
    let after = data_of(&event);
    let known = event_type(name);
    if version == known.version {
        assert_eq!(after, before, "{file} is written otherwise than it was");
        let rewritten = (known.rewrite)(&text).expect("it was just read");
        let rewritten: Value = serde_json::from_str(&rewritten).expect("what is written is JSON");
        assert_eq!(rewritten, before, "{file} is rewritten otherwise than it was");
    }
    describes(name, version, &before, file);
    describes(name, known.version, &after, file);
}

/// Holds that the committed schema of that version describes `data`.
fn describes(name: &str, version: u16, data: &Value, file: &str) {
    let path = folder("events").join(format!("{name}.v{version}.json"));
    if !path.exists() && updating() {
        return; // Another test of this run writes it.
    }
    let schema: Value = serde_json::from_str(&read(&path)).expect("a schema is JSON");
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let complaints: Vec<String> = validator
        .iter_errors(data)
        .map(|error| error.to_string())
        .collect();
    assert!(
        complaints.is_empty(),
        "{file} is not as described: {complaints:?}"
    );
}

fn a_record_is_read_and_written_alike(file: &str, path: &Path) {
    let record = std::fs::read(path).expect("a listed file can be read");
    let commit = CommitRef::decode(&record).unwrap_or_else(|error| panic!("{file}: {error}"));
    let events = commit
        .decode_events()
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(!events.is_empty(), "{file} has no events");
    let (feature, _) = file.split_once('.').unwrap_or((file, ""));
    assert_eq!(commit.stream.feature.as_str(), feature, "{file}");
    let current = commit
        .events
        .iter()
        .zip(&events)
        .all(|(written, event)| event.name_and_version() == (written.name, written.version));
    if current {
        let again = records::owned(&commit, events).encode();
        assert_eq!(
            String::from_utf8_lossy(&again),
            String::from_utf8_lossy(&record),
            "{file} is written otherwise than it was"
        );
    }
}

fn manifest() -> BTreeMap<String, String> {
    read(&folder("golden/MANIFEST"))
        .lines()
        .map(|line| line.split_once("  ").expect("lines are '<sha-256>  <file>'"))
        .map(|(sum, file)| (file.to_owned(), sum.to_owned()))
        .collect()
}

/// Every golden file with its SHA-256.
fn sums() -> BTreeMap<String, String> {
    let sum = |path: &Path| {
        let bytes = std::fs::read(path).expect("a listed file can be read");
        let sum = Sha256::digest(bytes);
        sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let samples = json_files(&folder("golden"))
        .into_iter()
        .map(|(name, path)| (format!("{name}.json"), sum(&path)));
    let records = json_files(&folder("golden/records"))
        .into_iter()
        .map(|(name, path)| (format!("records/{name}.json"), sum(&path)));
    samples.chain(records).collect()
}

/// Adds lines for new files; those of old files stay, whatever has become of the files.
fn extend_the_manifest() {
    let path = folder("golden/MANIFEST");
    let mut lines = if path.exists() {
        manifest()
    } else {
        BTreeMap::new()
    };
    for (file, sum) in sums() {
        lines.entry(file).or_insert(sum);
    }
    let text: String = lines
        .iter()
        .map(|(file, sum)| format!("{sum}  {file}\n"))
        .collect();
    write(&path, &text);
}

fn the_manifest_knows_every_file_as_it_is() {
    let (manifest, sums) = (manifest(), sums());
    for (file, sum) in &manifest {
        assert_eq!(
            sums.get(file),
            Some(sum),
            "golden/{file} was changed or removed; logs have it as it was"
        );
    }
    for file in sums.keys() {
        assert!(
            manifest.contains_key(file),
            "golden/{file} is not in the manifest: {HOW_TO_UPDATE}"
        );
    }
}
