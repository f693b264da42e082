//! The row of a video: what its owner said, and what the job found out and made.

use super::renditions::RenditionState;
use super::video::{Original, Status};
use super::{Media, Run, segments};
use crate::playlists;
use crate::view::ViewError;
use serde::{Deserialize, Serialize};
use spool_domain::ids::{AccountId, JobId, VideoId};
use spool_domain::jobs::{self, SegmentsPublished};
use spool_domain::time::Timestamp;
use spool_domain::videos::{Described, Visibility};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoRow {
    pub owner: AccountId,
    pub description: Described,
    /// Of the video's own stream.
    pub version: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub original: Option<Original>,
    pub job: Option<JobPart>,
}

/// What the row remembers of the video's job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobPart {
    pub id: JobId,
    pub stage: Stage,
    pub film: Option<FilmPart>,
    pub renditions: Vec<RenditionState>,
    pub thumbnail: Option<String>,
    pub warnings: Vec<String>,
    pub error_text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilmPart {
    pub duration_ms: u64,
    pub width: u32,
    pub height: u32,
    pub video_codec: String,
    pub audio_codec: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Waiting,
    /// An attempt has begun; between two attempts it is still running to those who watch.
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl VideoRow {
    pub fn is_playable(&self) -> bool {
        let renditions = self.job.as_ref().map(|job| job.renditions.as_slice());
        playlists::is_playable(renditions.unwrap_or_default())
    }

    pub fn status(&self) -> Status {
        match (&self.original, self.job.as_ref().map(|job| job.stage)) {
            (None, None) => Status::AwaitingUpload,
            (_, None | Some(Stage::Waiting)) => Status::Uploaded,
            (_, Some(Stage::Running)) => Status::Processing,
            (_, Some(Stage::Completed)) => Status::Ready,
            (_, Some(Stage::Failed | Stage::Cancelled)) => Status::Failed,
        }
    }

    /// Whether everybody may find it.
    pub fn is_listed(&self) -> bool {
        let hopeless = self.status() == Status::Failed && !self.is_playable();
        self.description.visibility == Visibility::Public && !hopeless
    }

    pub fn media(self, video: VideoId) -> Option<Media> {
        self.job.map(|job| Media {
            video,
            job: job.id,
            over: job.is_over(),
            renditions: job.renditions,
        })
    }
}

impl JobPart {
    pub const fn new(id: JobId) -> Self {
        Self {
            id,
            stage: Stage::Waiting,
            film: None,
            renditions: vec![],
            thumbnail: None,
            warnings: vec![],
            error_text: None,
        }
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Completed | Stage::Failed | Stage::Cancelled)
    }

    /// Folds one event of the job; segments that it published are to be written to rows of their own.
    pub fn apply(&mut self, event: &jobs::Event) -> Result<Option<Published>, ViewError> {
        match event {
            jobs::Event::Requested(_) | jobs::Event::LeaseRenewed(_) => {}
            jobs::Event::Claimed(_) => {
                self.stage = Stage::Running;
                self.error_text = None;
            }
            jobs::Event::Probed(probed) => {
                self.film = Some(FilmPart {
                    duration_ms: probed.film.duration_ms,
                    width: probed.film.width,
                    height: probed.film.height,
                    video_codec: probed.film.video_codec.clone(),
                    audio_codec: probed.film.audio_codec.clone(),
                });
            }
            jobs::Event::RenditionStarted(started) => {
                let known = self
                    .renditions
                    .iter()
                    .position(|state| state.name == started.rendition.name);
                match known.map(|at| &mut self.renditions[at]) {
                    Some(state) => *state = state.clone().announced_again(&started.rendition),
                    None => self.renditions.push(RenditionState::new(&started.rendition)),
                }
            }
            jobs::Event::SegmentsPublished(published) => return self.publish(published),
            jobs::Event::RenditionFinished(finished) => {
                let finished = self
                    .renditions
                    .iter_mut()
                    .filter(|state| state.name == finished.rendition);
                finished.for_each(|state| state.finished = true);
            }
            jobs::Event::ThumbnailMade(made) => self.thumbnail = Some(made.blob.clone()),
            jobs::Event::Completed(completed) => {
                self.stage = Stage::Completed;
                self.warnings.clone_from(&completed.warnings);
                self.error_text = None;
                if let Some(film) = &mut self.film {
                    film.duration_ms = completed.duration_ms;
                }
            }
            jobs::Event::AttemptEnded(_) => self.stage = Stage::Running,
            jobs::Event::Failed(failed) => {
                self.stage = Stage::Failed;
                self.error_text = Some(failed.failure.sentence.clone());
            }
            jobs::Event::Cancelled(_) => {
                self.stage = Stage::Cancelled;
                self.error_text = Some("processing was cancelled".to_owned());
            }
            jobs::Event::Restarted(_) => {
                self.stage = Stage::Waiting;
                self.error_text = None;
            }
        }
        Ok(None)
    }

    fn publish(&mut self, published: &SegmentsPublished) -> Result<Option<Published>, ViewError> {
        // The job does not know it either, so nothing was promised.
        let Some(state) = self
            .renditions
            .iter_mut()
            .find(|state| state.name == published.rendition)
        else {
            return Ok(None);
        };
        if state.segments != published.from {
            return Err(ViewError::poison(format!(
                "segment {} of {} does not follow the {} published",
                published.from, state.name, state.segments
            )));
        }
        state.publish(published.attempt, &published.segments);
        let runs = segments::cut(published.from, &published.segments)
            .map(|(from, segments)| Run {
                attempt: published.attempt,
                from,
                segments: segments.to_vec(),
            })
            .collect();
        Ok(Some(Published {
            rendition: published.rendition.clone(),
            runs,
        }))
    }
}

/// Segments for rows of their own, each run for one row.
pub struct Published {
    pub rendition: String,
    pub runs: Vec<Run>,
}
