//! Signals: ephemeral messages (progress, presence) from anybody to whoever listens right now, in this process or, over
//! Kafka, on every node of a cluster.
//!
//! Nothing here is remembered beyond the latest state of each key; what must not be lost belongs in the log. On several nodes
//! the order of the topic decides which state of a key is the latest, and what this node has published and not yet read
//! back stands above it, for it comes later there.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};

mod outbox;
#[cfg(test)]
mod tests;
mod topics;
mod wire;

use outbox::Outbox;
use topics::{Numbered, Topics};
use wire::Wire;

/// One state of `key` within `topic`, encoded once for everybody.
#[derive(Debug, PartialEq, Eq)]
pub struct SignalMessage {
    pub topic: String,
    pub key: String,
    pub json: Bytes,
}

/// The handle: publish, subscribe, look up the latest. Clones share the same topics.
#[derive(Clone, Default)]
pub struct Signals {
    shared: Arc<Shared>,
    /// To the other nodes; ends with the last clone.
    wire: Option<Arc<Wire>>,
}

/// What one listener receives of one topic.
pub struct Subscription {
    shared: Arc<Shared>,
    topic: String,
    /// `None` only while being dropped.
    receiver: Option<broadcast::Receiver<Numbered>>,
    /// The latest states still to be handed out after falling behind.
    caught_up: VecDeque<Numbered>,
    seen: u64,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something waits to be sent to the other nodes.
    waits: Notify,
    /// Something of ours has come back.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    topics: Topics,
    /// Stays empty where there are no other nodes.
    outbox: Outbox,
}

impl Signals {
    /// Within this process.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shared with every node on the topic `spool.signals` of these brokers. The latest states are there shortly after:
    /// those of the last ten seconds. To be called inside a runtime. Errors: there is no such topic, or no broker answers
    /// within ten seconds; brokers that go away later are waited for, and meanwhile signals stay in this process.
    pub async fn over_kafka(settings: &spool_kafka::Settings) -> Result<Self, spool_kafka::Error> {
        let shared = Arc::default();
        let wire = Wire::start(&shared, settings).await?;
        Ok(Self {
            shared,
            wire: Some(Arc::new(wire)),
        })
    }

    /// Sends `json` to everybody listening to `topic` and keeps it as the latest state of `key`. Never waits: listeners
    /// here have it at once, other nodes as soon as Kafka takes it. When it is slow, they miss what was replaced meanwhile.
    pub fn publish(&self, topic: &str, key: &str, json: impl Into<Bytes>) {
        let message = Arc::new(SignalMessage {
            topic: topic.to_owned(),
            key: key.to_owned(),
            json: json.into(),
        });
        let mut state = self.shared.lock();
        if self.wire.is_some() && message.json.len() > wire::BYTES_MAX {
            tracing::warn!(topic, key, "a signal is too large for the other nodes");
        } else if self.wire.is_some() {
            state.outbox.put(topic, key, Some(message.json.clone()));
            self.shared.waits.notify_one();
        }
        state.topics.publish(message);
    }

    /// Listens to `topic` from now on. Ask for [`Signals::latest_all`] *after* subscribing to miss nothing.
    pub fn subscribe(&self, topic: &str) -> Subscription {
        let mut state = self.shared.lock();
        let seen = state.topics.published;
        let receiver = Some(state.topics.topic(topic).sender.subscribe());
        let caught_up = VecDeque::new();
        Subscription {
            shared: self.shared.clone(),
            topic: topic.to_owned(),
            receiver,
            caught_up,
            seen,
        }
    }

    pub fn latest(&self, topic: &str, key: &str) -> Option<Arc<SignalMessage>> {
        self.shared.lock().topics.latest(topic, key).cloned()
    }

    /// The latest state of every key of `topic`, oldest first.
    pub fn latest_all(&self, topic: &str) -> Vec<Arc<SignalMessage>> {
        let latest = self.shared.lock().topics.latest_since(topic, 0);
        latest.into_iter().map(|(_, message)| message).collect()
    }

    /// Forgets the latest state of `key`, on every node: its job is over, and asking for it would give something stale.
    pub fn forget(&self, topic: &str, key: &str) {
        let mut state = self.shared.lock();
        if self.wire.is_some() {
            state.outbox.put(topic, key, None);
            self.shared.waits.notify_one();
        }
        state.topics.forget(topic, key);
        state.topics.drop_if_idle(topic);
    }

    /// Whether what this node last said of `key` has come back to it, so that the other nodes can have it too. Always so
    /// where there are none.
    pub fn has_arrived(&self, topic: &str, key: &str) -> bool {
        !self.shared.lock().outbox.holds(topic, key)
    }

    /// Returns when [`Signals::has_arrived`]: never, while the brokers are away.
    pub async fn arrival(&self, topic: &str, key: &str) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.has_arrived(topic, key) {
                return;
            }
            arrived.await;
        }
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
        let state = self.shared.lock();
        self.caught_up = state.topics.latest_since(&self.topic, self.seen).into();
        self.receiver = self.receiver.as_ref().map(broadcast::Receiver::resubscribe);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        self.receiver = None;
        state.topics.drop_if_idle(&self.topic);
    }
}

impl Shared {
    /// A panic elsewhere cannot leave the maps half changed in a way that matters: these are only hints.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record of the topic, whoever wrote it.
struct Heard {
    topic: String,
    key: String,
    /// `None` forgets the key.
    json: Option<Bytes>,
    /// The number it had in this node's outbox, if it comes from there.
    ours: Option<u64>,
}

impl State {
    fn hear(&mut self, heard: Heard) {
        let Heard {
            topic,
            key,
            json,
            ours,
        } = heard;
        if let Some(number) = ours {
            self.outbox.arrived(&topic, &key, number);
        }
        // What we said last comes later in the topic.
        if self.outbox.holds(&topic, &key) {
            return;
        }
        let Some(json) = json else {
            self.topics.forget(&topic, &key);
            return self.topics.drop_if_idle(&topic);
        };
        let known = self.topics.latest(&topic, &key);
        let is_told = ours.is_some() && known.is_some_and(|known| known.json == json);
        if !is_told {
            self.topics.publish(Arc::new(SignalMessage { topic, key, json }));
        }
    }
}
