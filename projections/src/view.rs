//! What a view is: a pure fold of facts into rows.

use crate::facts::Facts;
use crate::rows::Rows;
use spool_tables::{Position, TablesError};

/// A fold of the log into rows. The rows after a commit are a function of the rows before it and the commit:
/// no clock, no randomness, no reading of anything else. So a refold gives the same rows, whenever it is done.
///
/// A row is to be made from facts of one log partition only (ids born beside each other share one); what spans
/// partitions is one row for each, put together when read.
pub trait View: Send + Sync + 'static {
    /// `[a-z][a-z0-9_]*`.
    fn name(&self) -> &'static str;

    /// Rises when the shape or the meaning of the rows changes: rows of another schema are rebuilt from the log.
    fn schema(&self) -> u32;

    /// The tables that it writes to: they are made before anybody waits for a row of theirs.
    fn tables(&self) -> &'static [&'static str];

    /// The table whose partition keys are told to those who follow the view's changes.
    fn changes_of(&self) -> &'static str;

    /// Folds one commit. After an error nothing of it is kept.
    fn apply(&self, facts: &Facts<'_>, at: Position, rows: &mut Rows) -> Result<(), ViewError>;
}

/// `Poison` for what the fold cannot take: its stream is parked and the others go on. `Tables` is trouble with
/// the disk, and tried again.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("{0}")]
    Poison(String),
    #[error("reading a row to fold into")]
    Tables(#[from] TablesError),
}

impl ViewError {
    pub fn poison(reason: impl Into<String>) -> Self {
        Self::Poison(reason.into())
    }
}
