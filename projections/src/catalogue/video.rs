//! A video as everybody outside sees it.

use super::row::VideoRow;
use crate::playlists;
use serde::{Deserialize, Serialize};
use spool_domain::ids::{AccountId, JobId, VideoId};
use spool_domain::media::RenditionKind;
use spool_domain::time::Timestamp;
use spool_domain::videos::Visibility;

/// One video. What only the gateway knows (names that are sealed, signed URLs) is left empty by the view.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Video {
    #[schema(value_type = Uuid)]
    pub id: VideoId,
    #[schema(value_type = Uuid)]
    pub owner_id: AccountId,
    /// Set by the gateway.
    pub owner_username: Option<String>,
    pub title: String,
    pub description: String,
    #[schema(value_type = VisibilityWord)]
    pub visibility: Visibility,
    pub status: Status,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    pub duration_seconds: Option<f64>,
    /// As shown, after rotation.
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub video_codec: Option<String>,
    pub audio_codec: Option<String>,
    pub file_name: Option<String>,
    /// In bytes.
    pub file_size: Option<u64>,
    /// Set by the gateway, once there is a thumbnail.
    pub thumbnail_url: Option<String>,
    /// Set by the gateway, as soon as there is something to play.
    pub hls_url: Option<String>,
    pub playable: bool,
    /// The qualities there are, lowest first.
    pub renditions: Vec<RenditionSummary>,
    /// What was odd about the file, as sentences.
    pub warnings: Vec<String>,
    /// Why it failed, for the person who uploaded it.
    pub error_text: Option<String>,
    #[schema(value_type = Option<Uuid>)]
    pub job_id: Option<JobId>,
    /// Of the video's own stream: the `ETag`.
    #[serde(skip)]
    pub version: u64,
    #[serde(skip)]
    pub original: Option<Original>,
    /// The blob of the thumbnail.
    #[serde(skip)]
    pub thumbnail: Option<String>,
}

/// The words for who may find and watch a video; only describes what the rules, which know of no document, decide on.
#[derive(utoipa::ToSchema)]
#[schema(as = Visibility, rename_all = "snake_case")]
pub enum VisibilityWord {
    /// Everybody, also in lists.
    Public,
    /// Whoever has the address.
    Unlisted,
    /// The owner and administrators.
    Private,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = VideoStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    AwaitingUpload,
    Uploaded,
    Processing,
    Ready,
    /// Also when it was cancelled; it can be started again.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RenditionSummary {
    pub name: String,
    pub width: u32,
    pub height: u32,
    /// Bits a second at most, without the sound.
    pub bandwidth: u64,
    pub published_seconds: f64,
    pub complete: bool,
}

/// The file as it was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    pub blob: String,
    pub file_name: String,
    pub bytes: u64,
    pub sha256: String,
    pub container: String,
}

impl VideoRow {
    pub fn video(self, id: VideoId) -> Video {
        let (status, playable) = (self.status(), self.is_playable());
        let renditions = self.job.as_ref().map(summaries).unwrap_or_default();
        let (film, job) = (self.job.as_ref().and_then(|job| job.film.clone()), self.job);
        Video {
            id,
            owner_id: self.owner,
            owner_username: None,
            title: self.description.title,
            description: self.description.description,
            visibility: self.description.visibility,
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
            duration_seconds: film.as_ref().map(|film| seconds(film.duration_ms)),
            width: film.as_ref().map(|film| film.width),
            height: film.as_ref().map(|film| film.height),
            video_codec: film.as_ref().map(|film| film.video_codec.clone()),
            audio_codec: film.and_then(|film| film.audio_codec),
            file_name: self.original.as_ref().map(|original| original.file_name.clone()),
            file_size: self.original.as_ref().map(|original| original.bytes),
            thumbnail_url: None,
            hls_url: None,
            playable,
            renditions,
            warnings: job.as_ref().map(|job| job.warnings.clone()).unwrap_or_default(),
            error_text: job.as_ref().and_then(|job| job.error_text.clone()),
            job_id: job.as_ref().map(|job| job.id),
            version: self.version,
            original: self.original,
            thumbnail: job.and_then(|job| job.thumbnail),
        }
    }
}

fn summaries(job: &super::row::JobPart) -> Vec<RenditionSummary> {
    let mut shown: Vec<_> = job
        .renditions
        .iter()
        .filter(|state| {
            state.kind == RenditionKind::Video && !playlists::is_superseded(state, &job.renditions)
        })
        .map(|state| RenditionSummary {
            name: state.name.clone(),
            width: state.width,
            height: state.height,
            bandwidth: state.peak_bits_per_second(),
            published_seconds: seconds(state.published_ms),
            complete: state.finished,
        })
        .collect();
    shown.sort_by_key(|summary| (summary.height, summary.bandwidth));
    shown
}

#[expect(clippy::cast_precision_loss, reason = "no film is 2^53 milliseconds long")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
