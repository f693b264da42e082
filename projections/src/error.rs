//! What can go wrong: `QueryError` for a query, `WaitError` for a wait, the others for what they name.

use spool_log::ReadError;
use spool_tables::{Position, TablesError};
use std::fmt;

/// Why a view did not answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is nothing to answer from yet; try again later.
    #[error("the view {view} is being rebuilt")]
    Rebuilding { view: &'static str },
    #[error("this is no cursor of this list")]
    BadCursor,
    #[error("reading a view's rows")]
    Tables(#[from] TablesError),
    /// A row that this program did not write so: a defect.
    #[error("a row of table {table} cannot be read: {source}")]
    Row {
        table: &'static str,
        source: serde_json::Error,
    },
    /// A row that is found by what this program did not write so: a defect.
    #[error("{0:?} is no place in a trail")]
    Place(String),
    #[error("reading the log")]
    Log(#[from] ReadError),
    /// A commit that is in a trail, and not what it was when it was put there: a defect.
    #[error("the commit at partition {}, offset {}: {reason}", at.partition, at.offset)]
    Fact { at: Position, reason: String },
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    #[error("the view {view} did not get there in time")]
    TimedOut { view: &'static str },
    #[error("the view {view} is being rebuilt")]
    Rebuilding { view: &'static str },
    #[error("the views are being stopped")]
    Stopped,
    #[error("there is no view {0:?}")]
    UnknownView(String),
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("opening the rows of view {view}")]
    Tables { view: &'static str, source: TablesError },
    #[error("reading the log")]
    Log(#[from] ReadError),
    /// The log was put back from an older backup, or cannot be read to its end now.
    #[error("the rows of view {view} know more than this node can read of the log")]
    Ahead { view: &'static str },
    #[error("views are to be started inside a tokio runtime")]
    NoRuntime,
    #[error("starting a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The node that writes the rows, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer(pub(crate) Option<String>);

impl fmt::Display for Writer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(node) => write!(to, "node {node} writes the views; ask there"),
            None => write!(
                to,
                "this node does not write the views, and no other is known to; try again in some seconds"
            ),
        }
    }
}

/// Why a rebuild did not come to its end. The version that serves goes on serving.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("there is no view {0:?}")]
    UnknownView(String),
    #[error("the view {0} is being rebuilt already")]
    AlreadyRunning(&'static str),
    #[error("{0}")]
    Elsewhere(Writer),
    /// The rebuild stops at an event it cannot fold, because the new version would lack it.
    #[error("partition {}, offset {}, {stream}: {reason}", at.partition, at.offset)]
    Poison {
        at: Position,
        stream: String,
        reason: String,
    },
    #[error("recording the switch: {0}")]
    Switch(String),
    #[error("writing rows")]
    Tables(#[from] TablesError),
    #[error("reading the log")]
    Log(#[from] ReadError),
    #[error("the views are being stopped")]
    Stopped,
    #[error("starting a thread: {0}")]
    Thread(#[from] std::io::Error),
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("refolding the view {view}")]
    Refold {
        view: &'static str,
        source: RebuildError,
    },
    #[error("the view {view} is being rebuilt")]
    Rebuilding { view: &'static str },
    #[error("{0}")]
    Elsewhere(Writer),
}
