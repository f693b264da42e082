//! What is stored: rows, and the position in the log each is at.
use std::path::PathBuf;

use bytes::Bytes;

/// A place in the log: the commit at `offset` of `partition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub partition: u16,
    pub offset: u64,
}

/// One row of a table, as of the commit at `position`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub pk: String,
    pub sk: String,
    /// Opaque here; the views write JSON.
    pub value: Bytes,
    pub position: Position,
}

/// The order of sort keys, by their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// What a commit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Rows put or deleted. The CQL backend counts what it sent: a row that is past its write already is not told apart.
    pub written: usize,
    /// Rows left alone: they are at this position or past it already.
    pub skipped: usize,
}

/// What was found when a version of a view was opened. Unless `Existing`, it is empty and must be rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    Existing,
    Created,
    /// What was there could not be used. It lies at `moved_to` for the curious, unless it was only half a rebuild.
    Replaced {
        reason: String,
        moved_to: Option<PathBuf>,
    },
}
