//! The log in EventStoreDB or KurrentDB: a stream for each partition, whose revisions are the offsets, and an event for
//! each commit. The server compares the expected revision, so any number of nodes may write and none needs to lead.
//!
//! `servers` has the connection, `open` the beginning, `writer` the appends, `follow` what other nodes append, `read` and
//! `scan` the way back.

mod config;
mod follow;
mod open;
mod queue;
mod read;
mod scan;
mod servers;
mod writer;

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::config::EVENT_BYTES;
use self::queue::Queue;
use self::servers::Servers;
use self::writer::Writer;
use crate::embedded::memory::Memory;
use crate::{AppendError, Appending, OpenError, Problem, ReadError, Record, VerifyReport};

pub use self::config::EventStoreConfig;
pub use self::scan::Scan;

/// The type of the events that are commits.
const COMMIT: &str = "spool-commit";

#[derive(Clone)]
pub struct EventStore {
    handle: Arc<Handle>,
}

/// What all clones share; dropping the last one closes the log.
struct Handle {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
    /// Outlives `running`, for those who still read. None only while it is dropped.
    runtime: Option<Runtime>,
}

/// What ends when the log is closed.
struct Running {
    writers: Vec<JoinHandle<()>>,
    follower: JoinHandle<()>,
}

/// What writers, follower and readers share.
struct Shared {
    config: EventStoreConfig,
    servers: Arc<Servers>,
    runtime: tokio::runtime::Handle,
    queues: Vec<Queue>,
    /// The number of visible commits of each partition.
    heads: Vec<AtomicU64>,
    watches: RwLock<Vec<watch::Sender<u64>>>,
    /// Its lock is what the heads are moved under.
    memory: Mutex<Memory>,
}

impl EventStore {
    pub fn open(config: EventStoreConfig) -> Result<Self, OpenError> {
        config.check()?;
        // Of its own, so that the log can be used without one and outlives whichever opened it. Two threads, since the
        // library blocks one at times: it reads the system's certificates for each new client.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("spool-log-eventstore")
            .enable_all()
            .build()
            .map_err(|error| OpenError::Config {
                problem: format!("starting its threads failed: {error}"),
            })?;
        let opened = wait(runtime.handle(), open::open(config, runtime.handle().clone()));
        let opened = opened.unwrap_or_else(|| {
            Err(OpenError::Config {
                problem: "the client library cannot use the connection string; see the panic it reported"
                    .into(),
            })
        });
        let (shared, from) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let writer = |partition| runtime.spawn(Writer::new(Arc::clone(&shared), partition).run());
        let running = Running {
            writers: (0..shared.config.partitions).map(writer).collect(),
            follower: runtime.spawn(follow::follow(Arc::clone(&shared), from)),
        };
        let handle = Handle {
            shared,
            running: Mutex::new(Some(running)),
            runtime: Some(runtime),
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    pub fn partitions(&self) -> u16 {
        self.shared().config.partitions
    }

    pub fn check_partition(&self, partition: u16) {
        self.shared().check_partition(partition);
    }

    pub fn append(
        &self,
        partition: u16,
        tenure: Option<u64>,
        expected: u64,
        commits: Vec<Bytes>,
    ) -> Appending {
        self.shared().check_partition(partition);
        let queue = &self.shared().queues[usize::from(partition)];
        let queued = self
            .sized(&commits)
            .and_then(|bytes| queue.push(tenure, expected, commits, bytes, || self.shared().head(partition)));
        match queued {
            Ok(receiver) => Appending::queued(receiver),
            Err(error) => Appending::answered(Err(error)),
        }
    }

    pub fn tenure(&self, partition: u16) -> u64 {
        self.shared().check_partition(partition);
        self.shared().queues[usize::from(partition)].tenure()
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

    pub fn scan(&self, from: &[u64]) -> Result<Scan, ReadError> {
        Scan::new(&self.handle, from)
    }

    /// The server looks after its files; what can be checked from here is that every commit is there, and that they are
    /// contiguous.
    pub fn verify(&self) -> VerifyReport {
        let shared = self.shared();
        let mut report = VerifyReport {
            heads: shared.heads(),
            ..VerifyReport::default()
        };
        for partition in 0..shared.config.partitions {
            let mut next = 0;
            while next < report.heads[usize::from(partition)] {
                match shared.read(partition, next, read::PAGE_BYTES) {
                    Ok(records) => {
                        next += records.len() as u64;
                        report.commits += records.len() as u64;
                        report.bytes += records
                            .iter()
                            .map(|record| record.payload.len() as u64)
                            .sum::<u64>();
                    }
                    Err(error) => {
                        report.problems.push(Problem {
                            file: PathBuf::from(shared.config.stream(partition)),
                            position: next,
                            problem: error.to_string(),
                        });
                        break;
                    }
                }
            }
        }
        report
    }

    pub fn commit_bytes_max(&self) -> usize {
        self.shared().config.append_bytes_max - EVENT_BYTES
    }

    pub fn close(&self) {
        self.handle.close();
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The bytes that an append takes as the server counts.
    fn sized(&self, commits: &[Bytes]) -> Result<usize, AppendError> {
        let bytes_max = self.commit_bytes_max();
        if let Some(commit) = commits.iter().find(|commit| commit.len() > bytes_max) {
            let bytes = commit.len();
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        let bytes = commits.iter().map(|commit| commit.len() + EVENT_BYTES).sum();
        let bytes_max = self.shared().config.append_bytes_max;
        if bytes > bytes_max {
            Err(AppendError::TooLarge { bytes, bytes_max })
        } else {
            Ok(bytes)
        }
    }
}

impl Handle {
    fn close(&self) {
        for queue in &self.shared.queues {
            queue.close();
        }
        let running = self.running.lock().expect(UNPOISONED).take();
        let Some(Running { writers, follower }) = running else {
            return;
        };
        wait(&self.shared.runtime, async move {
            for writer in writers {
                // If it panicked, that was told through the hook.
                let _ = writer.await;
            }
            follower.abort();
        });
        self.shared.watches.write().expect(UNPOISONED).clear();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
        if let Some(runtime) = self.runtime.take() {
            // Waiting for it is forbidden in async tasks, and nothing is left to wait for.
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn new(
        config: EventStoreConfig,
        servers: Arc<Servers>,
        runtime: tokio::runtime::Handle,
        heads: &[u64],
    ) -> Self {
        Self {
            queues: heads.iter().map(|_| Queue::new()).collect(),
            heads: heads.iter().copied().map(AtomicU64::new).collect(),
            watches: RwLock::new(heads.iter().map(|head| watch::Sender::new(*head)).collect()),
            memory: Mutex::new(Memory::new(heads, config.memory_bytes)),
            config,
            servers,
            runtime,
        }
    }

    fn head(&self, partition: u16) -> u64 {
        self.heads[usize::from(partition)].load(Ordering::Acquire)
    }

    fn heads(&self) -> Vec<u64> {
        self.heads
            .iter()
            .map(|head| head.load(Ordering::Acquire))
            .collect()
    }

    /// Makes commits visible that are in the log from `first` on; those that are visible already stay as they are.
    /// `first` must not be beyond the head.
    fn advance(&self, partition: u16, first: u64, commits: Vec<Bytes>) {
        let mut memory = self.memory.lock().expect(UNPOISONED);
        let head = self.head(partition);
        let end = first + commits.len() as u64;
        debug_assert!(first <= head, "a gap before offset {first}: the head is {head}");
        if end <= head {
            return;
        }
        let known = usize::try_from(head - first).expect("fewer than there are commits");
        memory.push(partition, commits.into_iter().skip(known));
        memory.forget();
        self.heads[usize::from(partition)].store(end, Ordering::Release);
        if let Some(watch) = self.watches.read().expect(UNPOISONED).get(usize::from(partition)) {
            watch.send_replace(end);
        }
    }

    fn check_partition(&self, partition: u16) {
        let partitions = self.config.partitions;
        assert!(
            partition < partitions,
            "there is no partition {partition}: the log has {partitions}"
        );
    }
}

/// Blocks the thread until the runtime has done it, also where `block_on` is forbidden. `None` when the runtime has ended
/// or it has panicked.
fn wait<T: Send + 'static>(
    runtime: &tokio::runtime::Handle,
    doing: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (done, waiting) = std::sync::mpsc::sync_channel(1);
    runtime.spawn(async move {
        // Whoever asked waits below.
        let _ = done.send(doing.await);
    });
    waiting.recv().ok()
}

const UNPOISONED: &str = "nothing panics while it holds this";
