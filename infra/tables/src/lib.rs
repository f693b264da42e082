//! Rows addressed by table, partition key and sort key, with checkpoints in the same write.
//!
//! Tables are a function of the log: whatever is lost here is rebuilt, so the embedded backend (SQLite, one file for
//! each version of a view) trades the durability of the last moments for speed, and never its consistency. Rows and
//! the checkpoint saying which commits they contain are written in one transaction: after a crash both are as of the
//! same moment, and the fold goes on from there.
//!
//! Everything here blocks; call it from a thread that may.
mod batch;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod error;
mod file;
mod readers;
mod rows;
mod tables;
mod view;
mod writer;

pub use batch::{Batch, Pending};
pub use error::TablesError;
pub use file::Opened;
pub use rows::{Order, Position, Row};
pub use tables::Tables;
pub use view::ViewTables;
pub use writer::Committed;

#[cfg(test)]
mod tests;
