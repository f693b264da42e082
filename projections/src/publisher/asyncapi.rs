//! The public topics as an AsyncAPI 3 document: made from the shapes, so it says what is written.

use super::public::{PublicType, Topic, public_types};
use serde_json::{Value, json};

/// The document, for the topics of this installation. Where its brokers are is not everybody's business.
pub fn document(topic_prefix: &str) -> Value {
    let types = public_types();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Spool: public events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One event a record, CloudEvents 1.0 in binary mode, in order within a key, at least once: a \
                repeat has the same `ce_id` and a `ce_streamversion` not higher than what its key had before.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": named(Topic::ALL.map(|topic| (topic.name(), channel(topic, topic_prefix, &types)))),
        "operations": named(Topic::ALL.map(|topic| (topic.name(), operation(topic)))),
        "components": {
            "messages": named(types.iter().map(|kind| (kind.name, message(kind)))),
            "schemas": { "CloudEventHeaders": headers() },
        },
    })
}

fn named<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let entries = entries.into_iter();
    Value::Object(entries.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn channel(topic: Topic, prefix: &str, types: &[PublicType]) -> Value {
    let of_topic = types.iter().filter(|kind| kind.topic == topic);
    let reference = |kind: &PublicType| json!({ "$ref": format!("#/components/messages/{}", kind.name) });
    let address = format!("{prefix}{}", topic.name());
    json!({
        "address": address,
        "messages": named(of_topic.map(|kind| (kind.name, reference(kind)))),
        "bindings": { "kafka": { "topic": address } },
    })
}

/// In AsyncAPI's words it is this program that sends.
fn operation(topic: Topic) -> Value {
    json!({ "action": "send", "channel": { "$ref": format!("#/channels/{}", topic.name()) } })
}

fn message(kind: &PublicType) -> Value {
    let schema = kind.json_schema();
    json!({
        "name": kind.name,
        "summary": schema["description"],
        "contentType": "application/json",
        "headers": { "$ref": "#/components/schemas/CloudEventHeaders" },
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": schema,
        },
        "bindings": { "kafka": { "key": { "type": "string", "format": "uuid" } } },
    })
}

fn headers() -> Value {
    let text = |meaning: &str| json!({ "type": "string", "description": meaning });
    json!({
        "type": "object",
        "properties": {
            "content-type": { "const": "application/json" },
            "ce_specversion": { "const": "1.0" },
            "ce_id": text("The event's own for ever: its stream and the stream's version."),
            "ce_source": text("The installation."),
            "ce_type": text("What happened."),
            "ce_time": { "type": "string", "format": "date-time" },
            "ce_subject": text("What it happened to: the area, then the record's key."),
            "ce_dataschema": text("The `$id` of the body's schema."),
            "ce_streamversion": text("A whole number that rises within a key."),
            "traceparent": text("W3C Trace Context, when the event came of a request that was traced."),
        },
        "required": [
            "content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema",
            "ce_streamversion",
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference of the document itself leads somewhere.
    #[test]
    fn every_event_is_in_the_channel_of_its_topic() {
        let document = document("test-");
        let mut count = 0;
        for topic in Topic::ALL {
            let channel = &document["channels"][topic.name()];
            assert_eq!(channel["address"], format!("test-{}", topic.name()));
            for (name, message) in channel["messages"].as_object().expect("messages by name") {
                let reference = message["$ref"].as_str().expect("a reference");
                let found = document.pointer(reference.trim_start_matches('#'));
                assert_eq!(found.expect("it leads somewhere")["name"], name.as_str());
                count += 1;
            }
            let of = document["operations"][topic.name()]["channel"]["$ref"].as_str();
            assert!(of.is_some_and(|of| document.pointer(of.trim_start_matches('#')).is_some()));
        }
        assert_eq!(count, public_types().len());
    }
}
