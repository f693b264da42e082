//! A video: what its owner says about it, and the file it was made from.

use crate::actors::Actor;
use crate::decider::Decider;
use crate::ids::{AccountId, UploadId};
use crate::text::{
    Complaint, DESCRIPTION_MAX_CHARS, TITLE_MAX_CHARS, check_file_name, check_line, check_lines,
};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A received upload becomes a video.
    Create {
        owner: AccountId,
        description: Described,
        upload: UploadId,
        source: Source,
    },
    Describe {
        by: Actor,
        description: Described,
    },
    Delete {
        by: Actor,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Created(Created),
    Uploaded(Uploaded),
    Described(Described),
    Deleted(Deleted),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    pub owner: AccountId,
    pub description: Described,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Uploaded {
    pub upload: UploadId,
    pub source: Source,
}

/// What the owner says about the video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Described {
    pub title: String,
    pub description: String,
    pub visibility: Visibility,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    pub by: Actor,
}

/// The file as it was uploaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Where the blobs keep it; never derived from the file's name.
    pub blob: String,
    /// A label only.
    pub file_name: String,
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// By content, not by name: `mp4`, `matroska`, `mpegts`, …
    pub container: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    #[default]
    Public,
    Unlisted,
    Private,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such video")]
    NoSuchVideo,
    #[error("only the owner or an administrator may do this")]
    NotOwner,
    #[error("the {field} {complaint}")]
    Invalid {
        field: &'static str,
        complaint: Complaint,
    },
    #[error("this video exists already")]
    AlreadyExists,
}

impl Described {
    /// Whether a video may be described so.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |field| move |complaint| Refusal::Invalid { field, complaint };
        check_line(&self.title, TITLE_MAX_CHARS).map_err(wrong("title"))?;
        check_lines(&self.description, DESCRIPTION_MAX_CHARS).map_err(wrong("description"))
    }
}

impl Source {
    /// Whether a video may come from such a file.
    pub fn check(&self) -> Result<(), Refusal> {
        check_file_name(&self.file_name).map_err(|complaint| Refusal::Invalid {
            field: "file name",
            complaint,
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Video {
    #[default]
    Nothing,
    Existing(Existing),
    Deleted {
        owner: AccountId,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Existing {
    pub owner: AccountId,
    pub description: Described,
    pub upload: Option<UploadId>,
}

impl Existing {
    fn allow(&self, by: &Actor) -> Result<(), Refusal> {
        let may_know = self.description.visibility != Visibility::Private;
        match by.may_act_for(self.owner) {
            true => Ok(()),
            false if may_know => Err(Refusal::NotOwner),
            false => Err(Refusal::NoSuchVideo),
        }
    }
}

impl Decider for Video {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, _now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match (command, self) {
            (
                Command::Create {
                    owner,
                    description,
                    upload,
                    source,
                },
                Self::Nothing,
            ) => {
                description.check()?;
                source.check()?;
                let created = Created {
                    owner: *owner,
                    description: description.clone(),
                };
                let uploaded = Uploaded {
                    upload: *upload,
                    source: source.clone(),
                };
                Ok(vec![Event::Created(created), Event::Uploaded(uploaded)])
            }
            (Command::Create { upload, .. }, Self::Existing(video)) if video.upload == Some(*upload) => {
                Ok(vec![])
            }
            (Command::Create { .. }, Self::Existing(_)) => Err(Refusal::AlreadyExists),
            (Command::Create { .. }, Self::Deleted { .. }) => Ok(vec![]),
            (Command::Describe { by, description }, Self::Existing(video)) => {
                video.allow(by)?;
                description.check()?;
                let news = *description != video.description;
                Ok(if news {
                    vec![Event::Described(description.clone())]
                } else {
                    vec![]
                })
            }
            (Command::Delete { by }, Self::Existing(video)) => {
                video.allow(by)?;
                Ok(vec![Event::Deleted(Deleted { by: *by })])
            }
            (Command::Delete { by }, Self::Deleted { owner }) if by.may_act_for(*owner) => Ok(vec![]),
            (Command::Describe { .. } | Command::Delete { .. }, Self::Nothing | Self::Deleted { .. }) => {
                Err(Refusal::NoSuchVideo)
            }
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match (event, self) {
            (Event::Created(created), _) => Self::Existing(Existing {
                owner: created.owner,
                description: created.description.clone(),
                upload: None,
            }),
            (Event::Uploaded(uploaded), Self::Existing(video)) => Self::Existing(Existing {
                upload: Some(uploaded.upload),
                ..video
            }),
            (Event::Described(description), Self::Existing(video)) => Self::Existing(Existing {
                description: description.clone(),
                ..video
            }),
            (Event::Deleted(_), Self::Existing(video)) => Self::Deleted { owner: video.owner },
            (Event::Uploaded(_) | Event::Described(_) | Event::Deleted(_), unchanged) => unchanged,
        }
    }
}
