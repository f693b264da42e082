//! JSON Schema of what is written, for programs that are not ours.

use crate::envelope::Envelope;
use crate::registry::EventType;
use serde_json::Value;

/// The schema of an event's `data`, in the version that this program writes.
pub fn of_event(event: &EventType) -> Value {
    let id = format!("urn:spool:event:{}:v{}", event.name, event.version);
    named((event.schema)(), id, event.name)
}

/// The schema of [`Envelope`]. Its `data` is described by the schema of its `type` and `version`.
pub fn of_envelope() -> Value {
    let schema = schemars::schema_for!(Envelope<'static>);
    named(schema, "urn:spool:envelope:v1".into(), "Envelope")
}

fn named(mut schema: schemars::Schema, id: String, title: &str) -> Value {
    schema.insert("$id".into(), Value::String(id));
    schema.insert("title".into(), Value::String(title.into()));
    schema.to_value()
}
