//! Values as snapshots show them: what differs from run to run is replaced by what it is.

use serde_json::{Map, Value, json};
use spool_log::Log;
use spool_schemas::CommitRef;
use std::collections::HashMap;

const UUID_CHARS: usize = 36;

/// Replaces ids by their order of appearance, and secrets by their names.
#[derive(Default)]
pub struct Redacting {
    ids: HashMap<String, usize>,
}

pub fn redacted(value: Value) -> Value {
    Redacting::default().value(value)
}

impl Redacting {
    pub fn value(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(fields) => {
                let field = |(name, value): (String, Value)| match name.as_str() {
                    "access_token" | "refresh_token" | "personal" | "password_hash" | "request" | "x"
                    | "kid" | "position" => {
                        let shown = format!("[{name}]");
                        (name, Value::String(shown))
                    }
                    "client" if value.is_string() => (name, json!("[client]")),
                    _ => {
                        let value = self.value(value);
                        (name, value)
                    }
                };
                Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
            }
            other => other,
        }
    }

    /// Also within a text, such as the key of a blob.
    fn text(&mut self, text: &str) -> String {
        if text.starts_with("sealed:") {
            return "[sealed]".to_owned();
        }
        let mut shown = String::new();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let candidate = rest.get(..UUID_CHARS).filter(|part| part.as_bytes()[8] == b'-');
            match candidate.filter(|part| part.parse::<uuid::Uuid>().is_ok()) {
                Some(id) => {
                    let next = self.ids.len() + 1;
                    let number = *self.ids.entry(id.to_owned()).or_insert(next);
                    shown.push_str(&format!("[id-{number}]"));
                    rest = &rest[UUID_CHARS..];
                }
                None => {
                    shown.push(letter);
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
        shown
    }
}

/// Everything that the log keeps, by feature and version.
pub fn written(log: &Log) -> Value {
    let mut commits: Vec<(String, u64, Value)> = vec![];
    for partition in 0..log.partitions() {
        for record in log.read(partition, 0, usize::MAX).expect("the log can be read") {
            let commit = CommitRef::decode(&record.payload).expect("the log has commits only");
            let mut value: Value = serde_json::from_slice(&record.payload).expect("a commit is JSON");
            // The gateway and a process manager both create the video, and either may be first.
            if value["events"][0]["type"] == "VideoCreated" {
                value["actor"] = json!("[gateway or manager]");
                value["cause"] = json!("[gateway or manager]");
            }
            commits.push((commit.stream.feature.as_str().to_owned(), commit.version, value));
        }
    }
    commits.sort_by(|(feature, version, value), other| {
        (feature, version, value["events"][0]["type"].as_str()).cmp(&(
            &other.0,
            &other.1,
            other.2["events"][0]["type"].as_str(),
        ))
    });
    let commits: Vec<Value> = commits.into_iter().map(|(_, _, value)| value).collect();
    redacted(json!(commits))
}
