//! A video: what its owner says about it, and the file it was made from.

use crate::actors::Actor;
use crate::decider::Decider;
use crate::ids::{AccountId, UploadId};
use crate::sealed::unmarked;
use crate::text::{
    Complaint, DESCRIPTION_MAX_CHARS, TITLE_MAX_CHARS, check_file_name, check_line, check_lines,
};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What may be asked of a video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A received upload becomes a video.
    Create {
        /// Whose it is.
        owner: AccountId,
        /// What it is called.
        description: Described,
        /// The upload that brought the file.
        upload: UploadId,
        /// The file.
        source: Source,
    },
    /// It is to be called otherwise. Quiet when nothing would change.
    Describe {
        /// Who asks: the owner, an administrator or the system.
        by: Actor,
        /// What it is to be called, whole.
        description: Described,
    },
    /// It is to be gone. Quiet when it is so already.
    Delete {
        /// Who asks: the owner, an administrator or the system.
        by: Actor,
    },
}

/// What can have happened to a video.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It came to be.
    Created(Created),
    /// Its file is here.
    Uploaded(Uploaded),
    /// It was called otherwise.
    Described(Described),
    /// It is gone.
    Deleted(Deleted),
}

/// A video came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// Whose it is.
    pub owner: AccountId,
    /// What it is called at first.
    pub description: Described,
}

/// The video's file is here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Uploaded {
    /// The upload that brought it.
    pub upload: UploadId,
    /// The file.
    pub source: Source,
}

/// What the owner says about the video. The texts come sealed with the owner's key, behind
/// [`MARK`](crate::sealed::MARK); those of logs of before are in the clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Described {
    /// One line, at most 200 characters.
    pub title: String,
    /// Any number of lines, at most 5,000 characters.
    pub description: String,
    /// Who may see it.
    pub visibility: Visibility,
}

/// The video is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// Who deleted it.
    pub by: Actor,
}

/// The file as it was uploaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Where the blobs keep it; never derived from the file's name.
    pub blob: String,
    /// A label only, sealed like the texts of [`Described`].
    pub file_name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// By content, not by name: `mp4`, `matroska`, `mpegts`, …
    pub container: String,
}

/// Who may see a video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody, and it is listed.
    #[default]
    Public,
    /// Whoever has its address.
    Unlisted,
    /// Its owner and administrators.
    Private,
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It was never made, is deleted, or is none of the asker's business.
    #[error("there is no such video")]
    NoSuchVideo,
    /// The actor may see it but not decide about it.
    #[error("only the owner or an administrator may do this")]
    NotOwner,
    /// It cannot be called so.
    #[error("the {field} {complaint}")]
    Invalid {
        /// What is wrong, as the subject of the sentence.
        field: Cow<'static, str>,
        /// Its rest.
        complaint: Complaint,
    },
    /// It was made from another upload.
    #[error("this video exists already")]
    AlreadyExists,
}

impl Described {
    /// Whether a video may be described so.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |field: &'static str| {
            move |complaint| Refusal::Invalid {
                field: field.into(),
                complaint,
            }
        };
        check_unless_sealed(&self.title, |title| check_line(title, TITLE_MAX_CHARS))
            .map_err(wrong("title"))?;
        let lines = |text: &str| check_lines(text, DESCRIPTION_MAX_CHARS);
        check_unless_sealed(&self.description, lines).map_err(wrong("description"))
    }
}

impl Source {
    /// Whether a video may come from such a file.
    pub fn check(&self) -> Result<(), Refusal> {
        check_unless_sealed(&self.file_name, check_file_name).map_err(|complaint| Refusal::Invalid {
            field: "file name".into(),
            complaint,
        })
    }
}

/// Whoever sealed a text has read it.
fn check_unless_sealed(
    text: &str,
    check: impl FnOnce(&str) -> Result<(), Complaint>,
) -> Result<(), Complaint> {
    match unmarked(text) {
        Some(_) => Ok(()),
        None => check(text),
    }
}

/// What is known of a video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Video {
    /// It was not made.
    #[default]
    Nothing,
    /// It exists.
    Existing(Existing),
    /// It is gone.
    Deleted {
        /// Whose it was.
        owner: AccountId,
    },
}

/// A video that exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Existing {
    /// Whose it is.
    pub owner: AccountId,
    /// What it is called.
    pub description: Described,
    /// The upload that brought its file.
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
