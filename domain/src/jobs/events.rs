//! The facts about a job, as they are written.

use crate::actors::Actor;
use crate::ids::{AccountId, VideoId};
use crate::media::{Film, Rendition, Segment};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can have happened to a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A video's file is to become renditions.
    Requested(Requested),
    /// A worker took the job.
    Claimed(Claimed),
    /// The attempt may go on for longer.
    LeaseRenewed(LeaseRenewed),
    /// The film was measured.
    Probed(Probed),
    /// A rendition was announced.
    RenditionStarted(RenditionStarted),
    /// Segments can be fetched.
    SegmentsPublished(SegmentsPublished),
    /// A rendition has all its segments.
    RenditionFinished(RenditionFinished),
    /// There is a picture to show for the video.
    ThumbnailMade(ThumbnailMade),
    /// The job is done.
    Completed(Completed),
    /// An attempt failed and another will follow.
    AttemptEnded(AttemptEnded),
    /// The job was given up.
    Failed(Failed),
    /// A person stopped the job.
    Cancelled(Cancelled),
    /// A person started the job again.
    Restarted(Restarted),
}

/// A video's file is to become renditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    /// The video whose file it is.
    pub video: VideoId,
    /// Who may cancel and restart the job.
    pub owner: AccountId,
    /// The blob to read.
    pub blob: String,
    /// The container it was recognised as at upload.
    pub container: String,
    /// How many attempts in a row may end without having published anything.
    pub attempts_max: u32,
}

/// A worker took the job. Attempts before this one can no longer say anything about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claimed {
    /// The attempt's number, counting from 1: it fences those before it.
    pub attempt: u32,
    /// The worker's own name.
    pub worker: String,
    /// When the lease ends if it is not renewed.
    pub until: Timestamp,
}

/// The worker showed that it is alive, and may go on for longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseRenewed {
    /// The attempt that holds the lease.
    pub attempt: u32,
    /// When the lease ends now.
    pub until: Timestamp,
}

/// The film was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probed {
    /// The attempt that measured it.
    pub attempt: u32,
    /// What was seen.
    pub film: Film,
}

/// A rendition was announced: its init segment can be fetched, under the attempt's prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenditionStarted {
    /// The attempt whose prefix has the init segment.
    pub attempt: u32,
    /// What it will be.
    pub rendition: Rendition,
}

/// Segments `from..from + segments.len()` of the rendition can be fetched, under the attempt's prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentsPublished {
    /// The attempt whose prefix has the segments.
    pub attempt: u32,
    /// The rendition's name.
    pub rendition: String,
    /// The number of the first of them, counting from 0; follows the last one published before.
    pub from: u32,
    /// In order, at least one.
    pub segments: Vec<Segment>,
}

/// The rendition has all its segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenditionFinished {
    /// The attempt that published the last of them.
    pub attempt: u32,
    /// The rendition's name.
    pub rendition: String,
}

/// There is a picture to show for the video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThumbnailMade {
    /// The attempt that made it.
    pub attempt: u32,
    /// Where the blobs keep it: a JPEG.
    pub blob: String,
}

/// The job is done: the video has everything it will have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Completed {
    /// The attempt that brought it to its end.
    pub attempt: u32,
    /// As measured, which may be less than the file claimed.
    pub duration_ms: u64,
    /// Sentences for the person who uploaded: what was not as it should be.
    pub warnings: Vec<String>,
}

/// The attempt is over and the job waits for another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptEnded {
    /// The attempt that ended.
    pub attempt: u32,
    /// Why it ended.
    pub failure: Failure,
    /// When the job may be claimed again.
    pub again_at: Timestamp,
}

/// The job was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// The last attempt.
    pub attempt: u32,
    /// Why there will be no other.
    pub failure: Failure,
}

/// A person, or the system in a person's name, stopped the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// Who stopped it.
    pub by: Actor,
}

/// A person started a failed or cancelled job again. What was published stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Restarted {
    /// Who started it.
    pub by: Actor,
}

/// Why an attempt did not succeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// A stable word, for programs: `no_video`, `lease_expired`, …
    pub code: String,
    /// A sentence for the person who uploaded.
    pub sentence: String,
    /// Whether another attempt may fare better.
    pub passing: bool,
}
