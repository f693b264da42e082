//! Nodes that pass commands on to each other, over real HTTP and a log on a real Kafka.

mod followups;
mod given;
mod giving;
mod history;
mod internal;
mod moving;
mod trouble;
mod world;
