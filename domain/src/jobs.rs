//! A job: one video's file is to become renditions; workers take it in turns until it is done.
//!
//! A worker holds a job by a lease and is known by its attempt's number. Whatever it says about an
//! attempt that is no longer the job's is refused, so a dead or doubled worker can publish nothing.

mod attempt;
mod events;

pub use events::*;

use attempt::LEASE_EXPIRED;

use crate::actors::Actor;
use crate::decider::Decider;
use crate::media::{Film, Rendition, Segment};
use crate::text::Complaint;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What may be asked of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// There shall be such a job. Quiet when there is one already.
    Request(Requested),
    /// `worker` takes the job. A worker that comes back after a crash takes its own job again at once,
    /// unless that has happened a few times in a row: then the job waits for the end of the lease and a pause.
    Claim {
        /// The worker's own name; the same after a restart, and not shared by two that run at once.
        worker: String,
        /// How long it may be silent; at most an hour counts.
        lease: Millis,
    },
    /// The attempt is alive and wants the job for another `lease` from now.
    Renew {
        /// The asking attempt.
        attempt: u32,
        /// How long it may be silent; at most an hour counts.
        lease: Millis,
    },
    /// Something the attempt found out or made. All of the facts are taken or none; what is known
    /// already is passed over.
    Report {
        /// The reporting attempt.
        attempt: u32,
        /// Renews the lease when less than half of this is left of it.
        lease: Millis,
        /// In the order they happened.
        facts: Vec<Fact>,
    },
    /// The attempt has made everything. Quiet when this attempt has said so before.
    Complete {
        /// The attempt that is done.
        attempt: u32,
        /// As measured.
        duration_ms: u64,
        /// Sentences for the person who uploaded.
        warnings: Vec<String>,
    },
    /// The attempt cannot go on. A passing failure is followed by another attempt while there are some left.
    Fail {
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// Stops the job. Quiet when it is cancelled already.
    Cancel {
        /// Who asks: the owner, an administrator or the system.
        by: Actor,
    },
    /// Starts a failed or cancelled job again, keeping what was published. Quiet when it waits for a worker.
    Restart {
        /// Who asks: the owner, an administrator or the system.
        by: Actor,
    },
    /// The timer: a lease may have run out.
    Wake,
}

/// What a worker may report while it works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// The film was measured.
    Probed(Film),
    /// The rendition's init segment is stored under the attempt's prefix.
    RenditionStarted(Rendition),
    /// The segments are stored under the attempt's prefix.
    SegmentsPublished {
        /// The name of a rendition that was announced and is not finished.
        rendition: String,
        /// Must be the number of segments published before.
        from: u32,
        /// In order. None at all is no news.
        segments: Vec<Segment>,
    },
    /// The rendition has all its segments.
    RenditionFinished {
        /// The name of a rendition that was announced.
        rendition: String,
    },
    /// The picture is stored.
    ThumbnailMade {
        /// Where.
        blob: String,
    },
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Nobody has requested it.
    #[error("there is no such job")]
    NoSuchJob,
    /// The actor may not decide about it.
    #[error("only the owner or an administrator may do this")]
    NotOwner,
    /// It cannot be claimed now: somebody holds it, or a pause after a failure is not over.
    #[error("another worker has the job")]
    Leased,
    /// The attempt speaks too late: its lease was given to another, or the job is over.
    #[error("this attempt no longer has the job")]
    Fenced,
    /// The job has ended, in the way the word says.
    #[error("the job is already {0}")]
    Over(Cow<'static, str>),
    /// It cannot be started again while a worker has it.
    #[error("the job is still running")]
    Running,
    /// Segments come in order, without gaps and without repeats.
    #[error("segment {from} of {rendition} does not follow the {published} published")]
    Gap {
        /// The rendition's name.
        rendition: String,
        /// The number that was offered.
        from: u32,
        /// The number that would have followed.
        published: u32,
    },
    /// A rendition must be announced before anything else is said about it.
    #[error("rendition {rendition} has not been announced")]
    NotAnnounced {
        /// The name that was used.
        rendition: String,
    },
    /// A finished rendition takes no more segments.
    #[error("rendition {rendition} is already finished")]
    RenditionOver {
        /// The rendition's name.
        rendition: String,
    },
    /// A job is not complete while a rendition that the attempt announced is half there.
    #[error("rendition {rendition} is not finished")]
    Unfinished {
        /// The rendition's name.
        rendition: String,
    },
    /// A job is not complete without anything to watch.
    #[error("no rendition with a picture is finished")]
    NothingToPlay,
    /// A report says something that cannot be.
    #[error("the {field} {complaint}")]
    Invalid {
        /// What is wrong, as the subject of the sentence.
        field: Cow<'static, str>,
        /// Its rest.
        complaint: Complaint,
    },
}

/// What is known of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// It was not requested.
    #[default]
    Nothing,
    /// It was requested.
    Known(Box<Known>),
}

/// A job that was requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What is to be done.
    pub requested: Requested,
    /// Who has it now, or how it ended.
    pub stage: Stage,
    /// Attempts begun so far; the number of the last one.
    pub attempts: u32,
    /// Attempts that said they failed, since a person last started the job or an attempt last published
    /// something.
    pub failures: u32,
    /// Attempts that ended without a word since then: their worker was killed, restarted or cut off from the
    /// log, which is seldom the film's fault. They are counted apart and more of them are borne, as
    /// Kubernetes keeps a pod's disruptions out of a job's `backoffLimit`. There is an end, since a film
    /// may take down its worker each time.
    pub cut_off: u32,
    /// The film as measured.
    pub film: Option<Film>,
    /// By name.
    pub renditions: BTreeMap<String, Progress>,
    /// The blob of the picture.
    pub thumbnail: Option<String>,
}

/// How far a rendition has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is.
    pub rendition: Rendition,
    /// The attempt that last announced it.
    pub attempt: u32,
    /// How many are published; the number of the next one.
    pub segments: u32,
    /// How long they play.
    pub published_ms: u64,
    /// Whether it has all its segments.
    pub finished: bool,
}

/// Who has a job, or how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// Nobody has it.
    Waiting {
        /// May be claimed from then on.
        from: Timestamp,
    },
    /// A worker has it.
    Leased {
        /// The attempt's number.
        attempt: u32,
        /// The worker's name.
        worker: String,
        /// When the lease ends.
        until: Timestamp,
    },
    /// Everything is made.
    Completed,
    /// Given up.
    Failed,
    /// Stopped by a person.
    Cancelled,
}

impl Decider for Job {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let Self::Known(job) = self else {
            return match command {
                Command::Request(requested) => Ok(vec![Event::Requested(requested.clone())]),
                Command::Wake => Ok(vec![]),
                Command::Claim { .. }
                | Command::Renew { .. }
                | Command::Report { .. }
                | Command::Complete { .. }
                | Command::Fail { .. }
                | Command::Cancel { .. }
                | Command::Restart { .. } => Err(Refusal::NoSuchJob),
            };
        };
        match command {
            Command::Request(_) => Ok(vec![]),
            Command::Claim { worker, lease } => job.claim(worker, *lease, now),
            Command::Renew { attempt, lease } => job.renew(*attempt, *lease, now),
            Command::Report {
                attempt,
                lease,
                facts,
            } => job.report_all(*attempt, *lease, facts, now),
            Command::Complete {
                attempt,
                duration_ms,
                warnings,
            } => job.complete(*attempt, *duration_ms, warnings),
            Command::Fail { attempt, failure } => {
                job.held_until(*attempt)?;
                Ok(vec![job.end_attempt(*attempt, failure.clone(), now)])
            }
            Command::Cancel { by } => {
                job.allow(by)?;
                match job.over() {
                    None => Ok(vec![Event::Cancelled(Cancelled { by: *by })]),
                    Some("cancelled") => Ok(vec![]),
                    Some(word) => Err(Refusal::Over(word.into())),
                }
            }
            Command::Restart { by } => {
                job.allow(by)?;
                match job.stage {
                    Stage::Failed | Stage::Cancelled => Ok(vec![Event::Restarted(Restarted { by: *by })]),
                    Stage::Completed => Err(Refusal::Over("completed".into())),
                    Stage::Waiting { .. } => Ok(vec![]),
                    Stage::Leased { .. } => Err(Refusal::Running),
                }
            }
            Command::Wake => Ok(match &job.stage {
                Stage::Leased { attempt, until, .. } if *until <= now => {
                    vec![job.lose_attempt(*attempt, now)]
                }
                Stage::Leased { .. }
                | Stage::Waiting { .. }
                | Stage::Completed
                | Stage::Failed
                | Stage::Cancelled => vec![],
            }),
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (Self::Nothing, Event::Requested(requested)) => Self::Known(Box::new(Known {
                requested: requested.clone(),
                stage: Stage::Waiting {
                    from: Timestamp::default(),
                },
                attempts: 0,
                failures: 0,
                cut_off: 0,
                film: None,
                renditions: BTreeMap::new(),
                thumbnail: None,
            })),
            (Self::Nothing, _) => Self::Nothing,
            (Self::Known(mut job), event) => {
                job.apply(event);
                Self::Known(job)
            }
        }
    }

    fn due(&self) -> Option<(Timestamp, Command)> {
        match self {
            Self::Known(job) => match &job.stage {
                Stage::Leased { until, .. } => Some((*until, Command::Wake)),
                Stage::Waiting { .. } | Stage::Completed | Stage::Failed | Stage::Cancelled => None,
            },
            Self::Nothing => None,
        }
    }
}

impl Known {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Requested(_) => {}
            Event::Claimed(claimed) => {
                if matches!(self.stage, Stage::Leased { .. }) {
                    self.cut_off = self.cut_off.saturating_add(1);
                }
                self.attempts = claimed.attempt;
                self.stage = Stage::Leased {
                    attempt: claimed.attempt,
                    worker: claimed.worker.clone(),
                    until: claimed.until,
                };
            }
            Event::LeaseRenewed(renewed) => {
                if let Stage::Leased { until, .. } = &mut self.stage {
                    *until = renewed.until;
                }
            }
            Event::Probed(probed) => self.film = Some(probed.film.clone()),
            Event::RenditionStarted(started) => {
                let before = self.renditions.remove(&started.rendition.name);
                let progress = Progress {
                    rendition: started.rendition.clone(),
                    attempt: started.attempt,
                    segments: before.as_ref().map_or(0, |before| before.segments),
                    published_ms: before.as_ref().map_or(0, |before| before.published_ms),
                    finished: before.is_some_and(|before| before.finished),
                };
                self.renditions.insert(started.rendition.name.clone(), progress);
            }
            Event::SegmentsPublished(published) => {
                if let Some(progress) = self.renditions.get_mut(&published.rendition) {
                    let count = u32::try_from(published.segments.len()).unwrap_or(u32::MAX);
                    progress.segments = published.from.saturating_add(count);
                    progress.published_ms = published
                        .segments
                        .iter()
                        .map(|segment| u64::from(segment.duration_ms))
                        .fold(progress.published_ms, u64::saturating_add);
                }
                (self.failures, self.cut_off) = (0, 0);
            }
            Event::RenditionFinished(finished) => {
                if let Some(progress) = self.renditions.get_mut(&finished.rendition) {
                    progress.finished = true;
                }
            }
            Event::ThumbnailMade(made) => self.thumbnail = Some(made.blob.clone()),
            Event::Completed(_) => self.stage = Stage::Completed,
            Event::AttemptEnded(ended) => {
                let count = match ended.failure.code.as_str() {
                    LEASE_EXPIRED => &mut self.cut_off,
                    _ => &mut self.failures,
                };
                *count = count.saturating_add(1);
                self.stage = Stage::Waiting { from: ended.again_at };
            }
            Event::Failed(_) => self.stage = Stage::Failed,
            Event::Cancelled(_) => self.stage = Stage::Cancelled,
            Event::Restarted(_) => {
                self.stage = Stage::Waiting {
                    from: Timestamp::default(),
                };
                (self.failures, self.cut_off) = (0, 0);
            }
        }
    }
}
