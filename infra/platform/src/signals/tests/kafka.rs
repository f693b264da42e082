//! On real brokers: nodes that hear each other, and brokers that are away for a while.
use std::time::{Duration, Instant};

use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_services::{Brokers, Kafka, fresh_name};

use super::*;

/// Far more than anything here takes on a machine that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster's topic that nobody has used.
async fn topic(bootstrap: &str) -> Settings {
    let settings = Settings::new(bootstrap).with_prefix(fresh_name("signals") + ".");
    let connection = Connection::open(&settings, PATIENCE)
        .await
        .expect("the broker answers");
    ensure(&connection, &[TopicSpec::signals(1)])
        .await
        .expect("the topic is made");
    settings
}

fn shared() -> String {
    tokio::task::block_in_place(Kafka::shared).bootstrap().to_owned()
}

async fn node(settings: &Settings) -> Signals {
    Signals::over_kafka(settings).await.expect("the topic is there")
}

fn latest(signals: &Signals, key: &str) -> Option<String> {
    let message = signals.latest("jobs", key)?;
    Some(String::from_utf8_lossy(&message.json).into_owned())
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_says_all_hear_and_those_that_start_later_know() {
    let settings = topic(&shared()).await;
    let (one, other) = (node(&settings).await, node(&settings).await);
    let (mut here, mut there) = (one.subscribe("jobs"), other.subscribe("jobs"));
    one.publish("jobs", "a", "1");
    assert_eq!(latest(&one, "a"), Some("1".to_owned()), "at once");
    assert_eq!(text(&here.recv().await), pair("a", "1"));
    assert_eq!(text(&there.recv().await), pair("a", "1"));
    other.publish("rooms", "a", "elsewhere");
    other.publish("jobs", "b", "2");
    assert_eq!(text(&there.recv().await), pair("b", "2"));
    // What it said itself comes back, and is not told twice.
    assert_eq!(text(&here.recv().await), pair("b", "2"));
    one.arrival("jobs", "a").await;

    let later = node(&settings).await;
    until("it knows the latest states", || {
        latest(&later, "a").is_some() && latest(&later, "b").is_some()
    })
    .await;
    other.forget("jobs", "a");
    for signals in [&one, &other, &later] {
        until("it is forgotten", || latest(signals, "a").is_none()).await;
        assert_eq!(latest(signals, "b"), Some("2".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_speak_of_one_key_at_once_end_with_one_state() {
    let settings = topic(&shared()).await;
    let nodes = [
        node(&settings).await,
        node(&settings).await,
        node(&settings).await,
    ];
    for round in 0..200 {
        for (number, signals) in nodes.iter().enumerate() {
            signals.publish("jobs", "a", format!("{round} by {number}"));
        }
        tokio::task::yield_now().await;
    }
    for signals in &nodes {
        signals.arrival("jobs", "a").await;
    }
    // All that was said lies in the topic before this.
    nodes[0].publish("jobs", "end", "1");
    for signals in &nodes {
        until("all was heard", || latest(signals, "end").is_some()).await;
    }
    nodes[0].arrival("jobs", "end").await;
    let states: Vec<_> = nodes.iter().map(|signals| latest(signals, "a")).collect();
    assert!(states[0].is_some());
    assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_broker_is_away_nobody_waits_and_afterwards_the_newest_states_arrive() {
    let mut broker =
        tokio::task::block_in_place(|| Kafka::start(Brokers::One)).expect("a broker of its own starts");
    let settings = topic(broker.bootstrap()).await;
    let (one, other) = (node(&settings).await, node(&settings).await);
    one.publish("jobs", "before", "1");
    until("the other has heard it", || latest(&other, "before").is_some()).await;

    tokio::task::block_in_place(|| broker.kill(1)).expect("it ran");
    let mut here = one.subscribe("jobs");
    for number in 0..100 {
        one.publish("jobs", "a", number.to_string());
        assert_eq!(text(&here.recv().await), pair("a", &number.to_string()));
        one.publish("jobs", "before", number.to_string());
        here.recv().await;
    }
    one.forget("jobs", "before");
    assert!(!one.has_arrived("jobs", "a"));
    assert_eq!(latest(&other, "a"), None);

    tokio::task::block_in_place(|| broker.restart(1)).expect("it starts again");
    until("the other has heard the newest", || {
        latest(&other, "a").as_deref() == Some("99") && latest(&other, "before").is_none()
    })
    .await;
    one.arrival("jobs", "a").await;
    other.publish("jobs", "after", "1");
    until("the first hears again", || latest(&one, "after").is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_missing_is_one_clear_line() {
    let settings = Settings::new(shared()).with_prefix(fresh_name("nothing") + ".");
    let refused = Signals::over_kafka(&settings).await.err().expect("there is none");
    let told = refused.to_string();
    assert!(
        told.contains(".spool.signals") && told.contains("spool topics ensure") && !told.contains('\n'),
        "{told}"
    );
}
