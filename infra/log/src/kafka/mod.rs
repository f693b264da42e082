//! The log on a topic of Kafka. `crate::term` has the protocol; here is what carries it out: `partition` joins a seat to
//! its surroundings, `sender` writes over what `spares` has ready, `tail` reads what everybody writes, `tips` asks where it
//! ends, `cursor` and `reads` read what is older, `index` remembers where to begin.

mod config;
mod cursor;
mod index;
mod opening;
mod partition;
mod reads;
mod sender;
mod spares;
mod tail;
mod tips;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use spool_kafka::RECORD_BYTES_MAX;
use tokio::sync::watch;

use self::cursor::Cursors;
use self::partition::Partition;
use crate::embedded::Memory;
use crate::term::HEADER_BYTES;
use crate::{AppendError, Appending, OpenError, ReadError, Record, Standing, VerifyReport};

pub use self::config::KafkaConfig;
pub use self::reads::Scan;

/// What a record may take besides the commits: headers of ours and of Kafka.
const AROUND_BYTES: usize = 4096;

#[derive(Clone)]
pub struct Kafka {
    handle: Arc<Handle>,
}

/// What all clones share; dropping the last one closes the log.
struct Handle {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

struct Running {
    tail: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

struct Shared {
    world: Arc<World>,
    partitions: Vec<Arc<Partition>>,
    cursors: Cursors,
    closed: AtomicBool,
}

/// What every partition needs to know.
struct World {
    config: KafkaConfig,
    /// With the prefix.
    topic: String,
    memory: Mutex<Memory>,
    began: Instant,
    tips: tips::Tips,
    spares: spares::Spares,
}

impl World {
    fn now(&self) -> u64 {
        config::milliseconds(self.began.elapsed())
    }

    /// The log as people know it.
    fn place(&self) -> String {
        format!("topic {} of {}", self.topic, self.config.settings.brokers)
    }

    fn file(&self, partition: u16) -> PathBuf {
        PathBuf::from(format!("{}/{partition}", self.topic))
    }
}

impl Kafka {
    pub fn open(config: KafkaConfig) -> Result<Self, OpenError> {
        opening::open(config).map(|handle| Self {
            handle: Arc::new(handle),
        })
    }

    pub fn partitions(&self) -> u16 {
        self.shared().world.config.partitions
    }

    pub fn append(
        &self,
        partition: u16,
        tenure: Option<u64>,
        expected: u64,
        commits: Vec<Bytes>,
    ) -> Appending {
        let partition = self.shared().partition(partition);
        match self.shared().check(&commits) {
            Ok(()) => partition.append(tenure, expected, commits),
            Err(error) => Appending::answered(Err(error)),
        }
    }

    pub fn tenure(&self, partition: u16) -> u64 {
        self.shared().partition(partition).tenure()
    }

    pub fn head(&self, partition: u16) -> u64 {
        self.shared().partition(partition).head()
    }

    pub fn watch(&self, partition: u16) -> watch::Receiver<u64> {
        self.shared().partition(partition).watch()
    }

    pub fn read(&self, partition: u16, from: u64, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        self.shared().read(partition, from, max_bytes)
    }

    pub fn recent(&self, partition: u16, from: u64, max_bytes: usize) -> Option<Vec<Record>> {
        self.shared().recent(partition, from, max_bytes)
    }

    pub fn scan(&self, from: &[u64]) -> Result<Scan, ReadError> {
        Scan::new(self.shared(), from)
    }

    pub fn verify(&self) -> VerifyReport {
        self.shared().verify()
    }

    pub fn claim(&self, partition: u16) {
        self.shared().partition(partition).claim();
    }

    pub fn release(&self, partition: u16) {
        self.shared().partition(partition).release();
    }

    pub fn standing(&self, partition: u16) -> watch::Receiver<Standing> {
        self.shared().partition(partition).standing()
    }

    pub fn commit_bytes_max(&self) -> usize {
        self.shared().world.config.commit_bytes_max
    }

    pub fn close(&self) {
        self.handle.close();
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl Shared {
    fn partition(&self, partition: u16) -> &Arc<Partition> {
        let partitions = self.partitions.len();
        self.partitions
            .get(usize::from(partition))
            .unwrap_or_else(|| panic!("there is no partition {partition}: the log has {partitions}"))
    }

    fn check(&self, commits: &[Bytes]) -> Result<(), AppendError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(AppendError::Stopped);
        }
        let bytes_max = self.world.config.commit_bytes_max;
        let bytes = commits.iter().map(Bytes::len).max().unwrap_or(0);
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        let bytes: usize = commits.iter().map(|commit| commit.len() + 4).sum();
        let bytes_max = record_bytes_max() - HEADER_BYTES;
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        Ok(())
    }
}

impl Handle {
    fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        let running = self.running.lock().expect(UNPOISONED).take();
        let Some(Running { tail, stop }) = running else {
            return;
        };
        // Every append is answered once the patience is over, whatever the brokers do.
        let deadline = Instant::now() + self.shared.world.config.patience + Duration::from_secs(1);
        let partitions = &self.shared.partitions;
        while !partitions.iter().all(|partition| partition.is_idle()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.store(true, Ordering::Release);
        // If it panicked, that was told through the hook.
        let _ = tail.join();
        for partition in partitions {
            partition.close();
        }
        self.shared.world.spares.end();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

fn record_bytes_max() -> usize {
    usize::try_from(RECORD_BYTES_MAX).expect("it is a few MiB") - AROUND_BYTES
}

const UNPOISONED: &str = "nothing panics while it holds this";
