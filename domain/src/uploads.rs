//! An upload: a file has arrived whole, and will be one video.

use crate::decider::Decider;
use crate::ids::{AccountId, VideoId};
use crate::time::Timestamp;
use crate::videos::{self, Described, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The file is stored durably, whole, under `received.source.blob`.
    Receive(Received),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Received(Received),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    pub video: VideoId,
    pub owner: AccountId,
    pub description: Described,
    pub source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this upload has already brought another file")]
    AlreadyReceived,
    #[error("the file is empty")]
    Empty,
    #[error(transparent)]
    Invalid(#[from] videos::Refusal),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Upload {
    #[default]
    Awaited,
    Received {
        source: Source,
    },
}

impl Decider for Upload {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, _now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Receive(received) => match self {
                _ if received.source.bytes == 0 => Err(Refusal::Empty),
                Self::Awaited => {
                    // The video is made from this fact later; what it would refuse is refused here, while
                    // somebody is there to hear it.
                    received.description.check()?;
                    received.source.check()?;
                    Ok(vec![Event::Received(received.clone())])
                }
                Self::Received { source } if *source == received.source => Ok(vec![]),
                Self::Received { .. } => Err(Refusal::AlreadyReceived),
            },
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match event {
            Event::Received(received) => Self::Received {
                source: received.source.clone(),
            },
        }
    }
}
