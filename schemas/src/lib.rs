//! The written form of events: envelope, codec, upcasts, golden samples, JSON Schema.

#![warn(missing_docs)]

pub mod commit;
pub mod envelope;
pub mod json_schema;
pub mod outline;
pub mod registry;
pub mod upcasts;

pub use commit::{Cause, Commit, CommitRef, Event, EventRef, Origin};
pub use envelope::Envelope;
pub use outline::{EventOutline, Outline};
pub use registry::{AnyEvent, EventType, event_types};

/// Why a record could not be read. A record that was ever written must always be readable, so this is a
/// defect of the program or damage of the data, never something to skip.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The record is no JSON of the right shape.
    #[error("the record is not a commit: {0}")]
    Commit(#[source] serde_json::Error),
    /// The data of an event is not what its type and version promise.
    #[error("event {name} version {version}: {source}")]
    Event {
        /// The event's type.
        name: String,
        /// The version it was written in.
        version: u16,
        /// What was wrong.
        source: serde_json::Error,
    },
    /// Neither this program's version nor one with an upcast.
    #[error("event type {name} version {version} is not known to this program; is it older than the log?")]
    Unknown {
        /// The event's type.
        name: String,
        /// The version it was written in.
        version: u16,
    },
}
