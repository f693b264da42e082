//! Processing over HTTP: starting and stopping the job of a video, how far it is, and the queue.

use crate::asking::{Asking, consistency_header};
use crate::auth::Caller;
use crate::body::Id;
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use spool_commands::Outcome;
use spool_domain::actors::Role;
use spool_domain::ids::{JobId, VideoId};
use spool_domain::jobs::Command;
use spool_projections::jobs::{Job, JobState};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The topic that workers tell their progress on.
pub const PROGRESS_TOPIC: &str = "jobs";
/// At most so many waiting and running jobs are listed.
const LISTED_MAX: usize = 100;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(status))
        .routes(routes!(cancel))
        .routes(routes!(queue_status))
        .routes(routes!(job))
}

/// A job in short, as part of a video's status.
#[derive(Serialize, ToSchema)]
pub struct JobBrief {
    id: Uuid,
    state: JobState,
    /// Percent, 0 to 100.
    #[schema(example = 42)]
    progress: u8,
    attempts: u32,
    error_text: Option<String>,
}

impl From<Job> for JobBrief {
    fn from(job: Job) -> Self {
        let Job {
            id,
            state,
            progress,
            attempts,
            error_text,
            ..
        } = job;
        Self {
            id: id.0,
            state,
            progress,
            attempts,
            error_text,
        }
    }
}

/// The queue: how much there is to do, and what of it is the caller's.
#[derive(Serialize, ToSchema)]
struct Queue {
    pending: u64,
    running: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
    /// Running first, then waiting: one's own; everybody's for an administrator.
    items: Vec<Job>,
}

/// What a worker says about a job while it works.
#[derive(Clone, Debug, Deserialize)]
pub struct Signal {
    pub video_id: Uuid,
    pub job_id: Uuid,
    pub owner_id: Uuid,
    pub state: String,
    pub progress: f64,
    #[serde(default)]
    pub stage_text: Option<String>,
}

/// Starts a failed or cancelled job again. (The first time it starts by itself.)
#[utoipa::path(post, path = "/api/processing/videos/{id}/start", operation_id = "start_processing", tag = "processing", params(("id" = Uuid, Path)), responses(
    (status = 202, description = "It will be worked on", body = Job),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is no such video", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "It is running or complete", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn start(State(gateway): State<Gateway>, Id(id): Id, asking: Asking) -> Result<Response, Problem> {
    let by = asking.signed_in()?;
    let (job, outcome) = gateway
        .command_job(VideoId(id), &asking, "start", Command::Restart { by })
        .await?;
    answer(StatusCode::ACCEPTED, job, &outcome)
}

/// Stops the job of a video, within two seconds.
#[utoipa::path(post, path = "/api/processing/videos/{id}/cancel", operation_id = "cancel_processing", tag = "processing", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "It is cancelled", body = Job),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is no such video", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "It is over already", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn cancel(State(gateway): State<Gateway>, Id(id): Id, asking: Asking) -> Result<Response, Problem> {
    let by = asking.signed_in()?;
    let (job, outcome) = gateway
        .command_job(VideoId(id), &asking, "cancel", Command::Cancel { by })
        .await?;
    answer(StatusCode::OK, job, &outcome)
}

/// The job of a video.
#[utoipa::path(get, path = "/api/processing/videos/{id}/status", operation_id = "get_processing_status", tag = "processing", params(("id" = Uuid, Path)), security((), ("bearer" = [])), responses(
    (status = 200, description = "The job", body = Job),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "There is no such video, or no job yet", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn status(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    gateway.wait_for("catalogue", asking.token()).await?;
    gateway.wait_for("jobs", asking.token()).await?;
    gateway.visible(VideoId(id), &asking.caller).await?;
    let job = gateway
        .job_of(VideoId(id))
        .await?
        .ok_or_else(|| Problem::not_found("job yet"))?;
    Ok(Encoded::json(&job, "", Caching::Private).answer(&headers))
}

/// One job.
#[utoipa::path(get, path = "/api/jobs/{id}", operation_id = "get_job", tag = "processing", params(("id" = Uuid, Path)), security((), ("bearer" = [])), responses(
    (status = 200, description = "The job", body = Job),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "There is none that the caller may know of", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn job(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    gateway.wait_for("catalogue", asking.token()).await?;
    gateway.wait_for("jobs", asking.token()).await?;
    let found = gateway
        .query(move |projections| projections.jobs().job(JobId(id)))
        .await?;
    let job = found.ok_or_else(|| Problem::not_found("job"))?;
    if !asking.caller.may_act_for(job.owner_id) {
        let visible = gateway.visible(job.video_id, &asking.caller).await;
        visible.map_err(|_| Problem::not_found("job"))?;
    }
    Ok(Encoded::json(&gateway.with_signal(job), "", Caching::Private).answer(&headers))
}

/// How much there is to do.
#[utoipa::path(get, path = "/api/processing/queue/status", operation_id = "get_queue_status", tag = "processing", responses(
    (status = 200, description = "The queue", body = Queue),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn queue_status(
    State(gateway): State<Gateway>,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    asking.signed_in()?;
    gateway.wait_for("jobs", asking.token()).await?;
    let caller = asking.caller.clone();
    let (counts, jobs) = gateway
        .query(move |projections| {
            let jobs = projections.jobs();
            let mut listed = jobs.leased(LISTED_MAX)?;
            listed.extend(jobs.waiting(LISTED_MAX)?);
            Ok((jobs.counts()?, listed))
        })
        .await?;
    let own = jobs.into_iter().filter(|job| sees(&caller, job));
    let queue = Queue {
        pending: counts.pending,
        running: counts.running,
        completed: counts.completed,
        failed: counts.failed,
        cancelled: counts.cancelled,
        items: own.map(|job| gateway.with_signal(job)).collect(),
    };
    Ok(Encoded::json(&queue, "", Caching::Private).answer(&headers))
}

fn sees(caller: &Caller, job: &Job) -> bool {
    match caller {
        Caller::Anonymous => false,
        Caller::Person(person) => person.role == Role::Admin || person.account == job.owner_id,
    }
}

fn answer(status: StatusCode, job: Job, outcome: &Outcome) -> Result<Response, Problem> {
    Ok((
        status,
        AppendHeaders([consistency_header(outcome)]),
        axum::Json(job),
    )
        .into_response())
}

impl Gateway {
    /// Gives a command to the job of a video that the caller may know of, and answers with the job after it.
    async fn command_job(
        &self,
        video: VideoId,
        asking: &Asking,
        word: &str,
        command: Command,
    ) -> Result<(Job, Outcome), Problem> {
        let visible = self.visible(video, &asking.caller).await?;
        if !asking.caller.may_act_for(visible.owner_id) {
            return Err(Problem::not_allowed(
                "only the owner or an administrator may do this",
            ));
        }
        let ask = asking.ask(self, &format!("{word}-job"), video.0.as_bytes());
        let outcome = self
            .parts()
            .commands
            .give(JobId::of(video, 1).stream(), command, ask)
            .await?;
        self.wait_for("jobs", Some(&outcome.token)).await?;
        let job = self
            .job_of(video)
            .await?
            .ok_or_else(|| Problem::not_found("job"))?;
        Ok((job, outcome))
    }

    /// The job of a video with its latest progress.
    pub(crate) async fn job_of(&self, video: VideoId) -> Result<Option<Job>, Problem> {
        let job = self
            .query(move |projections| projections.jobs().job(JobId::of(video, 1)))
            .await?;
        Ok(job.map(|job| self.with_signal(job)))
    }

    /// While a worker has the job, what it said last counts: progress and stages are no facts of the log.
    fn with_signal(&self, mut job: Job) -> Job {
        if job.state != JobState::Processing {
            return job;
        }
        let latest = self.parts().signals.latest(PROGRESS_TOPIC, &job.id.to_string());
        let Some(signal) = latest.and_then(|message| serde_json::from_slice::<Signal>(&message.json).ok())
        else {
            return job;
        };
        job.progress = percent(signal.progress);
        job.state = match signal.state.as_str() {
            "DOWNLOADING" => JobState::Downloading,
            "UPLOADING" => JobState::Uploading,
            _ => JobState::Processing,
        };
        job
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=100 before the cast"
)]
pub fn percent(progress: f64) -> u8 {
    progress.clamp(0.0, 100.0) as u8
}
