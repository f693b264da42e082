//! The log in segment files of one directory. `format` has the bytes, `directory` the names, `recover` the opening,
//! `writer` the group commit, `blocks` the disk, `prepare` the next segment, `scan` and `read` the way back.

mod answers;
mod batch;
mod blocks;
mod directory;
mod format;
mod index;
mod inspect;
pub(crate) mod memory;
mod position;
mod prepare;
mod queue;
mod read;
mod recover;
mod scan;
mod segment;
mod verify;
mod walk;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::watch;

use self::directory::{Lock, Metadata, failed};
use self::format::{SEGMENT_HEADER_BYTES, record_bytes};
use self::prepare::Preparer;
use self::queue::Queue;
use self::segment::Segment;
use self::writer::{Writer, append_bytes_max};
use crate::{AppendError, Appending, Config, OpenError, ReadError, Record};

pub use self::memory::Memory;
pub use self::recover::Cut;
pub use self::scan::{Piece, Pieces, Scan};
pub use self::verify::{Problem, VerifyReport, verify_dir};

const SEGMENT_BYTES_MIN: u64 = 16 << 10;
const SEGMENT_BYTES_MAX: u64 = 2 << 30;
const PARTITIONS_MAX: u16 = 512;

#[derive(Clone)]
pub struct Embedded {
    handle: Arc<Handle>,
}

/// What all clones share; dropping the last one closes the log.
struct Handle {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
    cut: Option<Cut>,
    append_bytes_max: usize,
    commit_bytes_max: usize,
}

/// What ends when the log is closed. The lock goes last.
struct Running {
    writer: JoinHandle<()>,
    lock: Lock,
}

/// What the writer and the readers share.
struct Shared {
    config: Config,
    metadata: Metadata,
    queue: Queue,
    /// The number of durable commits of each partition.
    heads: Vec<AtomicU64>,
    watches: RwLock<Vec<watch::Sender<u64>>>,
    segments: RwLock<Vec<Arc<Segment>>>,
    memory: Mutex<Memory>,
}

impl Embedded {
    pub fn open(mut config: Config) -> Result<Self, OpenError> {
        check(&mut config)?;
        let recovered = recover::recover(&config)?;
        let active = Arc::clone(
            recovered
                .segments
                .last()
                .expect("recovery ends with the segment to write to"),
        );
        let heads = active.index.read().expect(UNPOISONED).end_heads.clone();
        let append_bytes_max = append_bytes_max(config.segment_bytes, config.partitions);
        let commit_bytes_max = config
            .commit_bytes_max
            .min(append_bytes_max - record_bytes(0) - 8);
        let metadata = recovered.metadata;
        let shared = Arc::new(Shared {
            metadata,
            queue: Queue::new(heads.clone()),
            heads: heads.iter().copied().map(AtomicU64::new).collect(),
            watches: RwLock::new(heads.iter().map(|head| watch::Sender::new(*head)).collect()),
            segments: RwLock::new(recovered.segments),
            memory: Mutex::new(Memory::new(&heads, config.memory_bytes)),
            config: config.clone(),
        });
        let next = active.header.sequence + 1;
        let thread = |error| failed("starting a thread for", &config.dir)(error);
        let preparer = Preparer::start(config.clone(), metadata, recovered.spare, next).map_err(thread)?;
        let writer = Writer::new(
            Arc::clone(&shared),
            preparer,
            recovered.active,
            Arc::clone(&active),
            recovered.marked,
        )
        .map_err(failed("reading", &active.path))?;
        let writer = std::thread::Builder::new()
            .name("spool-log-write".into())
            .spawn(move || writer.run())
            .map_err(thread)?;
        let running = Mutex::new(Some(Running {
            writer,
            lock: recovered.lock,
        }));
        let handle = Handle {
            shared,
            running,
            cut: recovered.cut,
            append_bytes_max,
            commit_bytes_max,
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    pub fn partitions(&self) -> u16 {
        self.shared().metadata.partitions
    }

    pub fn check_partition(&self, partition: u16) {
        self.shared().check_partition(partition);
    }

    pub fn append(&self, partition: u16, expected: u64, commits: Vec<Bytes>) -> Appending {
        self.shared().check_partition(partition);
        let queued = self
            .check_size(&commits)
            .and_then(|()| self.shared().queue.push(partition, expected, commits));
        match queued {
            Ok(receiver) => Appending::queued(receiver),
            Err(error) => Appending::answered(Err(error)),
        }
    }

    pub fn head(&self, partition: u16) -> u64 {
        self.shared().check_partition(partition);
        self.shared().head(partition)
    }

    pub fn watch(&self, partition: u16) -> watch::Receiver<u64> {
        self.shared().check_partition(partition);
        let watches = self.shared().watches.read().expect(UNPOISONED);
        match watches.get(usize::from(partition)) {
            Some(sender) => sender.subscribe(),
            // Closed: a receiver that has ended already.
            None => watch::channel(self.shared().head(partition)).1,
        }
    }

    pub fn read(&self, partition: u16, from: u64, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        self.shared().check_partition(partition);
        self.shared().read(partition, from, max_bytes)
    }

    pub fn recent(&self, partition: u16, from: u64, max_bytes: usize) -> Option<Vec<Record>> {
        self.shared().check_partition(partition);
        self.shared().recent(partition, from, max_bytes)
    }

    pub fn scan(&self, from: &[u64]) -> Result<Scan, ReadError> {
        Scan::new(self.shared(), from)
    }

    pub fn verify(&self) -> VerifyReport {
        verify::verify(self.shared())
    }

    pub fn cut(&self) -> Option<&Cut> {
        self.handle.cut.as_ref()
    }

    pub fn commit_bytes_max(&self) -> usize {
        self.handle.commit_bytes_max
    }

    pub fn close(&self) {
        self.handle.close();
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    fn check_size(&self, commits: &[Bytes]) -> Result<(), AppendError> {
        if let Some(commit) = commits
            .iter()
            .find(|commit| commit.len() > self.handle.commit_bytes_max)
        {
            let (bytes, bytes_max) = (commit.len(), self.handle.commit_bytes_max);
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        let bytes = commits.iter().map(|commit| record_bytes(commit.len())).sum();
        let bytes_max = self.handle.append_bytes_max;
        if bytes > bytes_max {
            Err(AppendError::TooLarge { bytes, bytes_max })
        } else {
            Ok(())
        }
    }
}

impl Handle {
    fn close(&self) {
        self.shared.queue.close();
        let running = self.running.lock().expect(UNPOISONED).take();
        let Some(Running { writer, lock }) = running else {
            return;
        };
        // If it panicked, that was told through the hook.
        let _ = writer.join();
        self.shared.watches.write().expect(UNPOISONED).clear();
        drop(lock);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn head(&self, partition: u16) -> u64 {
        self.heads[usize::from(partition)].load(Ordering::Acquire)
    }

    fn heads(&self) -> Vec<u64> {
        self.heads
            .iter()
            .map(|head| head.load(Ordering::Acquire))
            .collect()
    }

    fn publish_heads(&self, heads: &[u64]) {
        let watches = self.watches.read().expect(UNPOISONED);
        for ((published, watch), &head) in self.heads.iter().zip(watches.iter()).zip(heads) {
            if published.load(Ordering::Relaxed) != head {
                published.store(head, Ordering::Release);
                watch.send_replace(head);
            }
        }
    }

    fn check_partition(&self, partition: u16) {
        let partitions = self.metadata.partitions;
        assert!(
            partition < partitions,
            "there is no partition {partition}: the log has {partitions}"
        );
    }
}

fn check(config: &mut Config) -> Result<(), OpenError> {
    let wrong = |problem: String| Err(OpenError::Config { problem });
    if !(1..=PARTITIONS_MAX).contains(&config.partitions) {
        return wrong(format!(
            "{} partitions; 1 to {PARTITIONS_MAX} are possible",
            config.partitions
        ));
    }
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&config.segment_bytes) {
        let given = config.segment_bytes;
        return wrong(format!(
            "segments of {given} bytes; {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX} are possible"
        ));
    }
    config.segment_bytes = config.segment_bytes.next_multiple_of(SEGMENT_HEADER_BYTES);
    Ok(())
}

const UNPOISONED: &str = "nothing panics while it holds this";
