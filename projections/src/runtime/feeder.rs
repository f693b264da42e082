//! Folds commits into one version of a view, and writes rows and checkpoint together.

use super::parking::Parking;
use super::serving::Version;
use crate::facts::Facts;
use crate::rows::Rows;
use crate::view::{View, ViewError};
use spool_domain::ids::StreamId;
use spool_log::{Log, ReadError};
use spool_tables::{Batch, Position, TablesError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Commits that changed no row move the checkpoint in memory only, until this many have come together: losing
/// that costs folding them again.
const UNWRITTEN_MAX: u64 = 4096;
/// While catching up, rows are written after this many commits or changed rows.
pub(super) const BATCH_COMMITS: u64 = 50_000;
pub(super) const BATCH_ROWS: usize = 4_000;
/// What a feeder's cache of decoded rows may take, by estimate.
pub(super) const CACHE_BYTES: usize = 16 << 20;

pub(super) struct Feeder {
    pub view: Arc<dyn View>,
    pub version: Arc<Version>,
    /// The next offset to fold, for each partition of the log.
    pub next: Vec<u64>,
    rows: Rows,
    batch: Batch,
    parking: Parking,
    on_poison: OnPoison,
    /// Commits folded since the checkpoint was last written.
    unwritten: u64,
    keys: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnPoison {
    /// The stream waits for a better program, the others go on.
    Park,
    /// A version that lacks something is not to take over.
    Stop,
}

#[derive(Debug)]
pub(super) enum FeedError {
    /// Everything unwritten was dropped, and `next` is back at the checkpoint: feed from there again. A stream
    /// was parked, or (with `trouble`) a row could not be read.
    Again { trouble: Option<TablesError> },
    Poison {
        at: Position,
        stream: String,
        reason: String,
    },
    /// Offsets were left out: the log does not match the rows.
    Gap { at: Position, expected: u64 },
}

impl Feeder {
    pub fn open(
        view: Arc<dyn View>,
        version: Arc<Version>,
        partitions: u16,
        on_poison: OnPoison,
    ) -> Result<Self, TablesError> {
        // What a writer before this one left half written is finished first: a fold relies on whole commits.
        version.tables.take_over()?;
        version.tables.make(view.tables())?;
        let rows = Rows::new(Some(version.tables.clone()), CACHE_BYTES);
        let mut feeder = Self {
            view,
            rows,
            batch: Batch::new(),
            parking: Parking::load(&version.tables)?,
            on_poison,
            next: vec![0; usize::from(partitions)],
            version,
            unwritten: 0,
            keys: BTreeSet::new(),
        };
        feeder.back_to_checkpoint();
        feeder.version.set_parked(feeder.parking.count());
        Ok(feeder)
    }

    pub fn feed(&mut self, at: Position, facts: &Facts<'_>) -> Result<(), FeedError> {
        if !self.is_due(at)? {
            return Ok(());
        }
        let outcome = match self.parking.reason(at, facts.stream) {
            Some(reason) => {
                self.parking
                    .park(&mut self.batch, at, Some(facts.stream), &reason);
                Ok(())
            }
            None => {
                self.rows.begin(at);
                self.view.apply(facts, at, &mut self.rows)
            }
        };
        self.folded(at, Some(facts.stream), outcome)
    }

    /// The same for a record that is no commit as this program knows them.
    pub fn feed_unreadable(&mut self, at: Position, reason: &str) -> Result<(), FeedError> {
        if !self.is_due(at)? {
            return Ok(());
        }
        let mut outcome = Err(ViewError::poison(reason));
        if self.parking.is_known_poison(at) {
            self.parking.park(&mut self.batch, at, None, reason);
            outcome = Ok(());
        }
        self.folded(at, None, outcome)
    }

    fn is_due(&self, at: Position) -> Result<bool, FeedError> {
        let expected = self.next[usize::from(at.partition)];
        if at.offset > expected {
            return Err(FeedError::Gap { at, expected });
        }
        Ok(at.offset == expected)
    }

    fn folded(
        &mut self,
        at: Position,
        stream: Option<StreamId>,
        outcome: Result<(), ViewError>,
    ) -> Result<(), FeedError> {
        match outcome {
            Ok(()) => {
                self.next[usize::from(at.partition)] = at.offset + 1;
                self.unwritten += 1;
                Ok(())
            }
            Err(ViewError::Poison(reason)) if self.on_poison == OnPoison::Stop => {
                let stream = stream.map_or_else(String::new, |stream| stream.to_string());
                Err(FeedError::Poison { at, stream, reason })
            }
            Err(ViewError::Poison(reason)) => {
                tracing::error!(
                    view = self.view.name(), partition = at.partition, offset = at.offset, %reason,
                    "an event cannot be folded; its stream is parked"
                );
                metrics::counter!("spool_projection_parked_total", "view" => self.view.name()).increment(1);
                self.back_to_checkpoint();
                self.parking.remember(at, reason);
                Err(FeedError::Again { trouble: None })
            }
            Err(ViewError::Tables(trouble)) => {
                // Another writer is ahead: the fold goes on from where that one is. Should this fail, the same row
                // says so again.
                if matches!(trouble, TablesError::Overtaken(_))
                    && let Err(error) = self.version.tables.take_over()
                {
                    tracing::warn!(view = self.view.name(), %error, "taking over from another writer");
                }
                self.back_to_checkpoint();
                Err(FeedError::Again {
                    trouble: Some(trouble),
                })
            }
        }
    }

    /// Forgets what is not written, as a crash would.
    pub fn back_to_checkpoint(&mut self) {
        self.rows.forget();
        self.batch.clear();
        self.keys.clear();
        self.parking.back_to_stored();
        self.unwritten = 0;
        self.next.fill(0);
        for (partition, next) in self.version.tables.checkpoints() {
            if let Some(slot) = self.next.get_mut(usize::from(partition)) {
                *slot = next;
            }
        }
    }

    pub fn should_flush(&self) -> bool {
        self.unwritten >= BATCH_COMMITS || self.rows.changed_count() >= BATCH_ROWS
    }

    /// Writes rows and checkpoint and returns the keys that changed; whoever waits is told by [`Feeder::reached`], after those
    /// who follow the changes, so that both know of them. After an error everything is kept and the same can be tried again.
    pub fn flush(&mut self) -> Result<Vec<String>, TablesError> {
        let quiet = self.rows.changed_count() == 0 && self.batch.is_empty();
        if quiet && self.unwritten < UNWRITTEN_MAX {
            return Ok(vec![]);
        }
        self.commit()
    }

    /// Tells whoever waits how far the rows are.
    pub fn reached(&self) {
        self.version.reached(&self.next);
    }

    /// Writes rows and checkpoint where nobody follows the changes.
    pub fn write(&mut self) -> Result<(), TablesError> {
        self.commit()?;
        self.reached();
        Ok(())
    }

    /// As [`Feeder::flush`], and the checkpoint is written in any case.
    pub fn commit(&mut self) -> Result<Vec<String>, TablesError> {
        let (keys, changes_of) = (&mut self.keys, self.view.changes_of());
        self.rows.drain(&mut self.batch, |table, pk| {
            if table == changes_of && !keys.contains(pk) {
                keys.insert(pk.to_owned());
            }
        });
        for (partition, next) in (0u16..).zip(&self.next) {
            if *next > self.version.tables.checkpoint(partition) {
                self.batch.advance(partition, *next);
            }
        }
        if !self.batch.is_empty() {
            self.version.tables.commit(&self.batch)?;
            self.batch.clear();
        }
        self.parking.stored();
        self.version.set_parked(self.parking.count());
        self.unwritten = 0;
        self.rows.settle();
        Ok(std::mem::take(&mut self.keys).into_iter().collect())
    }

    /// Feeds everything the log has at the time of the call, writing now and then but not at the end.
    /// `each` is told after every commit and may stop it by returning false.
    pub fn catch_up(&mut self, log: &Log, mut each: impl FnMut() -> bool) -> Result<(), CatchUpError> {
        'again: loop {
            for record in log.scan(&self.next)? {
                let record = record?;
                let at = Position {
                    partition: record.partition,
                    offset: record.offset,
                };
                let fed = match Facts::decode(&record.payload) {
                    Ok(facts) => self.feed(at, &facts),
                    Err(error) => self.feed_unreadable(at, &error.to_string()),
                };
                match fed {
                    Ok(()) => {}
                    Err(FeedError::Again { trouble: None }) => continue 'again,
                    Err(FeedError::Again {
                        trouble: Some(trouble),
                    }) => return Err(trouble.into()),
                    Err(error) => return Err(CatchUpError::Feed(error)),
                }
                if self.should_flush() {
                    self.write()?;
                }
                if !each() {
                    return Ok(());
                }
            }
            return Ok(());
        }
    }
}

#[derive(Debug)]
pub(super) enum CatchUpError {
    Feed(FeedError),
    Tables(TablesError),
    Log(ReadError),
}

impl From<TablesError> for CatchUpError {
    fn from(error: TablesError) -> Self {
        Self::Tables(error)
    }
}

impl From<ReadError> for CatchUpError {
    fn from(error: ReadError) -> Self {
        Self::Log(error)
    }
}
