//! Signals: ephemeral messages (progress, presence) from anybody to whoever listens right now, in this process.
//!
//! Nothing here is remembered beyond the latest state of each key; what must not be lost belongs in the log.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::broadcast::{self, error::RecvError};

/// How many messages a subscription may fall behind before it is given the latest state instead.
const QUEUE: usize = 256;
/// How many latest states are kept over all topics; the ones not renewed for longest go first.
const KEPT: usize = 65_536;

/// One state of `key` within `topic`, encoded once for everybody.
#[derive(Debug, PartialEq, Eq)]
pub struct SignalMessage {
    pub topic: String,
    pub key: String,
    pub json: Bytes,
}

/// The handle: publish, subscribe, look up the latest. Clones share the same topics.
#[derive(Clone, Default)]
pub struct Signals(Arc<Mutex<Topics>>);

/// What one listener receives of one topic.
pub struct Subscription {
    topics: Arc<Mutex<Topics>>,
    topic: String,
    /// `None` only while being dropped.
    receiver: Option<broadcast::Receiver<Numbered>>,
    /// The latest states still to be handed out after falling behind.
    caught_up: VecDeque<Numbered>,
    seen: u64,
}

type Numbered = (u64, Arc<SignalMessage>);

#[derive(Default)]
struct Topics {
    published: u64,
    by_name: HashMap<String, Topic>,
    /// All kept states by age, to know which one to drop.
    ages: BTreeMap<u64, Arc<SignalMessage>>,
}

struct Topic {
    sender: broadcast::Sender<Numbered>,
    latest: HashMap<String, Numbered>,
}

impl Signals {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends `json` to everybody listening to `topic` and keeps it as the latest state of `key`. Never waits.
    pub fn publish(&self, topic: &str, key: &str, json: impl Into<Bytes>) {
        let message = SignalMessage {
            topic: topic.to_owned(),
            key: key.to_owned(),
            json: json.into(),
        };
        lock(&self.0).publish(Arc::new(message));
    }

    /// Listens to `topic` from now on. Ask for [`Signals::latest_all`] *after* subscribing to miss nothing.
    pub fn subscribe(&self, topic: &str) -> Subscription {
        let mut topics = lock(&self.0);
        let seen = topics.published;
        let receiver = Some(topics.topic(topic).sender.subscribe());
        let caught_up = VecDeque::new();
        Subscription {
            topics: self.0.clone(),
            topic: topic.to_owned(),
            receiver,
            caught_up,
            seen,
        }
    }

    pub fn latest(&self, topic: &str, key: &str) -> Option<Arc<SignalMessage>> {
        let topics = lock(&self.0);
        topics
            .by_name
            .get(topic)?
            .latest
            .get(key)
            .map(|(_, message)| message.clone())
    }

    /// The latest state of every key of `topic`, oldest first.
    pub fn latest_all(&self, topic: &str) -> Vec<Arc<SignalMessage>> {
        lock(&self.0)
            .latest_since(topic, 0)
            .into_iter()
            .map(|(_, message)| message)
            .collect()
    }

    /// Forgets the latest state of `key`: its job is over, and asking for it would give something stale.
    pub fn forget(&self, topic: &str, key: &str) {
        let mut topics = lock(&self.0);
        topics.forget(topic, key);
        topics.drop_if_idle(topic);
    }
}

impl Subscription {
    /// The next message. A listener that fell behind is given the latest state of each key that changed meanwhile
    /// instead of the backlog. Cancel safe.
    pub async fn recv(&mut self) -> Arc<SignalMessage> {
        loop {
            if let Some((number, message)) = self.caught_up.pop_front() {
                self.seen = self.seen.max(number);
                return message;
            }
            let receiver = self
                .receiver
                .as_mut()
                .expect("the receiver is taken only when dropping");
            match receiver.recv().await {
                Ok((number, message)) => {
                    self.seen = number;
                    return message;
                }
                Err(RecvError::Lagged(_)) => self.catch_up(),
                // The topic is never removed while somebody listens to it.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Replaces the backlog by the latest states. Under the lock nothing is published, so nothing falls between the
    /// states taken and the new place in the queue.
    fn catch_up(&mut self) {
        let topics = lock(&self.topics);
        self.caught_up = topics.latest_since(&self.topic, self.seen).into();
        self.receiver = self.receiver.as_ref().map(broadcast::Receiver::resubscribe);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut topics = lock(&self.topics);
        self.receiver = None;
        topics.drop_if_idle(&self.topic);
    }
}

impl Topics {
    fn topic(&mut self, name: &str) -> &mut Topic {
        self.by_name.entry(name.to_owned()).or_insert_with(|| Topic {
            sender: broadcast::Sender::new(QUEUE),
            latest: HashMap::new(),
        })
    }

    fn publish(&mut self, message: Arc<SignalMessage>) {
        self.published += 1;
        let number = self.published;
        let topic = self.topic(&message.topic);
        let before = topic
            .latest
            .insert(message.key.clone(), (number, message.clone()));
        // Nobody listening is as good as somebody listening.
        let _ = topic.sender.send((number, message.clone()));
        self.ages.insert(number, message);
        if let Some((age, _)) = before {
            self.ages.remove(&age);
        }
        if self.ages.len() > KEPT {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.ages.pop_first() {
            self.forget(&oldest.topic, &oldest.key);
            self.drop_if_idle(&oldest.topic);
        }
    }

    fn forget(&mut self, topic: &str, key: &str) {
        let forgotten = self
            .by_name
            .get_mut(topic)
            .and_then(|topic| topic.latest.remove(key));
        if let Some((age, _)) = forgotten {
            self.ages.remove(&age);
        }
    }

    fn drop_if_idle(&mut self, topic: &str) {
        let idle = |topic: &Topic| topic.latest.is_empty() && topic.sender.receiver_count() == 0;
        if self.by_name.get(topic).is_some_and(idle) {
            self.by_name.remove(topic);
        }
    }

    fn latest_since(&self, topic: &str, seen: u64) -> Vec<Numbered> {
        let Some(topic) = self.by_name.get(topic) else {
            return Vec::new();
        };
        let mut latest: Vec<Numbered> = topic
            .latest
            .values()
            .filter(|(number, _)| *number > seen)
            .cloned()
            .collect();
        latest.sort_unstable_by_key(|(number, _)| *number);
        latest
    }
}

/// A panic elsewhere cannot leave the maps half changed in a way that matters: these are only hints.
fn lock(topics: &Mutex<Topics>) -> MutexGuard<'_, Topics> {
    topics.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
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
        assert_eq!(lock(&signals.0).by_name.len(), KEPT);
        assert_eq!(lock(&signals.0).ages.len(), KEPT);
        let listener = signals.subscribe("quiet");
        assert!(lock(&signals.0).by_name.contains_key("quiet"));
        drop(listener);
        assert!(!lock(&signals.0).by_name.contains_key("quiet"));
    }
}
