//! Folds the log into one version of a view in parallel: a thread reads pieces, and one for each core takes out the
//! commits of its partitions, checks, decodes and folds them.
//!
//! Memory stays bounded whatever the log's length: `QUEUED + 2` pieces of about 1 MiB, and per folding thread a cache
//! of `CACHE_BYTES` and one unwritten batch of `BATCH_ROWS` rows, and once the page cache that the tables take for a bulk
//! write (64 MiB). Measured with two threads, the whole process, from a million events: 49 MiB for the few rows of the
//! analytics view and 117 MiB for all four views, one after the other.

use super::feeder::{FeedError, Feeder, OnPoison};
use super::serving::Version;
use crate::error::RebuildError;
use crate::facts::Facts;
use crate::view::View;
use spool_log::{Log, Piece, Pieces, Share, SharedRecord};
use spool_tables::Position;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many pieces may wait for a folding thread.
const QUEUED: usize = 4;

pub(super) struct Fill<'a> {
    pub log: &'a Log,
    pub view: &'a Arc<dyn View>,
    pub version: &'a Arc<Version>,
    /// Stop below these offsets, instead of at the heads of the log.
    pub until: Option<&'a [u64]>,
    /// Told about every so many commits, with how many are folded.
    pub progress: &'a (dyn Fn(u64) + Sync),
    pub stop: &'a AtomicBool,
}

impl Fill<'_> {
    /// Folds from the version's checkpoint on.
    pub fn run(&self) -> Result<(), RebuildError> {
        self.version.tables.begin_bulk()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(usize::from(self.log.partitions()));
        let from = start_of(self.version, self.log.partitions());
        let done = AtomicU64::new(0);
        let failed = AtomicBool::new(false);
        let (pieces, shares) = self.log.scan_in_shares(&from, threads)?;
        let outcome = std::thread::scope(|scope| {
            let (senders, workers): (Vec<_>, Vec<_>) = shares
                .into_iter()
                .map(|share| {
                    let (sender, receiver) = sync_channel(QUEUED);
                    let worker = scope.spawn(|| self.fold(share, receiver, &done, &failed));
                    (sender, worker)
                })
                .unzip();
            let read = self.read(pieces, senders, &failed);
            let folded = workers
                .into_iter()
                .map(|worker| worker.join().expect("folding does not panic"))
                .collect::<Result<Vec<_>, _>>();
            // Why folding ended comes before why reading did, and that before what has not come.
            let (shares, ()) = (folded?, read?);
            shares.into_iter().try_for_each(Share::finish)?;
            Ok(())
        });
        // An unfinished fill is begun anew at the next start, but what was folded before a poison event is good.
        if matches!(outcome, Ok(()) | Err(RebuildError::Poison { .. })) {
            self.version.tables.finish_bulk()?;
        }
        outcome
    }

    /// Hands every piece to everybody.
    fn read(
        &self,
        pieces: Pieces,
        senders: Vec<SyncSender<Piece>>,
        failed: &AtomicBool,
    ) -> Result<(), RebuildError> {
        for piece in pieces {
            let piece = piece?;
            for sender in &senders {
                // A thread that ended says why when it is joined.
                let _ = sender.send(piece.clone());
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(RebuildError::Stopped);
            }
            if failed.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    fn fold(
        &self,
        share: Share,
        pieces: Receiver<Piece>,
        done: &AtomicU64,
        failed: &AtomicBool,
    ) -> Result<Share, RebuildError> {
        let outcome = self.fold_all(share, &pieces, done);
        failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
        // The reader blocks on a full queue until somebody takes what is in it.
        drop(pieces);
        outcome
    }

    fn fold_all(
        &self,
        mut share: Share,
        pieces: &Receiver<Piece>,
        done: &AtomicU64,
    ) -> Result<Share, RebuildError> {
        let (view, version) = (self.view.clone(), self.version.clone());
        let mut feeder = Feeder::open(view, version, self.log.partitions(), OnPoison::Stop)?;
        for piece in pieces {
            let mut count = 0;
            share.each(&piece, |record| {
                let until = self.until.map(|until| until[usize::from(record.partition)]);
                if until.is_some_and(|until| record.offset >= until) {
                    return Ok(());
                }
                count += 1;
                feed(&mut feeder, &record)?;
                if feeder.should_flush() {
                    feeder.write()?;
                }
                Ok::<_, RebuildError>(())
            })?;
            (self.progress)(done.fetch_add(count, Ordering::Relaxed) + count);
        }
        feeder.write()?;
        Ok(share)
    }
}

fn feed(feeder: &mut Feeder, record: &SharedRecord<'_>) -> Result<(), RebuildError> {
    let at = Position {
        partition: record.partition,
        offset: record.offset,
    };
    let fed = match Facts::decode(record.payload) {
        Ok(facts) => feeder.feed(at, &facts),
        Err(error) => feeder.feed_unreadable(at, &error.to_string()),
    };
    fed.map_err(RebuildError::from)
}

impl From<FeedError> for RebuildError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Poison { at, stream, reason } => Self::Poison { at, stream, reason },
            FeedError::Again {
                trouble: Some(trouble),
            } => Self::Tables(trouble),
            FeedError::Again { trouble: None } => Self::Stopped,
            FeedError::Gap { at, expected } => Self::Poison {
                at,
                stream: String::new(),
                reason: format!("the log left out offsets: {expected} was next"),
            },
        }
    }
}

/// Where the version's rows are, for every partition.
pub(super) fn start_of(version: &Version, partitions: u16) -> Vec<u64> {
    (0..partitions)
        .map(|partition| version.tables.checkpoint(partition))
        .collect()
}
