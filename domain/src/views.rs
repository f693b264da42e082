//! A view: which of its versions answers queries.

use crate::decider::Decider;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Switch { name: String, version: u32 },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Switched(Switched),
}

/// From here on `version` of the view answers; the one before is kept for a way back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Switched {
    pub name: String,
    pub version: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
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
