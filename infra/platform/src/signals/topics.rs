//! What is known here: who listens to what, and the latest state of each key.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::broadcast;

use super::SignalMessage;

/// How many messages a subscription may fall behind before it is given the latest state instead.
pub(super) const QUEUE: usize = 256;
/// How many latest states are kept over all topics; the ones not renewed for longest go first.
pub(super) const KEPT: usize = 65_536;

pub(super) type Numbered = (u64, Arc<SignalMessage>);

/// The topics of this process.
#[derive(Default)]
pub(super) struct Topics {
    pub published: u64,
    pub by_name: HashMap<String, Topic>,
    /// All kept states by age, to know which one to drop.
    pub ages: BTreeMap<u64, Arc<SignalMessage>>,
}

pub(super) struct Topic {
    pub sender: broadcast::Sender<Numbered>,
    pub latest: HashMap<String, Numbered>,
}

impl Topics {
    pub fn topic(&mut self, name: &str) -> &mut Topic {
        self.by_name.entry(name.to_owned()).or_insert_with(|| Topic {
            sender: broadcast::Sender::new(QUEUE),
            latest: HashMap::new(),
        })
    }

    pub fn publish(&mut self, message: Arc<SignalMessage>) {
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

    pub fn forget(&mut self, topic: &str, key: &str) {
        let forgotten = self
            .by_name
            .get_mut(topic)
            .and_then(|topic| topic.latest.remove(key));
        if let Some((age, _)) = forgotten {
            self.ages.remove(&age);
        }
    }

    pub fn drop_if_idle(&mut self, topic: &str) {
        let idle = |topic: &Topic| topic.latest.is_empty() && topic.sender.receiver_count() == 0;
        if self.by_name.get(topic).is_some_and(idle) {
            self.by_name.remove(topic);
        }
    }

    pub fn latest(&self, topic: &str, key: &str) -> Option<&Arc<SignalMessage>> {
        let (_, message) = self.by_name.get(topic)?.latest.get(key)?;
        Some(message)
    }

    pub fn latest_since(&self, topic: &str, seen: u64) -> Vec<Numbered> {
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
