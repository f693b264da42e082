//! A commit as the log keeps it: all events of one command on one stream, as one JSON record.

use crate::DecodeError;
use crate::registry::AnyEvent;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use uuid::Uuid;

/// What most records have room in; growing to it would copy them twice.
const MOST_RECORDS_BYTES: usize = 768;

/// A commit to be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Commit {
    /// Whose events they are.
    pub stream: StreamId,
    /// The stream's version after the first of the events; versions count from 1.
    pub version: u64,
    /// The command's id: the same command is applied once.
    pub command: Uuid,
    /// SHA-256 of the request that gave the command, shortened to 16 bytes of hexadecimal. The same
    /// `Idempotency-Key` with another request is refused by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When it was decided; never runs backwards within a partition.
    pub time: Timestamp,
    /// Who gave the command.
    pub actor: Actor,
    /// Where the command came from.
    pub cause: Cause,
    /// In order, at least one.
    pub events: Vec<Event>,
}

/// An event to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(pub AnyEvent);

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, version) = self.0.name_and_version();
        let mut event = serializer.serialize_struct("Event", 3)?;
        event.serialize_field("type", name)?;
        event.serialize_field("v", &version)?;
        event.serialize_field("data", &Data(&self.0))?;
        event.end()
    }
}

/// What an event says, without its name.
struct Data<'a>(&'a AnyEvent);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_data(serializer)
    }
}

/// Where a command came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The request that began it all.
    pub correlation: Uuid,
    /// The command or event that led to this one directly: `stream@version` of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<String>,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Address and program of the person who asked, where the trail of an account is to show it: JSON, sealed with that person's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Sealed>,
    /// Set when a process manager gave the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Which record made a process manager give a command. The target keeps the highest per manager and
/// source partition and ignores the rest, for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The manager's own name.
    pub manager: String,
    /// The partition it read.
    pub partition: u16,
    /// Offset of the record, then the command's number among those that the record led to.
    pub position: (u64, u32),
}

/// A commit as read, borrowing from the record. Events are decoded only when asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct CommitRef<'a> {
    /// As in [`Commit`].
    pub stream: StreamId,
    /// The stream's version after the first of the events.
    pub version: u64,
    /// As in [`Commit`].
    pub command: Uuid,
    /// As in [`Commit`].
    #[serde(default, borrow)]
    pub request: Option<&'a str>,
    /// As in [`Commit`].
    pub time: Timestamp,
    /// As in [`Commit`].
    pub actor: Actor,
    /// As in [`Commit`].
    pub cause: Cause,
    /// In order.
    #[serde(borrow)]
    pub events: Vec<EventRef<'a>>,
}

/// An event as read, borrowing from the record.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct EventRef<'a> {
    /// The type, by its outside name.
    #[serde(rename = "type", borrow)]
    pub name: &'a str,
    /// The version it was written in.
    #[serde(rename = "v")]
    pub version: u16,
    /// What happened, as JSON.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

impl EventRef<'_> {
    /// Reads what happened, whatever version it was written in.
    pub fn decode(&self) -> Result<AnyEvent, DecodeError> {
        AnyEvent::decode(self.name, self.version, self.data.get())
    }
}

impl Commit {
    /// The record's bytes. Panics when `request` is not what it must be, rather than write a record that
    /// nobody can read.
    pub fn encode(&self) -> Vec<u8> {
        let readable = |request: &String| request.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(
            self.request.as_ref().is_none_or(readable),
            "a request's mark is hexadecimal; anything that JSON escapes could not be borrowed when read"
        );
        let mut record = Record(Vec::with_capacity(MOST_RECORDS_BYTES));
        record.envelope(self);
        for (at, event) in self.events.iter().enumerate() {
            record.raw(if at == 0 { "" } else { "," });
            record.event(&event.0);
        }
        record.raw("]}");
        record.0
    }

    /// The stream's version after the last event.
    pub fn last_version(&self) -> u64 {
        last_version(self.version, self.events.len())
    }
}

/// The bytes of a record as they are written: what serde would write, but names and ids, of which an envelope mostly consists, are
/// known to need no escapes and are not looked through for them.
struct Record(Vec<u8>);

impl Record {
    /// Everything up to the first event.
    fn envelope(&mut self, commit: &Commit) {
        self.raw("{\"stream\":\"");
        self.raw(commit.stream.feature.as_str());
        self.raw("-");
        self.id(commit.stream.id);
        self.raw("\",\"version\":");
        self.json(&commit.version);
        self.raw(",\"command\":\"");
        self.id(commit.command);
        self.raw("\"");
        if let Some(request) = &commit.request {
            self.raw(",\"request\":\"");
            self.raw(request);
            self.raw("\"");
        }
        self.raw(",\"time\":");
        self.json(&commit.time);
        self.raw(",\"actor\":");
        self.json(&commit.actor);
        self.raw(",\"cause\":");
        self.cause(&commit.cause);
        self.raw(",\"events\":[");
    }

    fn cause(&mut self, cause: &Cause) {
        let Cause { correlation, .. } = cause;
        let is_all = Cause {
            correlation: *correlation,
            ..Cause::default()
        } == *cause;
        if !is_all {
            return self.json(cause);
        }
        self.raw("{\"correlation\":\"");
        self.id(*correlation);
        self.raw("\"}");
    }

    fn event(&mut self, event: &AnyEvent) {
        let (name, version) = event.name_and_version();
        self.raw("{\"type\":\"");
        self.raw(name);
        self.raw("\",\"v\":");
        self.json(&version);
        self.raw(",\"data\":");
        self.json(&Data(event));
        self.raw("}");
    }

    fn id(&mut self, id: Uuid) {
        self.raw(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }

    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        serde_json::to_writer(&mut self.0, value)
            .expect("a commit has string keys only and no value that can fail");
    }
}

impl<'a> CommitRef<'a> {
    /// Reads a record without copying its events.
    pub fn decode(record: &'a [u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(record).map_err(DecodeError::Commit)
    }

    /// The events with the stream's version after each.
    pub fn versioned(&self) -> impl Iterator<Item = (u64, &EventRef<'a>)> {
        (self.version..=u64::MAX).zip(&self.events)
    }

    /// The stream's version after the last event.
    pub fn last_version(&self) -> u64 {
        last_version(self.version, self.events.len())
    }

    /// Reads all the events.
    pub fn decode_events(&self) -> Result<Vec<AnyEvent>, DecodeError> {
        self.events.iter().map(EventRef::decode).collect()
    }
}

/// Total also for a damaged record.
fn last_version(first: u64, events: usize) -> u64 {
    first.saturating_add(events.saturating_sub(1) as u64)
}
