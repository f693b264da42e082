//! Rows addressed by table, partition key and sort key, with the checkpoint saying which commits they contain.
//!
//! Tables are a function of the log: whatever is lost here is rebuilt. Two backends stand behind the same handles:
//!
//! - **Embedded** (SQLite, one file for each version of a view) trades the durability of the last moments for speed, and
//!   never its consistency: rows and checkpoint are written in one transaction, so after a crash both are as of
//!   the same moment, and the fold goes on from there.
//! - **CQL** (ScyllaDB, Apache Cassandra) serves many machines. A commit is written down, then its rows, then its checkpoint.
//!   A reader can see some rows of it before the others, and all of them once the checkpoint is there; one that was cut short is
//!   finished by the next writer. A row's position in the log is its write timestamp: whatever is written again or late
//!   changes nothing.
//!
//! Beside them are [`Registers`]: the few things that nodes of a cluster agree on and no log can make again.
//!
//! Everything here blocks; call it from a thread that may. (A worker thread of a multi-threaded tokio runtime may: the CQL
//! backend tells the runtime before it waits.)
mod batch;
mod content;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod cql;
mod embedded;
mod error;
pub mod joined;
mod registers;
mod rows;
mod tables;
mod view;

pub use batch::{Batch, Pending};
pub use cql::{Consistency, CqlSettings, Credentials, Replication};
pub use error::TablesError;
pub use registers::{Registers, Swapped};
pub use rows::{Committed, Opened, Order, Position, Row};
pub use tables::Tables;
pub use view::ViewTables;
