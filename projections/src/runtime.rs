//! The running views: a thread that follows the log, others that rebuild, and the handle to all of it.

mod feeder;
mod fill;
mod follower;
mod memory;
mod opening;
mod parking;
mod rebuild;
mod registry;
mod seat;
mod serving;
mod verify;

use crate::error::{RebuildError, StartError, VerifyError, WaitError};
use crate::switches::{Switches, wanted};
use crate::view::View;
use crate::{Accounts, Analytics, Catalogue, Jobs};
use feeder::{CatchUpError, Feeder, OnPoison};
use follower::{Follower, Message};
use futures_util::future::BoxFuture;
use registry::Registered;
use seat::Seat;
use serde::Serialize;
use serving::Version;
use spool_log::Log;
use spool_tables::Tables;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

pub use memory::fold_in_memory;
pub use rebuild::{Phase, Progress, Rebuild};
pub use serving::Changes;
pub use serving::Serving;
pub use verify::Verified;

/// More than all views together have on their way: each has one filling thread with one question at a time.
const MESSAGES: usize = 64;

/// Records in the log which version of a view answers from here on: gives `views::Command::Switch` to
/// `ViewId::of(name).stream()`. Called with the view's name and the version.
pub type Switcher = Arc<dyn Fn(String, u32) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// For tools that never rebuild.
pub fn no_switcher() -> Switcher {
    Arc::new(|_, _| Box::pin(async { Err("nobody here may record a switch".to_owned()) }))
}

/// All views, following the log. Clones share them; dropping the last one ends the threads.
#[derive(Clone)]
pub struct Projections {
    shared: Arc<Shared>,
    handles: Arc<Handles>,
    _end: Arc<End>,
}

struct Handles {
    catalogue: Catalogue,
    jobs: Jobs,
    analytics: Analytics,
    accounts: Accounts,
}

/// One view, for those who run the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ViewStatus {
    pub name: String,
    /// The version that answers; none while the first one is made.
    pub version: Option<u32>,
    pub schema: u32,
    /// Commits in the log that are not in the rows yet.
    pub lag: u64,
    /// Commits that could not be folded and wait for a better program.
    pub parked: u64,
    /// A version being filled.
    pub rebuilding: Option<Progress>,
}

/// What the threads share.
struct Shared {
    log: Log,
    tables: Tables,
    views: Arc<Vec<Registered>>,
    switcher: Switcher,
    follower: mpsc::Sender<Message>,
    runtime: tokio::runtime::Handle,
    stop: Arc<AtomicBool>,
    stopped: Stopped,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Projections {
    pub const VIEWS: [&'static str; 4] = ["accounts", "catalogue", "jobs", "analytics"];

    /// Opens the views and starts to follow the log, from each view's own checkpoint. A view whose rows are
    /// missing is made from the log in the background, and answers `Rebuilding` until then. Blocks for the time
    /// of opening some files; to be called inside a tokio runtime, which records the switches.
    pub fn start(log: Log, tables: Tables, switcher: Switcher) -> Result<Self, StartError> {
        Self::start_views(log, tables, switcher, registry::all())
    }

    fn start_views(
        log: Log,
        tables: Tables,
        switcher: Switcher,
        views: Vec<Arc<dyn View>>,
    ) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let views: Arc<Vec<Registered>> = Arc::new(views.into_iter().map(Registered::new).collect());
        let mut seats = vec![open_switches(&log, &tables)?];
        let switches = seats[0].feeder.version.tables.clone();
        let mut missing = vec![];
        for (index, registered) in views.iter().enumerate() {
            let view = registered.view.name();
            let trouble = |source| StartError::Tables { view, source };
            let number = wanted(&switches, view).map_err(trouble)?;
            let found = opening::open(&log, &tables, registered.view.as_ref(), number).map_err(trouble)?;
            if found.empty {
                missing.push((index, found.wanted));
            } else {
                registered.serving.switch_to(found.wanted.clone());
                seats.push(seat(&log, index, registered, found.wanted).map_err(trouble)?);
            }
            if let Some(before) = found.before {
                seats.push(seat(&log, index, registered, before).map_err(trouble)?);
            }
        }
        let (sender, messages) = mpsc::channel(MESSAGES);
        let stop = Arc::new(AtomicBool::new(false));
        let follower = Follower::new(
            log.clone(),
            tables.clone(),
            views.clone(),
            seats,
            messages,
            stop.clone(),
        )?;
        let shared = Arc::new(Shared {
            log,
            tables,
            views,
            switcher,
            follower: sender,
            runtime,
            stop,
            stopped: Stopped::default(),
            threads: Mutex::default(),
        });
        shared.spawn("views", move || follower.run())?;
        rebuild::start_missing(&shared, missing)?;
        Ok(Self {
            handles: Arc::new(Handles::new(&shared.views)),
            _end: Arc::new(End(shared.clone())),
            shared,
        })
    }

    pub fn catalogue(&self) -> &Catalogue {
        &self.handles.catalogue
    }

    pub fn jobs(&self) -> &Jobs {
        &self.handles.jobs
    }

    pub fn analytics(&self) -> &Analytics {
        &self.handles.analytics
    }

    pub fn accounts(&self) -> &Accounts {
        &self.handles.accounts
    }

    /// Waits until the version of `view` that answers has everything below the offsets of a consistency token.
    pub async fn wait_for(
        &self,
        view: &str,
        token: &BTreeMap<u16, u64>,
        timeout: Duration,
    ) -> Result<(), WaitError> {
        let index = self
            .index(view)
            .ok_or_else(|| WaitError::UnknownView(view.to_owned()))?;
        self.shared.views[index].serving.wait_for(token, timeout).await
    }

    /// Waits until every view is where the log was at the time of the call.
    pub async fn caught_up(&self, timeout: Duration) -> Result<(), WaitError> {
        let log = &self.shared.log;
        let heads = (0..log.partitions())
            .map(|partition| (partition, log.head(partition)))
            .collect();
        let deadline = tokio::time::Instant::now() + timeout;
        for registered in self.shared.views.iter() {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            registered.serving.wait_for(&heads, left).await?;
        }
        Ok(())
    }

    pub fn status(&self) -> Vec<ViewStatus> {
        let length = self.shared.log_length();
        let status = |registered: &Registered| {
            let current = registered.serving.current();
            let reached: u64 = current
                .as_ref()
                .map_or(0, |version| version.watermark().iter().sum());
            ViewStatus {
                name: registered.view.name().to_owned(),
                version: current.as_ref().map(|version| version.number),
                schema: registered.view.schema(),
                lag: length.saturating_sub(reached),
                parked: current.map_or(0, |version| version.parked()),
                rebuilding: registered.progress(),
            }
        };
        self.shared.views.iter().map(status).collect()
    }

    /// Makes a view anew from the log, beside the version that serves, and switches to it.
    pub fn rebuild(&self, view: &str) -> Result<Rebuild, RebuildError> {
        let index = self
            .index(view)
            .ok_or_else(|| RebuildError::UnknownView(view.to_owned()))?;
        rebuild::start(&self.shared, index)
    }

    /// Refolds the whole log and compares each view's rows with what serves. Blocks for as long as a rebuild of
    /// every view takes; serving goes on, but stands still while its rows are hashed.
    pub fn verify(&self) -> Result<Vec<Verified>, VerifyError> {
        (0..self.shared.views.len())
            .map(|index| verify::verify(&self.shared, index))
            .collect()
    }

    /// Ends all threads and waits for them. Blocking. What is unwritten then is folded again at the next start.
    pub fn stop(&self) {
        self.shared.end();
        self.shared.join();
    }

    fn index(&self, view: &str) -> Option<usize> {
        self.shared
            .views
            .iter()
            .position(|registered| registered.view.name() == view)
    }
}

impl Handles {
    fn new(views: &[Registered]) -> Self {
        let serving = |name: &str| {
            let found = views.iter().find(|registered| registered.view.name() == name);
            found.map_or_else(|| Serving::new("none"), |registered| registered.serving.clone())
        };
        Self {
            catalogue: Catalogue::new(serving("catalogue")),
            jobs: Jobs::new(serving("jobs")),
            analytics: Analytics::new(serving("analytics")),
            accounts: Accounts::new(serving("accounts")),
        }
    }
}

/// The switches say which versions to open, so they come first and are brought up to date at once.
fn open_switches(log: &Log, tables: &Tables) -> Result<Seat, StartError> {
    let view: Arc<dyn View> = Arc::new(Switches);
    let trouble = |source| StartError::Tables {
        view: "switches",
        source,
    };
    let name = opening::stored_name(view.as_ref());
    let (version, _) = opening::open_version(log, tables, &name, 1).map_err(trouble)?;
    let mut feeder = Feeder::open(view, version, log.partitions(), OnPoison::Park).map_err(trouble)?;
    match feeder.catch_up(log, || true) {
        Ok(()) | Err(CatchUpError::Feed(_)) => {}
        Err(CatchUpError::Tables(error)) => return Err(trouble(error)),
        Err(CatchUpError::Log(error)) => return Err(error.into()),
    }
    feeder.write().map_err(trouble)?;
    Ok(Seat::new(None, feeder))
}

fn seat(
    log: &Log,
    index: usize,
    registered: &Registered,
    version: Arc<Version>,
) -> Result<Seat, spool_tables::TablesError> {
    let feeder = Feeder::open(registered.view.clone(), version, log.partitions(), OnPoison::Park)?;
    Ok(Seat::new(Some(index), feeder))
}

impl Shared {
    fn log_length(&self) -> u64 {
        (0..self.log.partitions())
            .map(|partition| self.log.head(partition))
            .sum()
    }

    /// Messages to a follower that has ended are dropped; whoever waits for an answer sees that.
    fn tell_follower(&self, message: Message) {
        let _ = self.follower.try_send(message);
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), std::io::Error> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stopped.cancel();
        self.tell_follower(Message::Stop);
    }

    fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the views panicked");
            }
        }
    }
}

/// Ends the threads when the last handle goes.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The stop flag, for those who wait.
#[derive(Default)]
struct Stopped(tokio::sync::watch::Sender<bool>);

impl Stopped {
    fn cancel(&self) {
        self.0.send_replace(true);
    }

    async fn cancelled(&self) {
        // The sender is here, so this ends only when it says so.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}
