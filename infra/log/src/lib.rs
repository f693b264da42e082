//! The log: durable, ordered commits per partition; the one store from which everything else is derived.
//!
//! A [`Log`] is a cheap handle (clone it) on `P` partitions. A partition is a sequence of opaque payloads, the
//! *commits*, numbered from 0 without gaps. What has been acknowledged has been synced to the disk, and only what has
//! been synced is ever visible through [`Log::head`], [`Log::read`], [`Log::scan`] or [`Log::watch`].
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let log = spool_log::Log::open(spool_log::Config::new("data/log"))?;
//! let head = log.head(3);
//! let offset = log.append(3, head, vec![bytes::Bytes::from_static(b"a fact")]).await?;
//! assert_eq!(log.read(3, offset, 1 << 20)?[0].payload.as_ref(), b"a fact");
//! # Ok(()) }
//! ```
//!
//! The handle is a concrete type; how it is kept is the backend's business. Each backend has a folder and a variant of
//! `Backend`, and passes the same suite (`tests/log/suite.rs`).

mod appending;
mod config;
mod embedded;
mod error;
#[cfg(feature = "eventstore")]
mod eventstore;
mod kafka;
mod owner;
mod scan;
mod shares;
#[doc(hidden)]
pub mod term;

use std::path::Path;

use bytes::Bytes;
use tokio::sync::watch;

pub use appending::Appending;
pub use config::{Config, Fatal, Inject, OnFatal, Operation};
pub use embedded::{Cut, Problem, VerifyReport};
pub use error::{AppendError, OpenError, ReadError};
#[cfg(feature = "eventstore")]
pub use eventstore::EventStoreConfig;
pub use kafka::KafkaConfig;
pub use owner::{Owner, Role, Standing};
pub use scan::Scan;
pub use shares::{Piece, Pieces, Share, SharedRecord};

/// A handle on an open log. Clones share it; the directory is given back when the last one is dropped or
/// [`Log::close`] is called.
#[derive(Clone)]
pub struct Log {
    backend: Backend,
}

/// How a log is kept.
#[derive(Clone)]
enum Backend {
    Embedded(embedded::Embedded),
    Kafka(kafka::Kafka),
    #[cfg(feature = "eventstore")]
    EventStore(eventstore::EventStore),
}

/// One commit as [`Log::read`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The commit's number in its partition, from 0.
    pub offset: u64,
    pub payload: Bytes,
}

/// One commit as [`Log::scan`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRecord {
    pub partition: u16,
    /// The commit's number in its partition, from 0.
    pub offset: u64,
    /// A slice of a read buffer of about 1 MiB, which lives as long as the slice: copy what is to be kept.
    pub payload: Bytes,
}

impl Log {
    /// Opens the log in `config.dir`, creating it when there is none. Blocking: locks the directory and recovers.
    ///
    /// A torn tail (the remains of a batch nobody was told about) is cut; see [`Log::cut`]. Damage below the last
    /// durable mark, a missing segment or a foreign file is refused with the file, the position and what to do.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        Ok(Self {
            backend: Backend::Embedded(embedded::Embedded::open(config)?),
        })
    }

    /// Opens a log in EventStoreDB or KurrentDB, creating it when there is none. Blocking.
    ///
    /// Any number of nodes may have it open, and all may append: the server compares the expected offset, and whoever is
    /// too late gets a `Conflict`. Commits of other nodes become visible as they arrive.
    #[cfg(feature = "eventstore")]
    pub fn eventstore(config: EventStoreConfig) -> Result<Self, OpenError> {
        Ok(Self {
            backend: Backend::EventStore(eventstore::EventStore::open(config)?),
        })
    }

    /// Opens the log on a topic of Kafka, which must exist. Blocking: reads to its end, from the beginning when the local
    /// index is lost.
    ///
    /// This node leads nothing at first; see [`Log::claim`].
    pub fn kafka(config: KafkaConfig) -> Result<Self, OpenError> {
        Ok(Self {
            backend: Backend::Kafka(kafka::Kafka::open(config)?),
        })
    }

    /// The number of partitions, fixed when the log was created.
    pub fn partitions(&self) -> u16 {
        match &self.backend {
            Backend::Embedded(log) => log.partitions(),
            Backend::Kafka(log) => log.partitions(),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.partitions(),
        }
    }

    /// Appends `commits` to `partition`, all or none, if the partition's next offset is `expected`.
    ///
    /// The order of calls is the order in the log: the append is queued before this returns, whether or not the
    /// result is awaited, and a later call may already build on it (`expected` counts what is queued). When an append
    /// fails, those queued behind it fail as well, and later ones that built on it get a `Conflict`.
    /// The payloads are kept in memory for a while as they are given: slices of a large buffer keep all of it.
    /// An append of no commits writes nothing and is a barrier: it is answered after everything queued before it.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn append(&self, partition: u16, expected: u64, commits: Vec<Bytes>) -> Appending {
        match &self.backend {
            Backend::Embedded(log) => log.append(partition, expected, commits),
            Backend::Kafka(log) => log.append(partition, None, expected, commits),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.append(partition, None, expected, commits),
        }
    }

    /// [`Log::append`] for whoever decides on a state that counts appends before they are answered: also a `Conflict`
    /// when [`Log::tenure`] is no longer what it was before the first of those. One of them was refused then, and where
    /// it was to go there may be another node's commit: the number fits and the state does not.
    ///
    /// On the embedded log, which nobody else writes to, this is the same as [`Log::append`].
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn append_in(&self, tenure: u64, partition: u16, expected: u64, commits: Vec<Bytes>) -> Appending {
        match &self.backend {
            Backend::Embedded(log) => log.append(partition, expected, commits),
            Backend::Kafka(log) => log.append(partition, Some(tenure), expected, commits),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.append(partition, Some(tenure), expected, commits),
        }
    }

    /// Rises whenever commits that were appended to `partition` through this log are refused, before anybody is told.
    /// A term that this node claims again after trouble goes on where the last one was, so that alone does not count.
    /// Always 0 on the embedded log.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn tenure(&self, partition: u16) -> u64 {
        match &self.backend {
            Backend::Embedded(log) => {
                log.check_partition(partition);
                0
            }
            Backend::Kafka(log) => log.tenure(partition),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.tenure(partition),
        }
    }

    /// The next offset: the number of durable commits of `partition`.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn head(&self, partition: u16) -> u64 {
        match &self.backend {
            Backend::Embedded(log) => log.head(partition),
            Backend::Kafka(log) => log.head(partition),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.head(partition),
        }
    }

    /// Follows [`Log::head`]. The receiver ends (`changed` fails) when the log is closed.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn watch(&self, partition: u16) -> watch::Receiver<u64> {
        match &self.backend {
            Backend::Embedded(log) => log.watch(partition),
            Backend::Kafka(log) => log.watch(partition),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.watch(partition),
        }
    }

    /// Durable commits of one partition from offset `from` on. Blocking when they are no longer in memory.
    ///
    /// Returns as many as fit into `max_bytes` of payload, but at least one if there is one; none when `from` is the
    /// head. Offsets are contiguous.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn read(&self, partition: u16, from: u64, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        match &self.backend {
            Backend::Embedded(log) => log.read(partition, from, max_bytes),
            Backend::Kafka(log) => log.read(partition, from, max_bytes),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.read(partition, from, max_bytes),
        }
    }

    /// The same without blocking, when all of it is still in memory; `None` also when there is nothing.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn recent(&self, partition: u16, from: u64, max_bytes: usize) -> Option<Vec<Record>> {
        match &self.backend {
            Backend::Embedded(log) => log.recent(partition, from, max_bytes),
            Backend::Kafka(log) => log.recent(partition, from, max_bytes),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(_) => None,
        }
    }

    /// All commits of all partitions from the offsets in `from` (one for each partition) up to the heads at the time
    /// of the call. Each partition's come in order; the embedded log keeps to the order of writing across partitions as
    /// well. Blocking; reads sequentially in large pieces: the way to rebuild a view.
    ///
    /// # Panics
    /// If `from` has not one offset for each partition.
    pub fn scan(&self, from: &[u64]) -> Result<Scan, ReadError> {
        match &self.backend {
            Backend::Embedded(log) => log.scan(from).map(Scan::embedded),
            Backend::Kafka(log) => log.scan(from).map(Scan::kafka),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.scan(from).map(Scan::eventstore),
        }
    }

    /// The same for `count` threads that share the partitions: the pieces, which all of them are to be given, and the share
    /// of each. The embedded log does next to nothing for each commit but in its share, so all cores take part in reading.
    ///
    /// # Panics
    /// If `from` has not one offset for each partition, or `count` is 0.
    pub fn scan_in_shares(&self, from: &[u64], count: usize) -> Result<(Pieces, Vec<Share>), ReadError> {
        assert!(count > 0, "a scan is shared by one thread at least");
        // Before the scan, which may see more but never less.
        let heads: Vec<u64> = (0..self.partitions())
            .map(|partition| self.head(partition))
            .collect();
        let pieces = match &self.backend {
            Backend::Embedded(log) => Pieces::embedded(log.scan(from)?.into_pieces()),
            Backend::Kafka(_) => Pieces::records(self.scan(from)?),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(_) => Pieces::records(self.scan(from)?),
        };
        Ok((pieces, Share::all(count, from, &heads)))
    }

    /// Reads everything durable and checks checksums, order and contiguity. Blocking; the log stays in use meanwhile.
    pub fn verify(&self) -> VerifyReport {
        match &self.backend {
            Backend::Embedded(log) => log.verify(),
            Backend::Kafka(log) => log.verify(),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.verify(),
        }
    }

    /// The same for a log that is not open; changes nothing. A torn tail is no problem, but is reported.
    pub fn verify_dir(dir: &Path) -> Result<VerifyReport, OpenError> {
        embedded::verify_dir(dir)
    }

    /// Asks to lead `partition`: only its leader can append. Returns at once; how it goes is told by [`Log::standing`].
    /// When another node leads, this takes the partition over from it. Does nothing on the embedded log, which
    /// always leads, or when this node leads already.
    ///
    /// Whoever loses the partition to another node later does not claim it again by itself.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn claim(&self, partition: u16) {
        match &self.backend {
            Backend::Embedded(log) => log.check_partition(partition),
            Backend::Kafka(log) => log.claim(partition),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.check_partition(partition),
        }
    }

    /// Stops leading `partition`: new appends get `NotOwner`, those made before still go through. Returns at once.
    /// Does nothing on the embedded log.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn release(&self, partition: u16) {
        match &self.backend {
            Backend::Embedded(log) => log.check_partition(partition),
            Backend::Kafka(log) => log.release(partition),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.check_partition(partition),
        }
    }

    /// Whether this node believes that it leads `partition`. It may have been overtaken a moment ago; the next append or
    /// barrier tells, see [`Log::needs_barrier`].
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn leads(&self, partition: u16) -> bool {
        self.standing(partition).borrow().role == Role::Leading
    }

    /// Who leads `partition` by the last claim in the log; nobody when none was made. The hint that goes with
    /// [`AppendError::NotOwner`].
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn owner(&self, partition: u16) -> Option<Owner> {
        self.standing(partition).borrow().owner.clone()
    }

    /// Follows who leads `partition`, and whether that is us. The receiver ends when the log is closed.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn standing(&self, partition: u16) -> watch::Receiver<Standing> {
        match &self.backend {
            Backend::Embedded(log) => {
                log.check_partition(partition);
                watch::channel(Standing::always_leading()).1
            }
            Backend::Kafka(log) => log.standing(partition),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => {
                log.check_partition(partition);
                watch::channel(Standing::always_leading()).1
            }
        }
    }

    /// Whether an answer that rests on what was read must wait for a barrier (an append of no commits) even when
    /// everything it rests on is durable: another node may have taken the partition over and gone on.
    pub fn needs_barrier(&self) -> bool {
        match &self.backend {
            Backend::Embedded(_) => false,
            Backend::Kafka(_) => true,
            #[cfg(feature = "eventstore")]
            Backend::EventStore(_) => true,
        }
    }

    /// What was cut off the end when the log was opened: a batch that was being written when the power went.
    pub fn cut(&self) -> Option<&Cut> {
        match &self.backend {
            Backend::Embedded(log) => log.cut(),
            Backend::Kafka(_) => None,
            #[cfg(feature = "eventstore")]
            Backend::EventStore(_) => None,
        }
    }

    /// The most payload one commit may have, in bytes.
    pub fn commit_bytes_max(&self) -> usize {
        match &self.backend {
            Backend::Embedded(log) => log.commit_bytes_max(),
            Backend::Kafka(log) => log.commit_bytes_max(),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.commit_bytes_max(),
        }
    }

    /// Makes durable what is queued, marks the end, stops the writer and gives the directory back. Blocking.
    /// On other clones appends then fail as `Stopped`; reads go on.
    pub fn close(self) {
        match &self.backend {
            Backend::Embedded(log) => log.close(),
            Backend::Kafka(log) => log.close(),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(log) => log.close(),
        }
    }
}
