//! The CQL backend: ScyllaDB or Apache Cassandra, for many machines.
//!
//! A logical table of a version is a table of its own in the server, so that dropping a version is dropping tables. The
//! layout and its reasons are in `infra/docs/decisions/0006-cql-tables.md`.
mod blocking;
mod commit;
mod error;
mod journal;
mod keyspace;
mod names;
mod register;
mod registers;
mod schema;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod timestamps;
mod version;
mod view;
mod writes;

pub(crate) use keyspace::Keyspace;
pub(crate) use registers::Registers;
pub use settings::{Consistency, CqlSettings, Credentials, Replication};
pub(crate) use view::View;
