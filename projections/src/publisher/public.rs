//! What other teams may read: one shape for each public event, and for every event whether it is public.
//!
//! The shapes are apart from what the log keeps, so that nothing gets out by being added there: a field is public
//! once it is written down here. None of them holds personal data: no e-mail address, no name, no file name, nothing that is
//! made from one, and nothing that a person wrote, since a topic cannot forget it. (Titles are asked for by the video's id.)

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::jobs::{self, Failure};
use spool_domain::media::Film;
use spool_domain::time::Timestamp;
use spool_domain::videos::{self, Visibility};
use spool_domain::{accounts, reservations, uploads, views};
use spool_schemas::AnyEvent;

/// The topics, in the order of `spool_kafka::topics::PUBLIC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    Videos,
    Jobs,
    Accounts,
}

impl Topic {
    pub const ALL: [Self; 3] = [Self::Videos, Self::Jobs, Self::Accounts];

    /// The topic's name without the installation's prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Videos => "video-events",
            Self::Jobs => "job-events",
            Self::Accounts => "account-events",
        }
    }
}

/// One kind of public event.
pub struct PublicType {
    /// As other teams read it: `VideoUploaded`.
    pub name: &'static str,
    /// The version of the body's shape.
    pub version: u16,
    pub topic: Topic,
    pub schema: fn() -> schemars::Schema,
}

impl PublicType {
    /// The name of the body's JSON Schema, which is its `$id`.
    pub fn schema_id(&self) -> String {
        format!("urn:spool:public:{}:v{}", self.name, self.version)
    }

    /// The JSON Schema of the body, as published in `schemas/public`.
    pub fn json_schema(&self) -> Value {
        let mut schema = (self.schema)();
        schema.insert("$id".into(), Value::String(self.schema_id()));
        schema.insert("title".into(), Value::String(self.name.into()));
        schema.to_value()
    }
}

macro_rules! public_events {
    ($($topic:ident { $($shape:ident $version:literal,)* })*) => {
        /// An event in the shape that other teams read.
        #[derive(Clone, Debug, PartialEq)]
        pub enum PublicEvent {
            $($($shape($shape),)*)*
        }

        impl PublicEvent {
            pub fn kind(&self) -> PublicType {
                match self {
                    $($(Self::$shape(_) => PublicType {
                        name: stringify!($shape),
                        version: $version,
                        topic: Topic::$topic,
                        schema: || schemars::schema_for!($shape),
                    },)*)*
                }
            }

            /// The body, as JSON.
            pub fn body(&self) -> Vec<u8> {
                let written = match self {
                    $($(Self::$shape(shape) => serde_json::to_vec(shape),)*)*
                };
                written.expect("the shapes have string keys only and no value that can fail")
            }
        }

        /// Every kind of public event, topic by topic.
        pub fn public_types() -> Vec<PublicType> {
            vec![$($(PublicType {
                name: stringify!($shape),
                version: $version,
                topic: Topic::$topic,
                schema: || schemars::schema_for!($shape),
            },)*)*]
        }
    };
}

public_events! {
    Videos {
        VideoCreated 2,
        VideoUploaded 1,
        VideoDescribed 2,
        VideoDeleted 1,
    }
    Jobs {
        TranscodeRequested 1,
        JobClaimed 1,
        JobProbed 1,
        RenditionFinished 1,
        TranscodeCompleted 1,
        JobAttemptEnded 1,
        TranscodeFailed 1,
        JobCancelled 1,
        JobRestarted 1,
    }
    Accounts {
        UserRegistered 1,
        UserErased 1,
    }
}

impl PublicEvent {
    /// The event as other teams see it; none if it is nobody else's business.
    pub fn of(event: &AnyEvent) -> Option<Self> {
        match event {
            AnyEvent::Accounts(event) => Self::of_account(event),
            AnyEvent::Videos(event) => Some(Self::of_video(event)),
            AnyEvent::Jobs(event) => Self::of_job(event),
            // A keyed hash of a name is still about a person.
            AnyEvent::Reservations(
                reservations::Event::Reserved(_)
                | reservations::Event::Confirmed(_)
                | reservations::Event::Lapsed(_)
                | reservations::Event::Released(_)
                | reservations::Event::PasswordResetWanted(_),
            ) => None,
            // `VideoCreated` and `VideoUploaded` say it to others.
            AnyEvent::Uploads(uploads::Event::Received(_)) => None,
            AnyEvent::Views(views::Event::Switched(_)) => None,
        }
    }

    fn of_account(event: &accounts::Event) -> Option<Self> {
        match event {
            accounts::Event::Registered(registered) => Some(Self::UserRegistered(UserRegistered {
                role: registered.role,
            })),
            accounts::Event::Erased(_) => Some(Self::UserErased(UserErased {})),
            // When a person comes and goes and how is nobody else's business, and who never came to be is nobody.
            accounts::Event::RegistrationVoided(_)
            | accounts::Event::SessionStarted(_)
            | accounts::Event::SessionRefreshed(_)
            | accounts::Event::SessionEnded(_)
            | accounts::Event::PasswordChanged(_)
            | accounts::Event::PasswordResetRequested(_)
            | accounts::Event::EmailConfirmationRequested(_)
            | accounts::Event::EmailConfirmed(_)
            | accounts::Event::ProfileChanged(_)
            | accounts::Event::NameGivenUp(_)
            | accounts::Event::PreferencesChanged(_)
            | accounts::Event::AvatarChanged(_)
            | accounts::Event::AvatarRemoved(_)
            | accounts::Event::RoleChanged(_)
            | accounts::Event::Disabled(_)
            | accounts::Event::Enabled(_)
            | accounts::Event::Deleted(_)
            | accounts::Event::Restored(_)
            | accounts::Event::ApiKeyCreated(_)
            | accounts::Event::ApiKeyRevoked(_)
            | accounts::Event::IdentityLinked(_)
            | accounts::Event::IdentityUnlinked(_) => None,
        }
    }

    fn of_video(event: &videos::Event) -> Self {
        match event {
            videos::Event::Created(created) => Self::VideoCreated(VideoCreated {
                owner: created.owner,
                visibility: created.description.visibility,
            }),
            videos::Event::Uploaded(uploaded) => Self::VideoUploaded(VideoUploaded {
                upload: uploaded.upload,
                bytes: uploaded.source.bytes,
                sha256: uploaded.source.sha256.clone(),
                container: uploaded.source.container.clone(),
            }),
            videos::Event::Described(described) => Self::VideoDescribed(VideoDescribed {
                visibility: described.visibility,
            }),
            videos::Event::Deleted(deleted) => Self::VideoDeleted(VideoDeleted { by: deleted.by }),
        }
    }

    fn of_job(event: &jobs::Event) -> Option<Self> {
        let public = match event {
            jobs::Event::Requested(requested) => Self::TranscodeRequested(TranscodeRequested {
                video: requested.video,
                owner: requested.owner,
                container: requested.container.clone(),
            }),
            jobs::Event::Claimed(claimed) => Self::JobClaimed(JobClaimed {
                attempt: claimed.attempt,
            }),
            jobs::Event::Probed(probed) => Self::JobProbed(JobProbed {
                attempt: probed.attempt,
                film: probed.film.clone(),
            }),
            jobs::Event::RenditionFinished(finished) => Self::RenditionFinished(RenditionFinished {
                attempt: finished.attempt,
                rendition: finished.rendition.clone(),
            }),
            jobs::Event::Completed(completed) => Self::TranscodeCompleted(TranscodeCompleted {
                attempt: completed.attempt,
                duration_ms: completed.duration_ms,
                warnings: completed.warnings.clone(),
            }),
            jobs::Event::AttemptEnded(ended) => Self::JobAttemptEnded(JobAttemptEnded {
                attempt: ended.attempt,
                failure: ended.failure.clone(),
                again_at: ended.again_at,
            }),
            jobs::Event::Failed(failed) => Self::TranscodeFailed(TranscodeFailed {
                attempt: failed.attempt,
                failure: failed.failure.clone(),
            }),
            jobs::Event::Cancelled(cancelled) => Self::JobCancelled(JobCancelled { by: cancelled.by }),
            jobs::Event::Restarted(restarted) => Self::JobRestarted(JobRestarted { by: restarted.by }),
            // How a job gets on in detail, and where its files lie, may change without asking anybody.
            jobs::Event::LeaseRenewed(_)
            | jobs::Event::RenditionStarted(_)
            | jobs::Event::SegmentsPublished(_)
            | jobs::Event::ThumbnailMade(_) => return None,
        };
        Some(public)
    }
}

/// A person registered. Who it is stays inside; the account's id is the record's key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct UserRegistered {
    /// What the person may do.
    pub role: Role,
}

/// A person is to be forgotten: whoever keeps anything about the account erases it. Its id is the record's key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct UserErased {}

/// A video came to be. What it is called is asked for by its id, which is the record's key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VideoCreated {
    /// Whose it is.
    pub owner: AccountId,
    /// Who may see it.
    pub visibility: Visibility,
}

/// The video's file is here.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VideoUploaded {
    /// The upload that brought it.
    pub upload: UploadId,
    /// The file's size.
    pub bytes: u64,
    /// The file's SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// By content, not by name: `mp4`, `matroska`, `mpegts`, …
    pub container: String,
}

/// The video is called otherwise now, or others may see it. What it is called is asked for by its id, which is the record's key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VideoDescribed {
    /// Who may see it.
    pub visibility: Visibility,
}

/// The video is gone.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VideoDeleted {
    /// Who deleted it.
    pub by: Actor,
}

/// A video's file is to become renditions. The job's id is the record's key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TranscodeRequested {
    /// The video whose file it is.
    pub video: VideoId,
    /// Whose the video is.
    pub owner: AccountId,
    /// The container it was recognised as at upload.
    pub container: String,
}

/// A worker took the job.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobClaimed {
    /// The attempt's number, counting from 1.
    pub attempt: u32,
}

/// The film was measured.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobProbed {
    /// The attempt that measured it.
    pub attempt: u32,
    /// What was seen.
    pub film: Film,
}

/// A rendition has all its segments.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RenditionFinished {
    /// The attempt that published the last of them.
    pub attempt: u32,
    /// The rendition's name.
    pub rendition: String,
}

/// The job is done: the video has everything it will have.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TranscodeCompleted {
    /// The attempt that brought it to its end.
    pub attempt: u32,
    /// As measured, which may be less than the file claimed.
    pub duration_ms: u64,
    /// Sentences for the person who uploaded: what was not as it should be.
    pub warnings: Vec<String>,
}

/// The attempt is over and the job waits for another.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobAttemptEnded {
    /// The attempt that ended.
    pub attempt: u32,
    /// Why it ended.
    pub failure: Failure,
    /// When the job may be claimed again.
    pub again_at: Timestamp,
}

/// The job was given up.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TranscodeFailed {
    /// The last attempt.
    pub attempt: u32,
    /// Why there will be no other.
    pub failure: Failure,
}

/// A person, or the system in a person's name, stopped the job.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobCancelled {
    /// Who stopped it.
    pub by: Actor,
}

/// A person started a failed or cancelled job again.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobRestarted {
    /// Who started it.
    pub by: Actor,
}
