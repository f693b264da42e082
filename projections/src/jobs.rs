//! The job queue: what waits, what runs, what has ended, and how many of each.

mod fold;

use crate::error::QueryError;
use crate::reading::{decode, id_of, row};
use crate::runtime::Serving;
use serde::{Deserialize, Serialize};
use spool_domain::ids::{AccountId, JobId, VideoId};
use spool_domain::time::Timestamp;
use spool_tables::{Order, ViewTables};
use std::ops::{AddAssign, Bound, Deref};
use std::sync::Arc;

pub(crate) use fold::JobsView;

const JOBS: &str = "jobs";
/// Partition key: the stage's word; sort key: when it was requested, then the id.
const STAGES: &str = "stages";
/// One row for each log partition.
const COUNTS: &str = "counts";
const ALL: &str = "all";
const PAGE: usize = 100;

/// Answers about jobs. Blocking.
#[derive(Clone)]
pub struct Jobs(Arc<Serving>);

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Job {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    #[schema(value_type = Uuid)]
    pub video_id: VideoId,
    #[schema(value_type = Uuid)]
    pub owner_id: AccountId,
    pub state: JobState,
    /// 0 to 100. The view knows the ends only; the gateway puts in what the worker last signalled.
    pub progress: u8,
    pub attempts: u32,
    /// For a person; also between two attempts.
    pub error_text: Option<String>,
    /// A stable word, for programs.
    pub error_code: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Of the first attempt.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// What to work on.
    #[serde(skip)]
    pub blob: String,
    #[serde(skip)]
    pub container: String,
    #[serde(skip)]
    pub worker: Option<String>,
    #[serde(skip)]
    pub lease_until: Option<Timestamp>,
    /// A waiting job may be claimed from then on.
    #[serde(skip)]
    pub claimable_from: Timestamp,
}

/// `Downloading` and `Uploading` are signals of the worker and never in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    Pending,
    Downloading,
    Processing,
    Uploading,
    Completed,
    Failed,
    Cancelled,
}

/// Jobs that a worker may take.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimable {
    /// The oldest request first.
    pub jobs: Vec<Job>,
    /// When the next of those that pause between two attempts may be taken.
    pub next_at: Option<Timestamp>,
}

/// How many jobs are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    pub pending: u64,
    pub running: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct JobRow {
    video: VideoId,
    owner: AccountId,
    blob: String,
    container: String,
    stage: Stage,
    attempts: u32,
    error: Option<(String, String)>,
    requested_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Waiting { from: Timestamp },
    Leased { worker: String, until: Timestamp },
    Completed,
    Failed,
    Cancelled,
}

impl Jobs {
    pub(crate) const fn new(serving: Arc<Serving>) -> Self {
        Self(serving)
    }

    /// The job of a video is `JobId::of(video, 1)`.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, QueryError> {
        let found: Option<JobRow> = row(&self.version()?.tables, JOBS, &id.to_string(), "")?;
        Ok(found.map(|row| row.job(id)))
    }

    /// What may be claimed at `now`, at most `limit`.
    pub fn claimable(&self, now: Timestamp, limit: usize) -> Result<Claimable, QueryError> {
        let tables = &self.version()?.tables;
        let mut found = Claimable {
            jobs: vec![],
            next_at: None,
        };
        let mut after = None;
        while let Some(page) = page(tables, Stage::WAITING, after.as_deref(), PAGE)? {
            for job in page.jobs {
                if job.claimable_from > now {
                    let earlier = found.next_at.is_none_or(|next| job.claimable_from < next);
                    found.next_at = if earlier {
                        Some(job.claimable_from)
                    } else {
                        found.next_at
                    };
                } else if found.jobs.len() < limit {
                    found.jobs.push(job);
                }
            }
            if found.jobs.len() >= limit {
                break;
            }
            after = Some(page.last);
        }
        Ok(found)
    }

    pub fn counts(&self) -> Result<Counts, QueryError> {
        let tables = &self.version()?.tables;
        let all = (Bound::Unbounded, Bound::Unbounded);
        let mut total = Counts::default();
        for row in tables.range(COUNTS, ALL, all, Order::Ascending, usize::from(u16::MAX))? {
            total += decode(COUNTS, &row.value)?;
        }
        Ok(total)
    }

    /// Jobs that wait, the oldest request first.
    pub fn waiting(&self, limit: usize) -> Result<Vec<Job>, QueryError> {
        self.in_stage(Stage::WAITING, limit)
    }

    /// Jobs that a worker has, the oldest request first.
    pub fn leased(&self, limit: usize) -> Result<Vec<Job>, QueryError> {
        self.in_stage(Stage::LEASED, limit)
    }

    fn in_stage(&self, stage: &str, limit: usize) -> Result<Vec<Job>, QueryError> {
        let page = page(&self.version()?.tables, stage, None, limit)?;
        Ok(page.map(|page| page.jobs).unwrap_or_default())
    }
}

impl Deref for Jobs {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.0
    }
}

struct Page {
    jobs: Vec<Job>,
    last: String,
}

/// Jobs of one stage in order of request; none at the end.
fn page(
    tables: &ViewTables,
    stage: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Option<Page>, QueryError> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let keys = tables.range(STAGES, stage, (from, Bound::Unbounded), Order::Ascending, limit)?;
    let Some(last) = keys.last().map(|key| key.sk.clone()) else {
        return Ok(None);
    };
    let mut jobs = Vec::with_capacity(keys.len());
    for id in keys.iter().filter_map(|key| id_of(&key.sk)) {
        let found: Option<JobRow> = row(tables, JOBS, &id.to_string(), "")?;
        // A job that went on between the two reads is not in this stage any more.
        let found = found.filter(|row| row.stage.word() == stage);
        jobs.extend(found.map(|row| row.job(JobId(id))));
    }
    Ok(Some(Page { jobs, last }))
}

impl Stage {
    const WAITING: &'static str = "waiting";
    const LEASED: &'static str = "leased";

    const fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => Self::WAITING,
            Self::Leased { .. } => Self::LEASED,
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    const fn state(&self) -> JobState {
        match self {
            Self::Waiting { .. } => JobState::Pending,
            Self::Leased { .. } => JobState::Processing,
            Self::Completed => JobState::Completed,
            Self::Failed => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        }
    }
}

impl JobRow {
    fn job(self, id: JobId) -> Job {
        let state = self.stage.state();
        let (error_code, error_text) = self.error.unzip();
        let (worker, lease_until, claimable_from) = match self.stage {
            Stage::Leased { worker, until } => (Some(worker), Some(until), until),
            Stage::Waiting { from } => (None, None, from),
            Stage::Completed | Stage::Failed | Stage::Cancelled => (None, None, Timestamp::default()),
        };
        Job {
            id,
            video_id: self.video,
            owner_id: self.owner,
            state,
            progress: if state == JobState::Completed { 100 } else { 0 },
            attempts: self.attempts,
            error_text,
            error_code,
            created_at: self.requested_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            blob: self.blob,
            container: self.container,
            worker,
            lease_until,
            claimable_from,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.pending += other.pending;
        self.running += other.running;
        self.completed += other.completed;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
    }
}
