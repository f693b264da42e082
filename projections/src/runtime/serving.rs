//! Which version of a view answers, how far it is, and who is told of its changes.

use crate::error::{QueryError, WaitError};
use spool_tables::ViewTables;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// Followers of changes that lag by more than this many flushes are told to take everything as changed.
const CHANGES_KEPT: usize = 256;

/// What a flush changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// The rows of these things: videos, jobs, accounts or days, as the view has them.
    Keys(Vec<String>),
    /// Another version answers from here on.
    All,
}

/// One version of a view: its rows, and the positions that are in them.
pub(crate) struct Version {
    pub number: u32,
    pub tables: ViewTables,
    watermark: watch::Sender<Vec<u64>>,
    /// The thread that feeds it, once it does.
    fed_by: OnceLock<Thread>,
    parked: AtomicU64,
}

impl Version {
    pub fn new(number: u32, tables: ViewTables, partitions: u16) -> Arc<Self> {
        let version = Self {
            number,
            tables,
            watermark: watch::Sender::new(vec![0; usize::from(partitions)]),
            fed_by: OnceLock::new(),
            parked: AtomicU64::new(0),
        };
        version.reached_what_is_written();
        Arc::new(version)
    }

    /// What the checkpoints say, as far as they are known here.
    pub fn reached_what_is_written(&self) {
        let mut next = vec![0; self.watermark.borrow().len()];
        for (partition, reached) in self.tables.checkpoints() {
            if let Some(slot) = next.get_mut(usize::from(partition)) {
                *slot = reached;
            }
        }
        self.reached(&next);
    }

    /// Everything below `next` can be read. Threads that share a version raise only their own partitions.
    pub fn reached(&self, next: &[u64]) {
        self.watermark.send_if_modified(|watermark| {
            let mut moved = false;
            for (reached, next) in watermark.iter_mut().zip(next) {
                moved |= *next > *reached;
                *reached = (*reached).max(*next);
            }
            moved
        });
    }

    pub fn watermark(&self) -> Vec<u64> {
        self.watermark.borrow().clone()
    }

    /// Whether anybody waits for [`Version::reached`].
    pub fn is_awaited(&self) -> bool {
        self.watermark.receiver_count() > 0
    }

    /// Says that this thread feeds it: it is to be woken from [`thread::park_timeout`] for whoever waits.
    pub fn feed_here(&self) {
        self.fed_by.get_or_init(thread::current);
    }

    /// Has it fed at once. To be called by whoever waits, once [`Version::is_awaited`] says so.
    fn hurry(&self) {
        if let Some(thread) = self.fed_by.get() {
            thread.unpark();
        }
    }

    pub fn set_parked(&self, count: u64) {
        self.parked.store(count, Ordering::Relaxed);
    }

    pub fn parked(&self) -> u64 {
        self.parked.load(Ordering::Relaxed)
    }
}

/// What every view can do for its readers, besides its own queries.
pub struct Serving {
    pub(crate) name: &'static str,
    current: watch::Sender<Option<Arc<Version>>>,
    generation: watch::Sender<u64>,
    changes: broadcast::Sender<Arc<Changes>>,
}

impl Serving {
    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            current: watch::Sender::new(None),
            generation: watch::Sender::new(0),
            changes: broadcast::Sender::new(CHANGES_KEPT),
        })
    }

    /// The version to answer a query from; all reads of one query take the same.
    pub(crate) fn version(&self) -> Result<Arc<Version>, QueryError> {
        self.current().ok_or(QueryError::Rebuilding { view: self.name })
    }

    pub(crate) fn current(&self) -> Option<Arc<Version>> {
        self.current.borrow().clone()
    }

    pub(crate) fn follow(&self) -> watch::Receiver<Option<Arc<Version>>> {
        self.current.subscribe()
    }

    /// From here on `version` answers.
    pub(crate) fn switch_to(&self, version: Arc<Version>) {
        self.current.send_replace(Some(version));
        self.tell(Changes::All);
    }

    pub(crate) fn changed(&self, keys: Vec<String>) {
        self.tell(Changes::Keys(keys));
    }

    pub(crate) fn tell(&self, changes: Changes) {
        // Nobody listening is no failure.
        let _ = self.changes.send(Arc::new(changes));
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Rises after every flush that changed rows, and at a switch. An answer made from queries that began at
    /// generation `g` is good while this is `g`.
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Follows [`Serving::generation`].
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// What changed, once it can be read. Whoever lags takes everything as changed.
    pub fn changes(&self) -> broadcast::Receiver<Arc<Changes>> {
        self.changes.subscribe()
    }

    /// Waits until the version that answers has everything below `token`'s offsets.
    pub async fn wait_for(&self, token: &BTreeMap<u16, u64>, timeout: Duration) -> Result<(), WaitError> {
        match tokio::time::timeout(timeout, self.reach(token)).await {
            Ok(outcome) => outcome,
            Err(_) if self.current().is_none() => Err(WaitError::Rebuilding { view: self.name }),
            Err(_) => Err(WaitError::TimedOut { view: self.name }),
        }
    }

    async fn reach(&self, token: &BTreeMap<u16, u64>) -> Result<(), WaitError> {
        let mut current = self.current.subscribe();
        loop {
            let version = current.borrow_and_update().clone();
            let Some(version) = version else {
                current.changed().await.map_err(|_| WaitError::Stopped)?;
                continue;
            };
            let mut watermark = version.watermark.subscribe();
            loop {
                if has_reached(&watermark.borrow_and_update(), token) {
                    return Ok(());
                }
                version.hurry();
                tokio::select! {
                    moved = watermark.changed() => moved.map_err(|_| WaitError::Stopped)?,
                    switched = current.changed() => {
                        switched.map_err(|_| WaitError::Stopped)?;
                        break;
                    }
                }
            }
        }
    }
}

/// A token for a partition that is not there can never be reached; it is of another log and taken as reached.
fn has_reached(watermark: &[u64], token: &BTreeMap<u16, u64>) -> bool {
    token.iter().all(|(partition, next)| {
        let reached = watermark.get(usize::from(*partition));
        reached.is_none_or(|reached| reached >= next)
    })
}
