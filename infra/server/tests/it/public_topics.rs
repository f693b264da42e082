//! What other teams see of the real binary on a real broker: everything, in order, nothing about persons, whatever dies.

mod consumers;
mod killed;
// The same reading and comparing that the publisher itself is tested with.
#[path = "../../../../projections/tests/publisher/published.rs"]
mod published;
mod topics;

use std::process::{Command, Output};

use spool_kafka::Settings;
use spool_services::{Kafka, fresh_name};

use crate::server::Setup;

/// As many as small tests need.
const PARTITIONS: &str = "4";

/// An installation of its own on the shared broker. Its topics are not made yet.
async fn installation() -> Settings {
    let broker = tokio::task::spawn_blocking(Kafka::shared)
        .await
        .expect("a broker starts");
    Settings::new(broker.bootstrap()).with_prefix(fresh_name("it-"))
}

/// A server that writes to these topics.
fn writing_to(setup: Setup, settings: &Settings) -> Setup {
    setup
        .with("KAFKA_BROKERS", &settings.brokers)
        .with("KAFKA_TOPIC_PREFIX", &settings.topic_prefix)
        .with("LOG_PARTITIONS", PARTITIONS)
}

/// Runs `spool topics …` on these brokers.
async fn spool_topics(settings: &Settings, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spool"));
    command.arg("topics").args(words);
    let places = [
        ("SPOOL_KAFKA_BROKERS", &settings.brokers),
        ("SPOOL_KAFKA_TOPIC_PREFIX", &settings.topic_prefix),
    ];
    command.envs(places.into_iter().filter(|(_, place)| !place.is_empty()));
    command.env("SPOOL_LOG_PARTITIONS", PARTITIONS);
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    ran.expect("it does not panic").expect("the binary is there")
}

async fn make_topics(settings: &Settings) {
    let made = spool_topics(settings, &["ensure", "--public", "--replication", "1"]).await;
    assert!(made.status.success(), "{made:?}");
}

/// What it said and where: standard output, then standard error.
fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
