//! A view: which of its versions answers queries.

use crate::decider::Decider;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may be asked of a view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// `version` shall answer from now on. Quiet when it does already.
    Switch {
        /// The view's name.
        name: String,
        /// Which of its versions.
        version: u32,
    },
}

/// What can have happened to a view.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Another version answers.
    Switched(Switched),
}

/// From here on `version` of the view answers; the one before is kept for a way back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Switched {
    /// The view's name.
    pub name: String,
    /// The version that answers.
    pub version: u32,
}

/// A view takes every command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

/// What is known of a view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The version that answers; none: it was never switched.
    pub serving: Option<u32>,
}

impl Decider for View {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, _now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Switch { version, .. } if self.serving == Some(*version) => Ok(vec![]),
            Command::Switch { name, version } => Ok(vec![Event::Switched(Switched {
                name: name.clone(),
                version: *version,
            })]),
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match event {
            Event::Switched(switched) => Self {
                serving: Some(switched.version),
            },
        }
    }
}
