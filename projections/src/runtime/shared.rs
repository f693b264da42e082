//! The side of the views that writes: a thread that follows the log into the rows, and others that rebuild.

use super::announcing::{Announcer, Audience};
use super::feeder::{CatchUpError, Feeder, OnPoison};
use super::follower::{Follower, Message};
use super::registry::Registered;
use super::seat::Seat;
use super::serving::Version;
use super::{Switcher, opening, rebuild};
use crate::error::StartError;
use crate::switches::{Switches, wanted};
use crate::view::View;
use spool_log::Log;
use spool_tables::{Tables, TablesError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// More than all views together have on their way: each has one filling thread with one question at a time.
const MESSAGES: usize = 64;

/// What another node had read when it wrote rows, this one reads in some milliseconds, with brokers that are well.
const READ_WITHIN: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(5);

/// What the writing side stands on.
#[derive(Clone)]
pub(super) struct Ground {
    pub log: Log,
    pub tables: Tables,
    pub views: Arc<Vec<Registered>>,
    pub switcher: Switcher,
}

impl Ground {
    /// How many commits there are.
    pub fn log_length(&self) -> u64 {
        let partitions = 0..self.log.partitions();
        partitions.map(|partition| self.log.head(partition)).sum()
    }
}

/// What the threads share.
pub(super) struct Shared {
    pub log: Log,
    pub tables: Tables,
    pub views: Arc<Vec<Registered>>,
    pub switcher: Switcher,
    pub runtime: tokio::runtime::Handle,
    pub stop: Arc<AtomicBool>,
    pub stopped: Stopped,
    follower: mpsc::Sender<Message>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Shared {
    /// Opens the versions that are to answer and starts the threads. Blocks; inside a runtime.
    pub fn start(ground: Ground, announcer: Option<Announcer>) -> Result<Arc<Self>, StartError> {
        let Ground {
            log,
            tables,
            views,
            switcher,
        } = ground;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        await_log(&log, &tables, &Switches, 1)?;
        let mut seats = vec![open_switches(&log, &tables)?];
        let switches = seats[0].feeder.version.tables.clone();
        let mut missing = vec![];
        for (index, registered) in views.iter().enumerate() {
            let view = registered.view.name();
            let trouble = |source| StartError::Tables { view, source };
            let number = wanted(&switches, view).map_err(trouble)?;
            await_log(&log, &tables, registered.view.as_ref(), number)?;
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
            Audience::new(log.clone(), views.clone(), announcer),
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
        Ok(shared)
    }

    pub fn log_length(&self) -> u64 {
        (0..self.log.partitions())
            .map(|partition| self.log.head(partition))
            .sum()
    }

    /// Messages to a follower that has ended are dropped; whoever waits for an answer sees that.
    pub fn tell_follower(&self, message: Message) {
        let _ = self.follower.try_send(message);
    }

    pub fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), std::io::Error> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    pub fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stopped.cancel();
        self.tell_follower(Message::Stop);
    }

    pub fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the views panicked");
            }
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

/// Where several nodes write to the log, another one may have brought the rows further than this one has read. Blocks until it
/// has; rows that are ahead of a log for good would be dropped.
fn await_log(log: &Log, tables: &Tables, view: &dyn View, number: u32) -> Result<(), StartError> {
    let trouble = |source| StartError::Tables {
        view: view.name(),
        source,
    };
    let name = opening::stored_name(view);
    let is_there = || Ok::<_, TablesError>(tables.versions(&name)?.contains(&number));
    if !log.needs_barrier() || !is_there().map_err(trouble)? {
        return Ok(());
    }
    let rows = tables.view(&name, number).map_err(trouble)?;
    rows.refresh().map_err(trouble)?;
    let begun = Instant::now();
    while opening::is_ahead(log, &rows) {
        if begun.elapsed() > READ_WITHIN {
            return Err(StartError::Ahead { view: view.name() });
        }
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

fn seat(
    log: &Log,
    index: usize,
    registered: &Registered,
    version: Arc<Version>,
) -> Result<Seat, TablesError> {
    let feeder = Feeder::open(registered.view.clone(), version, log.partitions(), OnPoison::Park)?;
    Ok(Seat::new(Some(index), feeder))
}

/// The stop flag, for those who wait.
#[derive(Default)]
pub(super) struct Stopped(tokio::sync::watch::Sender<bool>);

impl Stopped {
    fn cancel(&self) {
        self.0.send_replace(true);
    }

    pub async fn cancelled(&self) {
        // The sender is here, so this ends only when it says so.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}
