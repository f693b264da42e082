//! What is stored: rows, and the position in the log each is at.
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
