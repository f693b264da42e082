//! What other nodes ask of this one: only its own executors answer, so that nothing goes in circles.

use crate::answer::CommandError;
use crate::handle::Commands;
use crate::wire::{self, Given, Look};
use serde::de::DeserializeOwned;

/// What to tell another node.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// JSON: what came of it.
    Answer(Vec<u8>),
    /// This node does not lead the partition; the one at this address may.
    Elsewhere(Option<String>),
    /// Nobody can say what came of it. It may be asked again with the same id.
    Unavailable(String),
    /// The question cannot be read.
    Unreadable,
}

impl Commands {
    /// Takes a command that another node passes on.
    pub async fn answer_given(&self, question: &[u8]) -> Reply {
        let Some(given) = read::<Given>(question) else {
            return Reply::Unreadable;
        };
        let Some(shared) = &self.here else {
            return Reply::Elsewhere(self.owner_of(given.stream));
        };
        let outcome = shared
            .give_counted(given.stream, &given.command, &given.ask)
            .await;
        reply(wire::write_given(outcome))
    }

    /// Lets another node look at a state.
    pub async fn answer_look(&self, question: &[u8]) -> Reply {
        let Some(Look { stream, at_once }) = read::<Look>(question) else {
            return Reply::Unreadable;
        };
        let Some(shared) = &self.here else {
            return Reply::Elsewhere(self.owner_of(stream));
        };
        let seen = if at_once {
            shared.glance(stream, wire::write_seen)
        } else {
            shared.read(stream, wire::write_seen).await
        };
        reply(seen.and_then(|written| written))
    }
}

fn read<T: DeserializeOwned>(question: &[u8]) -> Option<T> {
    // What serde says of it may quote it, and it may carry what nobody is to read in a log.
    serde_json::from_slice(question).ok()
}

fn reply(answer: Result<Vec<u8>, CommandError>) -> Reply {
    match answer {
        Ok(answer) => Reply::Answer(answer),
        Err(CommandError::Elsewhere(owner)) => Reply::Elsewhere(owner),
        Err(error) => Reply::Unavailable(error.to_string()),
    }
}
