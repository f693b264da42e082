//! An event with all that is known about it, as people and tools outside the log see it.

use crate::commit::{CommitRef, EventRef};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use spool_domain::actors::Actor;
use spool_domain::time::Timestamp;
use uuid::Uuid;

/// One event in its envelope. Its id is `stream@version`, so copying a log changes no id.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Envelope<'a> {
    /// `stream@version`.
    pub id: String,
    /// The type, by its outside name.
    #[serde(rename = "type")]
    pub name: &'a str,
    /// The version of the type.
    pub version: u16,
    /// `feature-<uuid>`.
    pub stream: String,
    /// The stream's version after this event.
    pub stream_version: u64,
    /// When it was decided.
    pub time: Timestamp,
    /// Who gave the command.
    pub actor: Actor,
    /// The command it follows from.
    pub command_id: Uuid,
    /// The request that began it all.
    pub correlation_id: Uuid,
    /// The event or command that led to this one directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// W3C Trace Context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What happened.
    #[schemars(with = "serde_json::Value")]
    pub data: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// The envelopes of a commit's events, in order.
    pub fn of_commit(commit: &CommitRef<'a>) -> Vec<Self> {
        commit
            .versioned()
            .map(|(version, event)| Self::new(commit, version, event))
            .collect()
    }

    fn new(commit: &CommitRef<'a>, stream_version: u64, event: &EventRef<'a>) -> Self {
        let stream = commit.stream.to_string();
        Self {
            id: format!("{stream}@{stream_version}"),
            name: event.name,
            version: event.version,
            stream,
            stream_version,
            time: commit.time,
            actor: commit.actor,
            command_id: commit.command,
            correlation_id: commit.cause.correlation,
            causation_id: commit.cause.causation.clone(),
            traceparent: commit.cause.traceparent.clone(),
            data: event.data,
        }
    }
}
