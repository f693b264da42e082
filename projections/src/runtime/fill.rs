//! Folds the log into one version of a view in parallel: a thread reads, one for each core decodes and folds.
//!
//! Memory stays bounded whatever the log's length: per folding thread `QUEUED + 2` chunks of about
//! `CHUNK_BYTES` (slices of read buffers of 1 MiB), a cache of `CACHE_BYTES` and one unwritten batch of
//! `BATCH_ROWS` rows, and once the page cache that the tables take for a bulk write (64 MiB). Measured with two
//! threads, the whole process, from a million events: 62 MiB for the few rows of the analytics view and 128 MiB for all
//! four views, one after the other.
//!
//! Chunks are large so that threads seldom wait for each other: with a quarter of them, cores were idle for 15% of a rebuild
//! instead of 5%.

use super::feeder::{FeedError, Feeder, OnPoison};
use super::serving::Version;
use crate::error::RebuildError;
use crate::facts::Facts;
use crate::view::View;
use spool_log::{Log, ScanRecord};
use spool_tables::Position;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

const CHUNK_BYTES: usize = 1 << 20;
const CHUNK_RECORDS: usize = 4096;
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
        let outcome = std::thread::scope(|scope| {
            let (senders, workers): (Vec<_>, Vec<_>) = (0..threads)
                .map(|_| {
                    let (sender, receiver) = sync_channel(QUEUED);
                    let worker = scope.spawn(|| self.fold(receiver, &done, &failed));
                    (sender, worker)
                })
                .unzip();
            let read = self.read(&from, senders, &failed);
            let folded = workers
                .into_iter()
                .map(|worker| worker.join().expect("folding does not panic"))
                .fold(Ok(()), Result::and);
            folded.and(read)
        });
        // An unfinished fill is begun anew at the next start, but what was folded before a poison event is good.
        if matches!(outcome, Ok(()) | Err(RebuildError::Poison { .. })) {
            self.version.tables.finish_bulk()?;
        }
        outcome
    }

    fn read(
        &self,
        from: &[u64],
        senders: Vec<SyncSender<Vec<ScanRecord>>>,
        failed: &AtomicBool,
    ) -> Result<(), RebuildError> {
        let mut chunks: Vec<Chunk> = senders.into_iter().map(Chunk::new).collect();
        for record in self.log.scan(from)? {
            let record = record?;
            let until = self.until.map(|until| until[usize::from(record.partition)]);
            if until.is_some_and(|until| record.offset >= until) {
                continue;
            }
            let shard = usize::from(record.partition) % chunks.len();
            if chunks[shard].push(record) {
                chunks[shard].send();
                if self.stop.load(Ordering::Relaxed) {
                    return Err(RebuildError::Stopped);
                }
                if failed.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        chunks.iter_mut().for_each(Chunk::send);
        Ok(())
    }

    fn fold(
        &self,
        chunks: Receiver<Vec<ScanRecord>>,
        done: &AtomicU64,
        failed: &AtomicBool,
    ) -> Result<(), RebuildError> {
        let outcome = self.fold_all(&chunks, done);
        failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
        // The reader blocks on a full queue until somebody takes what is in it.
        drop(chunks);
        outcome
    }

    fn fold_all(&self, chunks: &Receiver<Vec<ScanRecord>>, done: &AtomicU64) -> Result<(), RebuildError> {
        let (view, version) = (self.view.clone(), self.version.clone());
        let mut feeder = Feeder::open(view, version, self.log.partitions(), OnPoison::Stop)?;
        for chunk in chunks {
            for record in &chunk {
                feed(&mut feeder, record)?;
                if feeder.should_flush() {
                    feeder.write()?;
                }
            }
            let count = chunk.len() as u64;
            (self.progress)(done.fetch_add(count, Ordering::Relaxed) + count);
        }
        feeder.write()?;
        Ok(())
    }
}

fn feed(feeder: &mut Feeder, record: &ScanRecord) -> Result<(), RebuildError> {
    let at = Position {
        partition: record.partition,
        offset: record.offset,
    };
    let fed = match Facts::decode(&record.payload) {
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

/// Records on their way to one folding thread.
struct Chunk {
    records: Vec<ScanRecord>,
    bytes: usize,
    sender: SyncSender<Vec<ScanRecord>>,
}

impl Chunk {
    fn new(sender: SyncSender<Vec<ScanRecord>>) -> Self {
        Self {
            records: Vec::with_capacity(CHUNK_RECORDS),
            bytes: 0,
            sender,
        }
    }

    /// Whether it is full now.
    fn push(&mut self, record: ScanRecord) -> bool {
        self.bytes += record.payload.len();
        self.records.push(record);
        self.bytes >= CHUNK_BYTES || self.records.len() >= CHUNK_RECORDS
    }

    fn send(&mut self) {
        self.bytes = 0;
        let records = std::mem::replace(&mut self.records, Vec::with_capacity(CHUNK_RECORDS));
        // A thread that ended says why when it is joined.
        let _ = self.sender.send(records);
    }
}
