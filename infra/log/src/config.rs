//! What a log is opened with.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How to open a log. Start from [`Config::new`] and change what differs.
#[derive(Clone)]
pub struct Config {
    /// The directory of the log; nothing else may live in it.
    pub dir: PathBuf,
    /// Fixed when the log is created; opening it with another number is refused.
    pub partitions: u16,
    /// Size of new segment files, at least 16 KiB. Existing ones keep theirs.
    pub segment_bytes: u64,
    /// The most payload one commit may have; lowered to what fits into a segment.
    pub commit_bytes_max: usize,
    /// How much is kept in memory for readers near the head, over all partitions.
    pub memory_bytes: usize,
    /// After this long without an append the end is marked durable, so that damage to the last batch is told from a
    /// torn tail.
    pub mark_after: Duration,
    /// Called once when a write or sync failed. The default prints one line to stderr and aborts the process. If it
    /// returns, the log is stopped: nothing more is acknowledged.
    pub on_fatal: OnFatal,
    /// Makes writes and syncs fail in tests.
    #[doc(hidden)]
    pub inject: Option<Inject>,
}

/// See [`Config::on_fatal`].
pub type OnFatal = Arc<dyn Fn(&Fatal) + Send + Sync>;

/// Why the log cannot go on. After a failed sync nobody knows what is on the disk, so it is never tried again.
#[derive(Debug)]
pub struct Fatal {
    pub doing: String,
    pub error: io::Error,
}

/// See [`Config::inject`].
pub type Inject = Arc<dyn Fn(Operation) -> io::Result<()> + Send + Sync>;

/// What the log is about to do to its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writing a batch into the active segment.
    Write,
    /// Syncing a batch.
    Sync,
    /// Writing zeros into the next segment.
    Prepare,
}

impl Config {
    /// 16 partitions, segments of 64 MiB, commits up to 4 MiB, 16 MiB in memory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            partitions: 16,
            segment_bytes: 64 << 20,
            commit_bytes_max: 4 << 20,
            memory_bytes: 16 << 20,
            mark_after: Duration::from_millis(50),
            on_fatal: Arc::new(abort),
            inject: None,
        }
    }

    pub(crate) fn before(&self, operation: Operation) -> io::Result<()> {
        self.inject.as_ref().map_or(Ok(()), |inject| inject(operation))
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "spool-log: {} failed: {}; stopping at once, because what is on the disk is no longer known; nothing \
             unsynced was acknowledged; check the disk, then start again",
            self.doing, self.error
        )
    }
}

fn abort(fatal: &Fatal) {
    use std::io::Write;
    // One write, so that the line is whole; a closed stderr must not turn the abort into a panic.
    let _ = io::stderr().write_all(format!("{fatal}\n").as_bytes());
    std::process::abort();
}
