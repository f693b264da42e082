//! A commit as the views read it: where, when, and its events, each decoded once and only when asked for.
//!
//! The rest of the envelope is skipped or kept unread, since reading it costs a third of a rebuild: actor and cause are read when asked for.

use crate::ViewError;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use spool_schemas::{AnyEvent, DecodeError};
use std::cell::OnceCell;

/// All facts of one commit, borrowing from the record.
#[derive(Debug, Deserialize)]
pub struct Facts<'a> {
    #[serde(deserialize_with = "stream")]
    pub stream: StreamId,
    /// The stream's version after the first of the facts.
    pub version: u64,
    pub time: Timestamp,
    #[serde(borrow)]
    actor: &'a RawValue,
    #[serde(borrow)]
    cause: &'a RawValue,
    #[serde(borrow, rename = "events")]
    pub all: Vec<Fact<'a>>,
}

/// One event, decoded at most once however many views look at it.
#[derive(Debug, Deserialize)]
pub struct Fact<'a> {
    #[serde(rename = "type", borrow)]
    pub name: &'a str,
    #[serde(rename = "v")]
    version: u16,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(skip)]
    decoded: OnceCell<Box<Result<AnyEvent, DecodeError>>>,
}

impl<'a> Facts<'a> {
    pub fn decode(record: &'a [u8]) -> Result<Self, DecodeError> {
        // Checked once for all texts in it, which is faster than each on its own.
        let text =
            std::str::from_utf8(record).map_err(|error| DecodeError::Commit(de::Error::custom(error)))?;
        serde_json::from_str(text).map_err(DecodeError::Commit)
    }

    /// Without reading who it is.
    pub fn is_by_a_person(&self) -> bool {
        self.actor.get().starts_with('{')
    }

    /// Where the person was who gave the command, if the commit says so: sealed with that person's key.
    pub fn client(&self) -> Result<Option<Sealed>, ViewError> {
        #[derive(Deserialize)]
        struct Cause {
            client: Option<Sealed>,
        }
        let cause: Cause = serde_json::from_str(self.cause.get())
            .map_err(|error| ViewError::poison(format!("the cause cannot be read: {error}")))?;
        Ok(cause.client)
    }

    /// Who gave the command.
    pub fn actor(&self) -> Result<Actor, ViewError> {
        serde_json::from_str(self.actor.get())
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

/// Borrows the text; the domain's own form has to take escapes into account and allocates.
fn stream<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StreamId, D::Error> {
    <&'de str>::deserialize(deserializer)?
        .parse()
        .map_err(de::Error::custom)
}
