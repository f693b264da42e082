//! Apache Kafka: connecting, topics and their settings, producing and consuming off the async runtime.
//!
//! [`Settings`] say where the brokers are and give configurations for clients of rdkafka: a producer that neither
//! loses, doubles nor reorders, and a consumer that reads what it is told to. [`Connection`] asks the brokers; whatever
//! blocks runs on blocking threads. [`Following`] reads a topic as it grows. [`topics`] makes and checks the topics that the promises rest on.

mod connection;
mod context;
mod error;
mod following;
mod producer;
mod settings;
pub mod topics;

pub use connection::{Connection, LastRecord, PartitionState, Record};
pub use context::Context;
pub use error::Error;
pub use following::Following;
pub use producer::{NewRecord, Producer, Sending};
pub use settings::Settings;

/// The largest record: the largest commit of the log with room for what is written around it. Producers are
/// configured for it, and topics are checked to take it.
pub const RECORD_BYTES_MAX: u32 = 5 << 20;
