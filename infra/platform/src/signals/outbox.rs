//! What this node has said and not yet read back: one state a key, the newest. It waits here for Kafka, and is bounded.
use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

/// How many keys may wait. When there are more, the other nodes miss those that have waited longest.
const KEYS_MAX: usize = 8_192;

#[derive(Default)]
pub(super) struct Outbox {
    put: u64,
    /// By topic and key.
    held: HashMap<(String, String), Held>,
    /// The keys whose state is to be sent, oldest first. Some may have been dealt with already.
    queue: VecDeque<(String, String)>,
}

struct Held {
    number: u64,
    json: Option<Bytes>,
    /// Otherwise it is on its way.
    waits: bool,
}

/// A state to be sent.
pub(super) struct Outgoing {
    pub topic: String,
    pub key: String,
    pub json: Option<Bytes>,
    pub number: u64,
}

impl Outbox {
    /// Replaces what waits of this key.
    pub fn put(&mut self, topic: &str, key: &str, json: Option<Bytes>) {
        self.put += 1;
        let number = self.put;
        let place = (topic.to_owned(), key.to_owned());
        let held = Held {
            number,
            json,
            waits: true,
        };
        let before = self.held.insert(place.clone(), held);
        if before.is_none_or(|before| !before.waits) {
            self.queue.push_back(place);
        }
        while self.held.len() > KEYS_MAX {
            let Some(oldest) = self.queue.pop_front() else {
                break;
            };
            if self.held.get(&oldest).is_some_and(|held| held.waits) {
                self.held.remove(&oldest);
                metrics::counter!("spool_signals_dropped_total").increment(1);
            }
        }
    }

    /// The next states to be sent, at most `limit`.
    pub fn take(&mut self, limit: usize) -> Vec<Outgoing> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(place) = self.queue.pop_front()
        {
            let Some(held) = self.held.get_mut(&place).filter(|held| held.waits) else {
                continue;
            };
            held.waits = false;
            let (topic, key) = place;
            taken.push(Outgoing {
                topic,
                key,
                json: held.json.clone(),
                number: held.number,
            });
        }
        taken
    }

    /// It could not be sent; unless there is something newer by now, it waits again.
    pub fn put_back(&mut self, outgoing: Outgoing) {
        let place = (outgoing.topic, outgoing.key);
        if let Some(held) = self.held.get_mut(&place)
            && held.number == outgoing.number
            && !held.waits
        {
            held.waits = true;
            self.queue.push_front(place);
        }
    }

    /// It was read back.
    pub fn arrived(&mut self, topic: &str, key: &str, number: u64) {
        let place = (topic.to_owned(), key.to_owned());
        if self.held.get(&place).is_some_and(|held| held.number == number) {
            self.held.remove(&place);
        }
    }

    /// Some records were not read, and what is on its way may have been among them.
    pub fn missed(&mut self) {
        self.held.retain(|_, held| held.waits);
    }

    pub fn holds(&self, topic: &str, key: &str) -> bool {
        self.held.contains_key(&(topic.to_owned(), key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(outbox: &mut Outbox, key: &str, json: &'static str) {
        outbox.put("jobs", key, Some(Bytes::from(json)));
    }

    fn check_taken(outbox: &mut Outbox, expected: &[(&str, &str)]) -> Vec<Outgoing> {
        let taken = outbox.take(100);
        let found: Vec<_> = taken
            .iter()
            .map(|outgoing| {
                let json = outgoing.json.as_deref().unwrap_or(b"forgotten");
                (outgoing.key.as_str(), std::str::from_utf8(json).expect("text"))
            })
            .collect();
        assert_eq!(found, expected);
        taken
    }

    #[test]
    fn the_newest_state_of_each_key_waits_in_the_place_of_the_first() {
        let mut outbox = Outbox::default();
        put(&mut outbox, "a", "1");
        put(&mut outbox, "b", "1");
        put(&mut outbox, "a", "2");
        outbox.put("jobs", "c", None);
        check_taken(&mut outbox, &[("a", "2"), ("b", "1"), ("c", "forgotten")]);
        check_taken(&mut outbox, &[]);
    }

    #[test]
    fn what_could_not_be_sent_waits_again_unless_there_is_something_newer() {
        let mut outbox = Outbox::default();
        put(&mut outbox, "a", "1");
        put(&mut outbox, "b", "1");
        let taken = check_taken(&mut outbox, &[("a", "1"), ("b", "1")]);
        put(&mut outbox, "b", "2");
        for outgoing in taken {
            outbox.put_back(outgoing);
        }
        check_taken(&mut outbox, &[("a", "1"), ("b", "2")]);
    }

    #[test]
    fn a_key_is_held_until_its_newest_state_has_come_back() {
        let mut outbox = Outbox::default();
        put(&mut outbox, "a", "1");
        let first = outbox.take(1).remove(0).number;
        put(&mut outbox, "a", "2");
        outbox.arrived("jobs", "a", first);
        assert!(outbox.holds("jobs", "a"));
        let second = outbox.take(1).remove(0).number;
        outbox.arrived("jobs", "a", second);
        assert!(!outbox.holds("jobs", "a"));
        put(&mut outbox, "a", "3");
        outbox.missed();
        assert!(outbox.holds("jobs", "a"), "it was not sent yet");
        outbox.take(1);
        outbox.missed();
        assert!(!outbox.holds("jobs", "a"));
    }

    #[test]
    fn what_waits_is_bounded_and_the_oldest_go_first() {
        let mut outbox = Outbox::default();
        for number in 0..KEYS_MAX + 3 {
            outbox.put("jobs", &number.to_string(), None);
        }
        assert_eq!((outbox.held.len(), outbox.queue.len()), (KEYS_MAX, KEYS_MAX));
        assert!(!outbox.holds("jobs", "2") && outbox.holds("jobs", "3"));
    }
}
