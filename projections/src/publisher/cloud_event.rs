//! A public event as a Kafka record: CloudEvents 1.0 in binary mode, with what the publisher needs to go on after it.

use super::public::{PublicEvent, Topic};
use spool_schemas::CommitRef;

/// Where the fact lies in the log. With the next one, this is the publisher's own memory, kept beside what it is about.
pub const LOG_PARTITION: &str = "spool_log_partition";
pub const LOG_OFFSET: &str = "spool_log_offset";
/// Everything of that partition below this offset was in the topics, acknowledged, when the record was sent.
pub const LOG_SETTLED: &str = "spool_log_settled";
/// The stream's version after the event: it rises within a key, and what is not higher than before is a repeat.
pub const STREAM_VERSION: &str = "ce_streamversion";
pub const ID: &str = "ce_id";

/// A record that only has to be sent.
pub struct CloudEvent {
    pub topic: Topic,
    pub key: String,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl CloudEvent {
    /// `source` names this installation. Id and source together are the event's own for ever, wherever the log is
    /// copied to.
    pub fn new(commit: &CommitRef<'_>, version: u64, event: &PublicEvent, source: &str) -> Self {
        let kind = event.kind();
        let stream = commit.stream.to_string();
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("ce_specversion", "1.0".to_owned()),
            (ID, format!("{stream}@{version}")),
            ("ce_source", source.to_owned()),
            ("ce_type", kind.name.to_owned()),
            ("ce_time", commit.time.to_string()),
            ("ce_subject", stream),
            ("ce_dataschema", kind.schema_id()),
            (STREAM_VERSION, version.to_string()),
        ];
        if let Some(traceparent) = &commit.cause.traceparent {
            headers.push(("ce_traceparent", traceparent.clone()));
            headers.push(("traceparent", traceparent.clone()));
        }
        Self {
            topic: kind.topic,
            key: commit.stream.id.to_string(),
            body: event.body(),
            headers,
        }
    }

    /// Adds where the log was when it was sent.
    pub fn at(mut self, partition: u16, offset: u64, settled: u64) -> Self {
        self.headers.push((LOG_PARTITION, partition.to_string()));
        self.headers.push((LOG_OFFSET, offset.to_string()));
        self.headers.push((LOG_SETTLED, settled.to_string()));
        self
    }
}
