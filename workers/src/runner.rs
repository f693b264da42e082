//! Claims jobs and runs their attempts, several at once, until told to stop.

use crate::attempt::Attempt;
use crate::{housekeeping, identity};
use spool_blobs::Blobs;
use spool_commands::{Ask, CommandError, Commands};
use spool_domain::actors::Actor;
use spool_domain::ids::JobId;
use spool_domain::jobs::{Command, Event};
use spool_domain::time::{Millis, Timestamp};
use spool_platform::clock::Clock;
use spool_platform::config::Config;
use spool_platform::signals::Signals;
use spool_projections::{Job, Projections};
use spool_schemas::AnyEvent;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many waiting jobs are looked at together.
const LOOK_AT: usize = 32;
/// When the queue cannot be read, it is tried again after this.
const PAUSE: Duration = Duration::from_millis(500);

/// What workers stand on.
#[derive(Clone)]
pub struct Parts {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub commands: Commands,
    pub projections: Projections,
    pub blobs: Blobs,
    pub signals: Signals,
}

#[derive(Clone)]
pub struct Workers {
    parts: Parts,
}

/// Jobs that run here.
type Running = Arc<Mutex<HashSet<JobId>>>;

impl Workers {
    pub const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Takes away what nothing refers to, until `stop`. One node's workers are enough for that.
    pub async fn keep_house(&self, stop: CancellationToken) {
        housekeeping::run(&self.parts, stop).await;
    }

    /// Works until `stop`; running attempts are cut off then, and taken up again at the next start.
    pub async fn run(&self, stop: CancellationToken) {
        let data = &self.parts.config.data_dir;
        let worker = match identity::worker_name(data) {
            Ok(name) => name,
            Err(error) => {
                tracing::error!(%error, data = %data.display(), "a worker needs a name and cannot keep one; no jobs are run");
                return;
            }
        };
        let tasks = TaskTracker::new();
        self.claim_jobs(&worker, &tasks, &stop).await;
        tasks.close();
        tasks.wait().await;
    }

    async fn claim_jobs(&self, worker: &str, tasks: &TaskTracker, stop: &CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.parts.config.media.concurrent_jobs()));
        let running = Running::default();
        let jobs = self.parts.projections.jobs();
        let mut changed = jobs.watch();
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => return,
                slot = slots.clone().acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            changed.borrow_and_update();
            match self.claim_one(worker, &running).await {
                Ok(Claim::Got(attempt)) => {
                    let (stop, running) = (stop.child_token(), running.clone());
                    tasks.spawn(async move {
                        let job = attempt.job();
                        attempt.run(stop).await;
                        running
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .remove(&job);
                        drop(slot);
                    });
                }
                Ok(Claim::Nothing { until }) => {
                    drop(slot);
                    let next = async {
                        match until {
                            Some(at) => self.parts.clock.sleep_until(at.as_millis()).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = stop.cancelled() => return,
                        more = changed.changed() => if more.is_err() { return },
                        () = next => {}
                    }
                }
                Err(reason) => {
                    drop(slot);
                    tracing::warn!(reason, "the job queue cannot be read at the moment");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    async fn claim_one(&self, worker: &str, running: &Running) -> Result<Claim, String> {
        let now = Timestamp::from_millis(self.parts.clock.now_ms());
        let view = self.parts.projections.jobs().clone();
        let (claimable, leased) = tokio::task::spawn_blocking(move || {
            let claimable = view.claimable(now, LOOK_AT).map_err(|error| error.to_string())?;
            let leased = view.leased(LOOK_AT).map_err(|error| error.to_string())?;
            Ok::<_, String>((claimable, leased))
        })
        .await
        .map_err(|error| error.to_string())??;
        // What this worker held when it was killed is its own to take up again, without waiting for the lease.
        let own = leased
            .into_iter()
            .filter(|job| job.worker.as_deref() == Some(worker));
        for job in own.chain(claimable.jobs) {
            if !running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(job.id)
            {
                continue;
            }
            match self.claim(worker, &job).await {
                Ok(Some(attempt)) => return Ok(Claim::Got(Box::new(attempt))),
                Ok(None) => {
                    running
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&job.id);
                }
                Err(error) => {
                    running
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&job.id);
                    return Err(error.to_string());
                }
            }
        }
        Ok(Claim::Nothing {
            until: claimable.next_at,
        })
    }

    /// The attempt, or nothing when another worker was faster or the job is over.
    async fn claim(&self, worker: &str, job: &Job) -> Result<Option<Attempt>, CommandError> {
        let lease = Millis(i64::try_from(self.parts.config.jobs.lease_seconds * 1_000).unwrap_or(i64::MAX));
        let claim = Command::Claim {
            worker: worker.to_owned(),
            lease,
        };
        let outcome = match self
            .parts
            .commands
            .give(job.id.stream(), claim, Ask::fresh(Actor::System))
            .await
        {
            Ok(outcome) => outcome,
            Err(CommandError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let claimed = outcome.events.iter().find_map(|event| match event {
            AnyEvent::Jobs(Event::Claimed(claimed)) => Some(claimed.attempt),
            _ => None,
        });
        Ok(claimed.map(|number| Attempt::new(self.parts.clone(), job.id, number, lease)))
    }
}

enum Claim {
    Got(Box<Attempt>),
    Nothing {
        /// When a waiting job may be claimed, if one only waits for its time.
        until: Option<Timestamp>,
    },
}
