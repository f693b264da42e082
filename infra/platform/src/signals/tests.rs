//! Listeners, latest states and what is bounded, in one process; over Kafka, see `kafka`.
mod kafka;

use super::topics::{KEPT, QUEUE};
use super::*;

fn text(message: &Arc<SignalMessage>) -> (String, String) {
    (
        message.key.clone(),
        String::from_utf8_lossy(&message.json).into_owned(),
    )
}

fn pair(key: &str, json: &str) -> (String, String) {
    (key.to_owned(), json.to_owned())
}

#[tokio::test]
async fn listeners_receive_their_topic_in_order_and_only_that() {
    let signals = Signals::new();
    let mut jobs = signals.subscribe("jobs");
    signals.publish("jobs", "a", "1");
    signals.publish("rooms", "a", "other");
    signals.publish("jobs", "a", "2");
    assert_eq!(text(&jobs.recv().await), pair("a", "1"));
    assert_eq!(text(&jobs.recv().await), pair("a", "2"));
}

#[tokio::test]
async fn the_latest_state_is_kept_without_listeners_until_forgotten() {
    let signals = Signals::new();
    signals.publish("jobs", "a", "1");
    signals.publish("jobs", "b", "1");
    signals.publish("jobs", "a", "2");
    assert_eq!(
        text(&signals.latest("jobs", "a").expect("it was published")),
        pair("a", "2")
    );
    let all: Vec<_> = signals.latest_all("jobs").iter().map(text).collect();
    assert_eq!(all, [pair("b", "1"), pair("a", "2")]);
    signals.forget("jobs", "a");
    assert_eq!(signals.latest("jobs", "a"), None);
}

#[tokio::test]
async fn a_listener_that_falls_behind_gets_the_latest_states_then_what_follows() {
    let signals = Signals::new();
    let mut slow = signals.subscribe("jobs");
    signals.publish("jobs", "seen", "1");
    slow.recv().await;
    for step in 0..10 * QUEUE {
        signals.publish("jobs", "a", step.to_string());
        signals.publish("jobs", "b", step.to_string());
    }
    let last = (10 * QUEUE - 1).to_string();
    assert_eq!(text(&slow.recv().await), pair("a", &last));
    signals.publish("jobs", "c", "after");
    assert_eq!(text(&slow.recv().await), pair("b", &last));
    assert_eq!(text(&slow.recv().await), pair("c", "after"));
}

#[test]
fn what_is_kept_is_bounded_and_idle_topics_disappear() {
    let signals = Signals::new();
    for key in 0..KEPT + 10 {
        signals.publish(&format!("job-{key}"), "progress", "1");
    }
    assert_eq!(signals.shared.lock().topics.by_name.len(), KEPT);
    assert_eq!(signals.shared.lock().topics.ages.len(), KEPT);
    let listener = signals.subscribe("quiet");
    assert!(signals.shared.lock().topics.by_name.contains_key("quiet"));
    drop(listener);
    assert!(!signals.shared.lock().topics.by_name.contains_key("quiet"));
}
