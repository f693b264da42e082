//! The running views: a thread that follows the log, others that rebuild, and the handle to all of it.

mod announcing;
mod feeder;
mod fill;
mod follower;
mod listening;
mod memory;
mod opening;
mod parking;
mod rebuild;
mod registry;
mod seat;
mod serving;
mod shared;
mod verify;

use crate::error::{RebuildError, StartError, VerifyError, WaitError, Writer};
use crate::view::View;
use crate::{Accounts, Analytics, Audit, Catalogue, Jobs};
use announcing::Announcer;
use futures_util::future::BoxFuture;
use listening::Listener;
use registry::Registered;
use serde::Serialize;
use shared::{Ground, Shared};
use spool_domain::ids::{AccountId, VideoId};
use spool_log::Log;
use spool_platform::signals::Signals;
use spool_tables::Tables;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

pub use memory::fold_in_memory;
pub use rebuild::{Phase, Progress, Rebuild};
pub use serving::Changes;
pub use serving::Serving;
pub use verify::Verified;

/// How long the catalogue may take to come to where the log is.
const VIDEOS_WITHIN: Duration = Duration::from_secs(30);

/// Records in the log which version of a view answers from here on: gives `views::Command::Switch` to
/// `ViewId::of(name).stream()`. Called with the view's name and the version.
pub type Switcher = Arc<dyn Fn(String, u32) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// For tools that never rebuild.
pub fn no_switcher() -> Switcher {
    Arc::new(|_, _| Box::pin(async { Err("nobody here may record a switch".to_owned()) }))
}

/// All views, written here or by another node. Clones share them; dropping the last one ends the threads.
#[derive(Clone)]
pub struct Projections(Arc<Inner>);

struct Inner {
    ground: Ground,
    handles: Handles,
    /// Where several nodes share the rows.
    others: Option<Others>,
    /// While this node writes.
    writing: Mutex<Option<Arc<Shared>>>,
}

/// What ties this node to those that may write in its place.
struct Others {
    signals: Signals,
    node: String,
    listener: Listener,
    listening: AbortHandle,
}

struct Handles {
    catalogue: Catalogue,
    jobs: Jobs,
    analytics: Analytics,
    accounts: Accounts,
    audit: Audit,
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

impl Projections {
    pub const VIEWS: [&'static str; 5] = ["accounts", "catalogue", "jobs", "analytics", "audit"];

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
        let ground = Ground {
            log,
            tables,
            views: Arc::new(views.into_iter().map(Registered::new).collect()),
            switcher,
        };
        let projections = Self::on(ground, None);
        projections.begin_writing()?;
        Ok(projections)
    }

    /// The same for a node that shares `tables` with others, one of which writes at a time, and says over `signals` how far it is.
    /// This one reads, and answers from the rows that are there, until [`Projections::begin_writing`]. `node` is its name.
    /// Blocks; to be called inside a tokio runtime.
    pub fn share(
        log: Log,
        tables: Tables,
        switcher: Switcher,
        signals: Signals,
        node: &str,
    ) -> Result<Self, StartError> {
        Self::share_views(log, tables, switcher, (signals, node), registry::all())
    }

    fn share_views(
        log: Log,
        tables: Tables,
        switcher: Switcher,
        (signals, node): (Signals, &str),
        views: Vec<Arc<dyn View>>,
    ) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let views: Arc<Vec<Registered>> = Arc::new(views.into_iter().map(Registered::new).collect());
        let listener = Listener::new(tables.clone(), views.clone(), log.partitions());
        listener
            .open_what_is_there()
            .map_err(|source| StartError::Tables {
                view: "switches",
                source,
            })?;
        let listening = runtime
            .spawn(listener.clone().run(signals.clone()))
            .abort_handle();
        let others = Others {
            signals,
            node: node.to_owned(),
            listener,
            listening,
        };
        let ground = Ground {
            log,
            tables,
            views,
            switcher,
        };
        Ok(Self::on(ground, Some(others)))
    }

    fn on(ground: Ground, others: Option<Others>) -> Self {
        Self(Arc::new(Inner {
            handles: Handles::new(&ground),
            ground,
            others,
            writing: Mutex::default(),
        }))
    }

    /// Writes the rows from here on, beginning at each view's checkpoint; quiet when it does already. Two nodes that both
    /// write for a while write the same. Blocks for some questions to the tables; inside a tokio runtime.
    pub fn begin_writing(&self) -> Result<(), StartError> {
        let Inner {
            ground,
            others,
            writing,
            ..
        } = &*self.0;
        let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
        if writing.is_some() {
            return Ok(());
        }
        let announcer = others.as_ref().map(|others| {
            others.listener.writes_itself(true);
            Announcer::new(others.signals.clone(), others.node.clone())
        });
        let shared = Shared::start(ground.clone(), announcer);
        if let (Err(_), Some(others)) = (&shared, others) {
            others.listener.writes_itself(false);
        }
        *writing = Some(shared?);
        Ok(())
    }

    /// Ends the threads that write and waits for them. Blocking. What is unwritten then is folded again by whoever writes next.
    /// Where several nodes share the rows, this one goes on reading what another writes.
    pub fn end_writing(&self) {
        let mut writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = writing.take() {
            shared.end();
            shared.join();
        }
        if let Some(others) = &self.0.others {
            others.listener.writes_itself(false);
        }
    }

    pub fn catalogue(&self) -> &Catalogue {
        &self.0.handles.catalogue
    }

    pub fn jobs(&self) -> &Jobs {
        &self.0.handles.jobs
    }

    pub fn analytics(&self) -> &Analytics {
        &self.0.handles.analytics
    }

    pub fn accounts(&self) -> &Accounts {
        &self.0.handles.accounts
    }

    pub fn audit(&self) -> &Audit {
        &self.0.handles.audit
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
        self.views()[index].serving.wait_for(token, timeout).await
    }

    /// Waits until every view is where the log was at the time of the call.
    pub async fn caught_up(&self, timeout: Duration) -> Result<(), WaitError> {
        let log = &self.0.ground.log;
        let heads = (0..log.partitions())
            .map(|partition| (partition, log.head(partition)))
            .collect();
        let deadline = tokio::time::Instant::now() + timeout;
        for registered in self.views() {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            registered.serving.wait_for(&heads, left).await?;
        }
        Ok(())
    }

    /// All videos of a person that the catalogue has, once it is where the log was at the time of the call.
    pub async fn videos_of(self, owner: AccountId) -> Result<Vec<VideoId>, String> {
        let log = &self.0.ground.log;
        let heads = (0..log.partitions()).map(|partition| (partition, log.head(partition)));
        let waited = self.wait_for("catalogue", &heads.collect(), VIDEOS_WITHIN).await;
        waited.map_err(|error| error.to_string())?;
        let read = move || self.catalogue().ids_of(owner).map_err(|error| error.to_string());
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|error| error.to_string())?
    }

    pub fn status(&self) -> Vec<ViewStatus> {
        let length = self.0.ground.log_length();
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
        self.views().iter().map(status).collect()
    }

    /// Makes a view anew from the log, beside the version that serves, and switches to it.
    pub fn rebuild(&self, view: &str) -> Result<Rebuild, RebuildError> {
        let index = self
            .index(view)
            .ok_or_else(|| RebuildError::UnknownView(view.to_owned()))?;
        let shared = self
            .writing()
            .ok_or_else(|| RebuildError::Elsewhere(self.writer()))?;
        rebuild::start(&shared, index)
    }

    /// Refolds the whole log and compares each view's rows with what serves. Blocks for as long as a rebuild of
    /// every view takes; serving goes on, but stands still while its rows are hashed.
    pub fn verify(&self) -> Result<Vec<Verified>, VerifyError> {
        let shared = self
            .writing()
            .ok_or_else(|| VerifyError::Elsewhere(self.writer()))?;
        (0..self.views().len())
            .map(|index| verify::verify(&shared, index))
            .collect()
    }

    fn views(&self) -> &[Registered] {
        &self.0.ground.views
    }

    fn writing(&self) -> Option<Arc<Shared>> {
        let writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.clone()
    }

    /// The other node that was last heard to write.
    fn writer(&self) -> Writer {
        Writer(self.0.others.as_ref().and_then(|others| others.listener.writer()))
    }

    fn index(&self, view: &str) -> Option<usize> {
        self.views()
            .iter()
            .position(|registered| registered.view.name() == view)
    }
}

impl Handles {
    fn new(ground: &Ground) -> Self {
        let serving = |name: &str| {
            let found = ground
                .views
                .iter()
                .find(|registered| registered.view.name() == name);
            found.map_or_else(|| Serving::new("none"), |registered| registered.serving.clone())
        };
        Self {
            catalogue: Catalogue::new(serving("catalogue")),
            jobs: Jobs::new(serving("jobs")),
            analytics: Analytics::new(serving("analytics")),
            accounts: Accounts::new(serving("accounts")),
            audit: Audit::new(serving("audit"), ground.log.clone()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(shared) = self.writing.get_mut().unwrap_or_else(PoisonError::into_inner) {
            shared.end();
        }
        if let Some(others) = &self.others {
            others.listening.abort();
        }
    }
}
