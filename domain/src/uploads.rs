//! An upload: a file has arrived whole, and will be one video.

use crate::decider::Decider;
use crate::ids::{AccountId, VideoId};
use crate::time::Timestamp;
use crate::videos::{self, Described, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may be asked of an upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The file is stored durably, whole, under `received.source.blob`.
    Receive(Received),
}

/// What can have happened to an upload.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The file arrived.
    Received(Received),
}

/// A file has arrived whole and is stored durably.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// The video it will be.
    pub video: VideoId,
    /// Who brought it.
    pub owner: AccountId,
    /// What the video will be called.
    pub description: Described,
    /// The file.
    pub source: Source,
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// An upload brings one file.
    #[error("this upload has already brought another file")]
    AlreadyReceived,
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// No video could be made of it.
    #[error(transparent)]
    Invalid(#[from] videos::Refusal),
}

/// What is known of an upload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Upload {
    /// Nothing has arrived.
    #[default]
    Awaited,
    /// The file is here.
    Received {
        /// Which.
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
