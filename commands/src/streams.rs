//! The streams of a partition in memory: read when they are asked for, given up when idle.

use crate::features::AnyState;
use crate::restore::{RecoveryError, refold};
use crate::snapshots::Snapshots;
use foldhash::HashMap;
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use spool_log::Log;
use std::sync::Arc;

/// Idle streams kept per partition; of 16 partitions some 100 MB.
const IDLE_MAX: usize = 4_000;

/// A stream in memory. Clones share the state.
#[derive(Clone)]
pub struct Entry {
    pub state: Arc<AnyState>,
    /// The version after its last event; 0 before the first.
    pub version: u64,
    /// The offset of its last commit, if that is newer than its snapshot.
    pub changed_at: Option<u64>,
    /// When its timer is due.
    pub due: Option<Timestamp>,
    /// It was asked for since idle streams were last looked for.
    used: bool,
}

pub struct Streams {
    known: HashMap<StreamId, Entry>,
    snapshots: Snapshots,
    /// Where streams are read whose snapshot cannot be. None while the partition starts: then it is
    /// better to start over without any snapshot.
    log: Option<Log>,
    /// Idle streams are looked for when there are so many.
    sweep_at: usize,
}

impl Entry {
    pub fn new(state: AnyState, version: u64, changed_at: Option<u64>) -> Self {
        let due = state.due().map(|(at, _)| at);
        Self {
            state: Arc::new(state),
            version,
            changed_at,
            due,
            used: true,
        }
    }
}

impl Streams {
    pub fn new(snapshots: Snapshots) -> Self {
        Self {
            known: HashMap::default(),
            snapshots,
            log: None,
            sweep_at: IDLE_MAX,
        }
    }

    /// From now on a stream whose snapshot is unreadable is read from `log`.
    pub fn fall_back_to(&mut self, log: Log) {
        self.log = Some(log);
    }

    pub fn get(&mut self, stream: StreamId) -> Result<&mut Entry, RecoveryError> {
        if !self.known.contains_key(&stream) {
            let entry = self.load(stream)?;
            if self.known.len() >= self.sweep_at {
                self.give_up_idle();
            }
            self.known.insert(stream, entry);
        }
        let entry = self
            .known
            .get_mut(&stream)
            .expect("it was looked for just now and put in if missing");
        entry.used = true;
        Ok(entry)
    }

    /// Puts `entry` in the place of what is known of the stream.
    pub fn replace(&mut self, stream: StreamId, entry: Entry) -> Option<Entry> {
        self.known.insert(stream, entry)
    }

    /// Every stream that has changed since its last snapshot.
    pub fn changed(&self) -> Vec<(StreamId, Entry)> {
        let changed = self.known.iter().filter(|(_, entry)| entry.changed_at.is_some());
        changed.map(|(stream, entry)| (*stream, entry.clone())).collect()
    }

    /// The snapshots hold everything below `next`: what has not changed since may be given up.
    pub fn snapshot_was_written(&mut self, next: u64) {
        for entry in self.known.values_mut() {
            entry.changed_at = entry.changed_at.filter(|offset| *offset >= next);
        }
        if self.known.len() > IDLE_MAX {
            self.give_up_idle();
        }
    }

    fn load(&self, stream: StreamId) -> Result<Entry, RecoveryError> {
        let stored = match (self.snapshots.stream(stream), &self.log) {
            (Ok(stored), _) => stored,
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(log)) => {
                tracing::warn!(%stream, %error, "a snapshot is unreadable; the stream is read from the log");
                let partition = stream.partition(log.partitions());
                return refold(log, stream, self.snapshots.next(partition));
            }
        };
        let (state, version) =
            stored.unwrap_or_else(|| (AnyState::before_the_first_event(stream.feature), 0));
        Ok(Entry::new(state, version, None))
    }

    /// Looking costs as much as there are streams, so the next time is only when there are twice as many.
    fn give_up_idle(&mut self) {
        self.known
            .retain(|_, entry| std::mem::take(&mut entry.used) || entry.changed_at.is_some());
        if self.known.len() > IDLE_MAX / 2 {
            self.known.retain(|_, entry| entry.changed_at.is_some());
        }
        self.sweep_at = IDLE_MAX.max(2 * self.known.len());
    }
}
