//! What can go wrong: `OpenError` when opening, `AppendError` for one append, `ReadError` for reads and scans.

use std::io;
use std::path::PathBuf;

/// Why a log was not opened. Nothing has been changed then, but for a torn tail that may have been cut.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{} is in use by another process or handle: only one may have a log open; stop the other one first",
        .dir.display()
    )]
    Locked { dir: PathBuf },
    #[error(
        "{}: the log has {found} partitions, but {wanted} were asked for; the number is fixed when a log is created: \
         configure {found}",
        .dir.display()
    )]
    PartitionsDiffer { dir: PathBuf, found: u16, wanted: u16 },
    #[error(
        "{}: segment {sequence} ({}) is missing: {why}; nothing was changed; bring the file back, or restore the whole \
         directory from a backup",
        .dir.display(), .file.display()
    )]
    MissingSegment {
        dir: PathBuf,
        file: PathBuf,
        sequence: u64,
        why: String,
    },
    #[error(
        "{} is damaged at byte {position}: {problem}; this was durable before, so it is not a torn tail and nothing was \
         changed; restore the file from a backup and keep the damaged one for inspection",
        .file.display()
    )]
    Corrupt {
        file: PathBuf,
        position: u64,
        problem: String,
    },
    #[error("{}: {problem}", .file.display())]
    Unusable { file: PathBuf, problem: String },
    #[error("the log cannot be configured so: {problem}")]
    Config { problem: String },
    #[error("{doing} {} failed: {source}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The servers of the log could not be used; `problem` says what to do.
    #[error("opening the log {place} failed: {problem}")]
    Servers { place: String, problem: String },
}

/// Why an append was not accepted. But for `Unknown` and `Stopped`, nothing of it is kept, and nobody has seen any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// `actual` counts what is queued, so it may move back when that fails. Both are the same when the append builds on one
    /// that was refused, see [`crate::Log::append_in`].
    #[error("the next offset is {actual}, not {expected}")]
    Conflict { expected: u64, actual: u64 },
    /// No room on the disk. May be tried again: each attempt asks the disk anew.
    #[error("the disk is full")]
    Full,
    /// One commit is larger than the log takes, or all commits of the append together.
    #[error("{bytes} bytes are more than the {bytes_max} that fit into one commit or append")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// This node does not lead the partition; [`crate::Log::owner`] has a hint who does.
    #[error("this node does not lead the partition")]
    NotOwner,
    /// The servers of the log did not tell in time. It may be in the log or not: ask again with the same command id.
    #[error("the servers of the log did not tell in time whether it was accepted")]
    Unknown,
    /// The log was closed or stopped by a failed write or sync. The outcome of an append that got this is unknown:
    /// it may be there when the log is opened again.
    #[error("the log is stopped")]
    Stopped,
}

/// Why commits could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(
        "offset {from} of partition {partition} is beyond the head {head}: whoever asks has seen a longer log than this one"
    )]
    BeyondHead { partition: u16, from: u64, head: u64 },
    #[error(
        "{} is damaged at byte {position}: {problem}; restore the file from a backup and keep the damaged one for \
         inspection",
        .file.display()
    )]
    Corrupt {
        file: PathBuf,
        position: u64,
        problem: String,
    },
    #[error("{doing} {} failed: {source}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "the log ends at offset {offset} of partition {partition}, but it has had {head} commits there; `spool verify` says \
         where it is damaged"
    )]
    Short { partition: u16, offset: u64, head: u64 },
    /// The servers of the log do not answer, or not with what is needed. May be tried again.
    #[error("reading partition {partition} of the log {place} failed: {problem}")]
    Servers {
        place: String,
        partition: u16,
        problem: String,
    },
}
