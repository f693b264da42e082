//! What one asks of the executor, and what it answers.
//!
//! `CommandError` is the one error of this crate that callers match on; the gateway turns it into a
//! problem document, workers into "again" or "never mind".

use crate::features::AnyRefusal;
use crate::token::Token;
use serde::{Deserialize, Serialize};
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_schemas::{AnyEvent, Cause};
use uuid::Uuid;

/// Who asks, and how to know the question again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    pub command: Uuid,
    /// A hash of the request, when it came with an `Idempotency-Key`.
    pub request: Option<String>,
    pub actor: Actor,
    pub cause: Cause,
    /// `If-Match`: the stream's version that the caller has seen.
    pub expected_version: Option<u64>,
}

impl Ask {
    /// A question that nobody will repeat.
    pub fn fresh(actor: Actor) -> Self {
        let command = Uuid::now_v7();
        let cause = Cause {
            correlation: command,
            ..Cause::default()
        };
        Self {
            command,
            request: None,
            actor,
            cause,
            expected_version: None,
        }
    }

    /// Another question that this one led to, whose answer is the state of things and may differ each time.
    pub(crate) fn anew(&self) -> Self {
        Self {
            command: Uuid::now_v7(),
            request: None,
            expected_version: None,
            ..self.clone()
        }
    }

    /// Another question that this one led to, known again when this one is.
    pub fn then(&self, what: &str) -> Self {
        Self {
            command: Uuid::new_v5(&self.command, what.as_bytes()),
            expected_version: None,
            ..self.clone()
        }
    }
}

/// An accepted command: its facts are durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub stream: StreamId,
    /// The stream's version now; 0 for a stream without events.
    pub version: u64,
    /// Partition and offset of the commit; `None` when there was nothing new to say.
    pub position: Option<(u16, u64)>,
    pub events: Vec<AnyEvent>,
    /// The command had been accepted before, and this is its answer again.
    pub repeated: bool,
    pub token: Token,
}

/// Why a command had no effect.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] AnyRefusal),
    #[error("the resource is at version {version} now")]
    Stale { version: u64 },
    #[error("the same Idempotency-Key came with another request before")]
    OtherRequest,
    #[error("there is no room left to keep new facts")]
    Full,
    /// Another node takes the commands of this stream's partition; at this address, if it is known. Only from a handle that
    /// does not [pass commands on](crate::Commands::with_peers).
    #[error("another node takes these commands: {}", .0.as_deref().unwrap_or("it is not known yet which"))]
    Elsewhere(Option<String>),
    /// May be asked again with the same id.
    #[error("the log cannot take commands at the moment: {0}")]
    Unavailable(String),
}
