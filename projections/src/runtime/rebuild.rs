//! Rebuilds a view beside the version that serves: fills, catches up, records the switch, and waits for it.

use super::feeder::{CatchUpError, Feeder, OnPoison};
use super::fill::Fill;
use super::follower::Message;
use super::opening::{open_version, stored_name};
use super::serving::Version;
use super::shared::Shared;
use crate::error::RebuildError;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{oneshot, watch};

/// The follower takes a version over when it is at most this far behind.
const NEARLY_THERE: u64 = 2_000;

/// How far a rebuild is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Progress {
    pub view: String,
    /// The version that is being filled.
    pub version: u32,
    pub phase: Phase,
    /// Commits of the log that are in the new version.
    pub done: u64,
    /// Commits the log had when this was said.
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Filling,
    CatchingUp,
    Switching,
    Done,
    Failed,
}

/// A rebuild on its way. Dropping this does not stop it.
pub struct Rebuild {
    progress: watch::Receiver<Progress>,
    outcome: oneshot::Receiver<Result<u32, RebuildError>>,
}

impl Rebuild {
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// The version that serves now. After an error the one before goes on serving.
    pub async fn finished(self) -> Result<u32, RebuildError> {
        self.outcome.await.unwrap_or(Err(RebuildError::Stopped))
    }
}

/// Fills the next version of view number `view` in a thread of its own, and switches to it.
pub(super) fn start(shared: &Arc<Shared>, view: usize) -> Result<Rebuild, RebuildError> {
    let reporting = Reporting::begin(shared, view)?;
    let progress = reporting.sender.subscribe();
    let (reply, outcome) = oneshot::channel();
    shared.spawn("rebuild", move || {
        let result = reporting.run();
        let phase = if result.is_ok() {
            Phase::Done
        } else {
            Phase::Failed
        };
        reporting.say(phase, None);
        drop(reporting);
        // The one who asked may have gone.
        let _ = reply.send(result);
    })?;
    Ok(Rebuild { progress, outcome })
}

/// Fills the versions that are to answer and have no rows, because their files are missing, damaged or of another
/// schema. One after the other, each with all cores: the first can answer sooner, and memory is that of one.
pub(super) fn start_missing(
    shared: &Arc<Shared>,
    missing: Vec<(usize, Arc<Version>)>,
) -> Result<(), std::io::Error> {
    if missing.is_empty() {
        return Ok(());
    }
    let filling = shared.clone();
    shared.spawn("fill", move || {
        for (view, version) in missing {
            fill_missing(&filling, view, &version);
        }
    })
}

fn fill_missing(shared: &Arc<Shared>, view: usize, version: &Arc<Version>) {
    let name = shared.views[view].view.name();
    tracing::info!(
        view = name,
        version = version.number,
        "making the rows from the log"
    );
    let filled = Reporting::begin(shared, view).and_then(|reporting| reporting.fill(version, None));
    let served = match filled {
        // There is nothing better to serve than all the rest.
        Ok(()) | Err(RebuildError::Poison { .. }) => hand_over(shared, view, version),
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(view = name, %error, "the view stays without rows");
    }
}

/// The right to fill a version of a view, given back when dropped.
pub(super) struct Reporting {
    shared: Arc<Shared>,
    view: usize,
    sender: watch::Sender<Progress>,
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.shared.views[self.view].end_filling();
    }
}

impl Reporting {
    pub fn begin(shared: &Arc<Shared>, view: usize) -> Result<Self, RebuildError> {
        let registered = &shared.views[view];
        let (sender, receiver) = watch::channel(Progress {
            view: registered.view.name().to_owned(),
            version: 0,
            phase: Phase::Filling,
            done: 0,
            total: shared.log_length(),
        });
        if !registered.begin_filling(receiver) {
            return Err(RebuildError::AlreadyRunning(registered.view.name()));
        }
        Ok(Self {
            shared: shared.clone(),
            view,
            sender,
        })
    }

    fn name(&self) -> &'static str {
        self.shared.views[self.view].view.name()
    }

    /// An empty version with the next number.
    pub fn next_version(&self) -> Result<Arc<Version>, RebuildError> {
        let Shared {
            log, tables, views, ..
        } = &*self.shared;
        let name = stored_name(views[self.view].view.as_ref());
        let serving = views[self.view]
            .serving
            .current()
            .map_or(1, |version| version.number);
        let highest = tables.versions(&name)?.into_iter().max().unwrap_or(0);
        let number = serving.max(highest) + 1;
        let (version, _) = open_version(log, tables, &name, number)?;
        self.sender.send_modify(|progress| progress.version = number);
        Ok(version)
    }

    /// Folds the log into `version`, up to the heads or below `until`.
    pub fn fill(&self, version: &Arc<Version>, until: Option<&[u64]>) -> Result<(), RebuildError> {
        let shared = &*self.shared;
        self.sender
            .send_modify(|progress| progress.version = version.number);
        let fill = Fill {
            log: &shared.log,
            view: &shared.views[self.view].view,
            version,
            until,
            progress: &|done| self.say(Phase::Filling, Some(done)),
            stop: &shared.stop,
        };
        fill.run()
    }

    pub fn drop_version(&self, version: &Version) {
        let tables = &self.shared.tables;
        if let Err(error) = tables.drop_version(version.tables.name(), version.number) {
            tracing::warn!(view = self.name(), version = version.number, %error, "dropping a version");
        }
    }

    fn run(&self) -> Result<u32, RebuildError> {
        let version = self.next_version()?;
        let begun = std::time::Instant::now();
        let outcome = self
            .fill(&version, None)
            .and_then(|()| self.come_close(&version))
            .and_then(|()| hand_over(&self.shared, self.view, &version))
            .and_then(|()| self.switch(version.number));
        match &outcome {
            Ok(()) => tracing::info!(
                view = self.name(),
                version = version.number,
                commits = self.shared.log_length(),
                seconds = begun.elapsed().as_secs_f64(),
                "rebuilt"
            ),
            Err(error) => {
                tracing::error!(view = self.name(), version = version.number, %error, "the rebuild failed");
                let (view, number) = (self.view, version.number);
                self.shared.tell_follower(Message::Retire { view, number });
                self.drop_unless_serving(&version);
            }
        }
        outcome.map(|()| version.number)
    }

    /// What came while the version was filled is folded here, so that the views that serve do not wait for it.
    fn come_close(&self, version: &Arc<Version>) -> Result<(), RebuildError> {
        self.say(Phase::CatchingUp, None);
        let shared = &*self.shared;
        let view = shared.views[self.view].view.clone();
        let mut feeder = Feeder::open(view, version.clone(), shared.log.partitions(), OnPoison::Stop)?;
        loop {
            let behind = shared.log_length().saturating_sub(feeder.next.iter().sum());
            if behind <= NEARLY_THERE {
                feeder.write()?;
                return Ok(());
            }
            if shared.stop.load(Ordering::Relaxed) {
                return Err(RebuildError::Stopped);
            }
            feeder
                .catch_up(&shared.log, || true)
                .map_err(RebuildError::from)?;
        }
    }

    /// Records the switch in the log and waits until the follower has come by it.
    fn switch(&self, number: u32) -> Result<(), RebuildError> {
        self.say(Phase::Switching, None);
        let shared = &*self.shared;
        let mut serving = shared.views[self.view].serving.follow();
        let recorded = (shared.switcher)(self.name().to_owned(), number);
        shared.runtime.block_on(async {
            let stopped = shared.stopped.cancelled();
            let switched = async {
                recorded.await.map_err(RebuildError::Switch)?;
                let serves =
                    serving.wait_for(|version| version.as_ref().is_some_and(|it| it.number == number));
                serves.await.map(drop).map_err(|_| RebuildError::Stopped)
            };
            tokio::select! {
                outcome = switched => outcome,
                () = stopped => Err(RebuildError::Stopped),
            }
        })
    }

    fn drop_unless_serving(&self, version: &Version) {
        let serving = self.shared.views[self.view].serving.current();
        if serving.is_none_or(|serving| serving.number != version.number) {
            self.drop_version(version);
        }
    }

    fn say(&self, phase: Phase, done: Option<u64>) {
        self.sender.send_modify(|progress| {
            progress.phase = phase;
            progress.total = self.shared.log_length();
            progress.done = done.unwrap_or(progress.done);
            if phase == Phase::Done {
                progress.done = progress.total;
            }
        });
    }
}

/// Has the follower feed the version from here on.
fn hand_over(shared: &Shared, view: usize, version: &Arc<Version>) -> Result<(), RebuildError> {
    let (reply, answer) = oneshot::channel();
    let version = version.clone();
    shared.tell_follower(Message::Adopt { view, version, reply });
    answer.blocking_recv().map_err(|_| RebuildError::Stopped)??;
    Ok(())
}

impl From<CatchUpError> for RebuildError {
    fn from(error: CatchUpError) -> Self {
        match error {
            CatchUpError::Feed(error) => error.into(),
            CatchUpError::Tables(error) => Self::Tables(error),
            CatchUpError::Log(error) => Self::Log(error),
        }
    }
}
