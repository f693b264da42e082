//! A commit as the views read it: where, when, and its events, each decoded once and only when asked for.
//!
//! The rest of the envelope is skipped or kept unread, since reading it costs a third of a rebuild: actor and cause are read when asked for.

use crate::ViewError;
use serde::Deserialize;
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use spool_schemas::{AnyEvent, DecodeError, EventOutline, Outline};
use std::cell::OnceCell;

/// All facts of one commit, borrowing from the record.
#[derive(Debug)]
pub struct Facts<'a> {
    pub stream: StreamId,
    /// The stream's version after the first of the facts.
    pub version: u64,
    pub time: Timestamp,
    /// JSON, as is the cause.
    actor: &'a str,
    cause: &'a str,
    pub all: Vec<Fact<'a>>,
}

/// One event, decoded at most once however many views look at it.
#[derive(Debug)]
pub struct Fact<'a> {
    pub name: &'a str,
    version: u16,
    data: &'a str,
    decoded: OnceCell<Box<Result<AnyEvent, DecodeError>>>,
}

impl<'a> From<EventOutline<'a>> for Fact<'a> {
    fn from(event: EventOutline<'a>) -> Self {
        let EventOutline { name, version, data } = event;
        Self {
            name,
            version,
            data,
            decoded: OnceCell::new(),
        }
    }
}

impl<'a> Facts<'a> {
    pub fn decode(record: &'a [u8]) -> Result<Self, DecodeError> {
        let outline = Outline::decode(record)?;
        Ok(Self {
            stream: outline.stream,
            version: outline.version,
            time: outline.time,
            actor: outline.actor,
            cause: outline.cause,
            all: outline.events,
        })
    }

    /// Without reading who it is.
    pub fn is_by_a_person(&self) -> bool {
        self.actor.starts_with('{')
    }

    /// Where the person was who gave the command, if the commit says so: sealed with that person's key.
    pub fn client(&self) -> Result<Option<Sealed>, ViewError> {
        #[derive(Deserialize)]
        struct Cause {
            client: Option<Sealed>,
        }
        let cause: Cause = serde_json::from_str(self.cause)
            .map_err(|error| ViewError::poison(format!("the cause cannot be read: {error}")))?;
        Ok(cause.client)
    }

    /// Who gave the command.
    pub fn actor(&self) -> Result<Actor, ViewError> {
        serde_json::from_str(self.actor)
            .map_err(|error| ViewError::poison(format!("the actor cannot be read: {error}")))
    }
}

impl Fact<'_> {
    /// The event, or poison when this program cannot read it.
    pub fn event(&self) -> Result<&AnyEvent, ViewError> {
        let decoded = self
            .decoded
            .get_or_init(|| Box::new(AnyEvent::decode(self.name, self.version, self.data)));
        decoded
            .as_ref()
            .as_ref()
            .map_err(|error| ViewError::Poison(error.to_string()))
    }
}
