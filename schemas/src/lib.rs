//! The written form of events: envelope, codec, upcasts, golden samples, JSON Schema.

pub mod commit;
pub mod envelope;
pub mod registry;
pub mod upcasts;

pub use commit::{Cause, Commit, CommitRef, Event, EventRef, Origin};
pub use envelope::Envelope;
pub use registry::{AnyEvent, EventType, event_types};

/// Why a record could not be read. A record that was ever written must always be readable, so this is a
/// defect of the program or damage of the data, never something to skip.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the record is not a commit: {0}")]
    Commit(#[source] serde_json::Error),
    #[error("event {name} version {version}: {source}")]
    Event {
        name: String,
        version: u16,
        source: serde_json::Error,
    },
    #[error("event type {name} version {version} is not known to this program; is it older than the log?")]
    Unknown { name: String, version: u16 },
}
