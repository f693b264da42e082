//! A job: one video's file is to become renditions; workers take it in turns until it is done.
//!
//! A worker holds a job by a lease and is known by its attempt's number. Whatever it says about an
//! attempt that is no longer the job's is refused, so a dead or doubled worker can publish nothing.

use crate::actors::Actor;
use crate::decider::Decider;
use crate::ids::{AccountId, VideoId};
use crate::media::{Film, Rendition, Segment};
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An attempt that failed for a passing reason is followed by another after this, doubled each time.
const RETRY_AFTER: Millis = Millis(2_000);

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Request(Requested),
    /// `worker` takes the job. A worker that comes back after a crash takes its own job again at once.
    Claim {
        worker: String,
        lease: Millis,
    },
    Renew {
        attempt: u32,
        lease: Millis,
    },
    /// Something the attempt found out or made.
    Report {
        attempt: u32,
        lease: Millis,
        facts: Vec<Fact>,
    },
    Complete {
        attempt: u32,
        duration_ms: u64,
        warnings: Vec<String>,
    },
    Fail {
        attempt: u32,
        failure: Failure,
    },
    Cancel {
        by: Actor,
    },
    /// Starts a finished, failed or cancelled job again.
    Restart {
        by: Actor,
    },
    /// The timer: a lease has run out, or a pause is over.
    Wake,
}

/// What a worker may report while it works.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    Probed(Film),
    RenditionStarted(Rendition),
    SegmentsPublished {
        rendition: String,
        from: u32,
        segments: Vec<Segment>,
    },
    RenditionFinished {
        rendition: String,
    },
    ThumbnailMade {
        blob: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Requested(Requested),
    Claimed(Claimed),
    LeaseRenewed(LeaseRenewed),
    Probed(Probed),
    RenditionStarted(RenditionStarted),
    SegmentsPublished(SegmentsPublished),
    RenditionFinished(RenditionFinished),
    ThumbnailMade(ThumbnailMade),
    Completed(Completed),
    AttemptEnded(AttemptEnded),
    Failed(Failed),
    Cancelled(Cancelled),
    Restarted(Restarted),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    pub video: VideoId,
    pub owner: AccountId,
    /// The blob to read.
    pub blob: String,
    /// The container it was recognised as at upload.
    pub container: String,
    pub attempts_max: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claimed {
    pub attempt: u32,
    pub worker: String,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseRenewed {
    pub attempt: u32,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probed {
    pub attempt: u32,
    pub film: Film,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenditionStarted {
    pub attempt: u32,
    pub rendition: Rendition,
}

/// Segments `from..from + segments.len()` of the rendition can be fetched, under the attempt's prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentsPublished {
    pub attempt: u32,
    pub rendition: String,
    pub from: u32,
    pub segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenditionFinished {
    pub attempt: u32,
    pub rendition: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThumbnailMade {
    pub attempt: u32,
    pub blob: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Completed {
    pub attempt: u32,
    /// As measured, which may be less than the file claimed.
    pub duration_ms: u64,
    pub warnings: Vec<String>,
}

/// The attempt is over and the job waits for another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptEnded {
    pub attempt: u32,
    pub failure: Failure,
    pub again_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    pub attempt: u32,
    pub failure: Failure,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    pub by: Actor,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Restarted {
    pub by: Actor,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// A stable word, for programs: `no_video`, `lease_expired`, …
    pub code: String,
    /// A sentence for the person who uploaded.
    pub sentence: String,
    /// Whether another attempt may fare better.
    pub passing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such job")]
    NoSuchJob,
    #[error("only the owner or an administrator may do this")]
    NotOwner,
    #[error("another worker has the job")]
    Leased,
    #[error("this attempt no longer has the job")]
    Fenced,
    #[error("the job is already {0}")]
    Over(&'static str),
    #[error("the job is still running")]
    Running,
    #[error("segment {from} of {rendition} does not follow the {published} published")]
    Gap {
        rendition: String,
        from: u32,
        published: u32,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Job {
    #[default]
    Nothing,
    Known(Box<Known>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    pub requested: Requested,
    pub stage: Stage,
    /// Attempts begun so far; the number of the last one.
    pub attempts: u32,
    /// Attempts begun since the job was last started by a person.
    pub tries: u32,
    pub film: Option<Film>,
    pub renditions: BTreeMap<String, Progress>,
    pub thumbnail: Option<String>,
}

/// How far a rendition has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub rendition: Rendition,
    /// The attempt that last announced it.
    pub attempt: u32,
    pub segments: u32,
    pub published_ms: u64,
    pub finished: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// May be claimed from then on.
    Waiting {
        from: Timestamp,
    },
    Leased {
        attempt: u32,
        worker: String,
        until: Timestamp,
    },
    Completed,
    Failed,
    Cancelled,
}

impl Known {
    /// The word for a stage that work has ended in.
    fn over(&self) -> Option<&'static str> {
        match self.stage {
            Stage::Completed => Some("completed"),
            Stage::Failed => Some("failed"),
            Stage::Cancelled => Some("cancelled"),
            Stage::Waiting { .. } | Stage::Leased { .. } => None,
        }
    }

    /// When the lease ends, if `attempt` is the one that holds it.
    fn held_until(&self, attempt: u32) -> Result<Timestamp, Refusal> {
        match &self.stage {
            Stage::Leased {
                attempt: holder,
                until,
                ..
            } if *holder == attempt => Ok(*until),
            Stage::Cancelled => Err(Refusal::Over("cancelled")),
            Stage::Waiting { .. } | Stage::Leased { .. } | Stage::Completed | Stage::Failed => {
                Err(Refusal::Fenced)
            }
        }
    }

    fn allow(&self, by: &Actor) -> Result<(), Refusal> {
        if by.may_act_for(self.requested.owner) {
            Ok(())
        } else {
            Err(Refusal::NotOwner)
        }
    }

    fn claim(&self, worker: &str, lease: Millis, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match &self.stage {
            Stage::Waiting { from } if *from > now => Err(Refusal::Leased),
            Stage::Leased {
                worker: holder,
                until,
                ..
            } if holder != worker && *until > now => Err(Refusal::Leased),
            Stage::Waiting { .. } | Stage::Leased { .. } => {
                let (attempt, worker) = (self.attempts + 1, worker.to_owned());
                Ok(vec![Event::Claimed(Claimed {
                    attempt,
                    worker,
                    until: now + lease,
                })])
            }
            Stage::Completed | Stage::Failed | Stage::Cancelled => {
                Err(Refusal::Over(self.over().unwrap_or_default()))
            }
        }
    }

    fn end_attempt(&self, attempt: u32, failure: Failure, now: Timestamp) -> Event {
        if !failure.passing || self.tries >= self.requested.attempts_max {
            return Event::Failed(Failed { attempt, failure });
        }
        let pause = Millis(RETRY_AFTER.0 << self.tries.saturating_sub(1).min(8));
        Event::AttemptEnded(AttemptEnded {
            attempt,
            failure,
            again_at: now + pause,
        })
    }

    fn report(&self, attempt: u32, fact: &Fact) -> Result<Option<Event>, Refusal> {
        Ok(match fact {
            Fact::Probed(film) if self.film.as_ref() == Some(film) => None,
            Fact::Probed(film) => Some(Event::Probed(Probed {
                attempt,
                film: film.clone(),
            })),
            Fact::RenditionStarted(rendition) => Some(Event::RenditionStarted(RenditionStarted {
                attempt,
                rendition: rendition.clone(),
            })),
            Fact::SegmentsPublished {
                rendition,
                from,
                segments,
            } => {
                let published = self
                    .renditions
                    .get(rendition)
                    .map_or(0, |progress| progress.segments);
                if *from != published {
                    return Err(Refusal::Gap {
                        rendition: rendition.clone(),
                        from: *from,
                        published,
                    });
                }
                let (rendition, segments) = (rendition.clone(), segments.clone());
                Some(Event::SegmentsPublished(SegmentsPublished {
                    attempt,
                    rendition,
                    from: *from,
                    segments,
                }))
            }
            Fact::RenditionFinished { rendition } => {
                let finished = self
                    .renditions
                    .get(rendition)
                    .is_some_and(|progress| progress.finished);
                let news = RenditionFinished {
                    attempt,
                    rendition: rendition.clone(),
                };
                (!finished).then_some(Event::RenditionFinished(news))
            }
            Fact::ThumbnailMade { blob } => Some(Event::ThumbnailMade(ThumbnailMade {
                attempt,
                blob: blob.clone(),
            })),
        })
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Requested(_) => {}
            Event::Claimed(claimed) => {
                self.attempts = claimed.attempt;
                self.tries += 1;
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
                    progress.published_ms += published
                        .segments
                        .iter()
                        .map(|segment| u64::from(segment.duration_ms))
                        .sum::<u64>();
                }
            }
            Event::RenditionFinished(finished) => {
                if let Some(progress) = self.renditions.get_mut(&finished.rendition) {
                    progress.finished = true;
                }
            }
            Event::ThumbnailMade(made) => self.thumbnail = Some(made.blob.clone()),
            Event::Completed(_) => self.stage = Stage::Completed,
            Event::AttemptEnded(ended) => self.stage = Stage::Waiting { from: ended.again_at },
            Event::Failed(_) => self.stage = Stage::Failed,
            Event::Cancelled(_) => self.stage = Stage::Cancelled,
            Event::Restarted(_) => {
                self.stage = Stage::Waiting {
                    from: Timestamp::default(),
                };
                self.tries = 0;
            }
        }
    }
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
            Command::Renew { attempt, lease } => {
                job.held_until(*attempt)?;
                Ok(vec![Event::LeaseRenewed(LeaseRenewed {
                    attempt: *attempt,
                    until: now + *lease,
                })])
            }
            Command::Report {
                attempt,
                lease,
                facts,
            } => job.report_all(*attempt, *lease, facts, now),
            Command::Complete {
                attempt,
                duration_ms,
                warnings,
            } => {
                if matches!(job.stage, Stage::Completed) && job.attempts == *attempt {
                    return Ok(vec![]);
                }
                job.held_until(*attempt)?;
                let completed = Completed {
                    attempt: *attempt,
                    duration_ms: *duration_ms,
                    warnings: warnings.clone(),
                };
                Ok(vec![Event::Completed(completed)])
            }
            Command::Fail { attempt, failure } => {
                job.held_until(*attempt)?;
                Ok(vec![job.end_attempt(*attempt, failure.clone(), now)])
            }
            Command::Cancel { by } => {
                job.allow(by)?;
                match job.over() {
                    None => Ok(vec![Event::Cancelled(Cancelled { by: *by })]),
                    Some("cancelled") => Ok(vec![]),
                    Some(word) => Err(Refusal::Over(word)),
                }
            }
            Command::Restart { by } => {
                job.allow(by)?;
                match job.stage {
                    Stage::Failed | Stage::Cancelled => Ok(vec![Event::Restarted(Restarted { by: *by })]),
                    Stage::Completed => Err(Refusal::Over("completed")),
                    Stage::Waiting { .. } => Ok(vec![]),
                    Stage::Leased { .. } => Err(Refusal::Running),
                }
            }
            Command::Wake => Ok(match &job.stage {
                Stage::Leased { attempt, until, .. } if *until <= now => {
                    let failure = Failure {
                        code: "lease_expired".into(),
                        sentence: "the worker stopped answering".into(),
                        passing: true,
                    };
                    vec![job.end_attempt(*attempt, failure, now)]
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
                tries: 0,
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
    /// Facts are news one after the other: the second may follow from the first.
    fn report_all(
        &self,
        attempt: u32,
        lease: Millis,
        facts: &[Fact],
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let until = self.held_until(attempt)?;
        let mut after = self.clone();
        let mut events = vec![];
        for fact in facts {
            if let Some(event) = after.report(attempt, fact)? {
                after.apply(&event);
                events.push(event);
            }
        }
        // Reporting proves life; half a lease left is the time to say so, which keeps the log small.
        if (until - now).0 * 2 < lease.0 {
            events.push(Event::LeaseRenewed(LeaseRenewed {
                attempt,
                until: now + lease,
            }));
        }
        Ok(events)
    }
}
