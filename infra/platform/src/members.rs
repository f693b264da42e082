//! Who is there: every node says so four times a second, and one that is silent for a second is gone.
//!
//! All of it are hints, for the choice of who should do what; nothing is safe because of it. Time is counted in beats of our own that
//! came back: while the signals stand still, or this node alone is cut off, it hears nobody and judges nobody.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::signals::{SignalMessage, Signals, Subscription};

mod choice;
mod roster;
mod turns;

pub use choice::first_choice;
pub use roster::{Present, Seen};

use roster::Roster;

/// How often a node says that it is there.
pub const BEAT: Duration = Duration::from_millis(250);
/// A node that let this many of our beats pass is gone.
pub const BEATS_SILENT: u64 = 4;
/// For how many beats a node must have been there before others hand over to it what they do: three seconds, so that one
/// that comes and goes moves nothing.
pub const BEATS_SETTLED: u64 = 12;

const TOPIC: &str = "members";
/// How long a goodbye may take to reach the others.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name, of which there is one in a cluster.
    pub node: String,
    /// Where it takes requests from other nodes.
    pub url: String,
    /// `gateway`, `commands`, `projections`, `workers`.
    pub roles: Vec<String>,
    /// When this process began, in milliseconds since 1970 by its own clock: tells it from one before.
    pub started_at: u64,
    /// Partitions of the log that it leads no longer though the log has no later claim than its own.
    #[serde(default)]
    pub released: Vec<Released>,
    /// Tasks that one node does at a time, and this one does now.
    #[serde(default)]
    pub does: BTreeSet<String>,
    /// It ends now.
    #[serde(default)]
    pub leaving: bool,
}

/// A partition that waits for another leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub partition: u16,
    pub term: u64,
}

/// The handle. The node is there until [`Members::leave`]; when the last clone is dropped without, it falls silent.
#[derive(Clone)]
pub struct Members {
    node: Arc<str>,
    saying: Arc<watch::Sender<Saying>>,
    present: watch::Receiver<Arc<Present>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Saying {
    released: Vec<Released>,
    does: BTreeSet<String>,
    leaving: bool,
}

struct Beating {
    signals: Signals,
    subscription: Subscription,
    roster: Roster,
    me: Member,
    saying: watch::Receiver<Saying>,
    present: watch::Sender<Arc<Present>>,
}

impl Member {
    pub fn new(node: impl Into<String>, url: impl Into<String>, roles: Vec<String>) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            node: node.into(),
            url: url.into(),
            roles,
            started_at: u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
            released: vec![],
            does: BTreeSet::new(),
            leaving: false,
        }
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|has| has == role)
    }

    pub fn does(&self, task: &str) -> bool {
        self.does.contains(task)
    }
}

impl Members {
    /// Joins the others. To be called inside a runtime, when the node is ready for what its roles ask of it.
    pub fn join(signals: Signals, me: Member) -> Self {
        let subscription = signals.subscribe(TOPIC);
        let mut roster = Roster::new(me.clone());
        for message in signals.latest_all(TOPIC) {
            hear(&mut roster, &message);
        }
        let (saying, said) = watch::channel(Saying::default());
        let (present, following) = watch::channel(Arc::new(roster.present(false)));
        let node = me.node.as_str().into();
        let beating = Beating {
            signals,
            subscription,
            roster,
            me,
            saying: said,
            present,
        };
        tokio::spawn(beating.run());
        Self {
            node,
            saying: Arc::new(saying),
            present: following,
        }
    }

    /// The name of this node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Who is there, told again with every beat and at once when somebody comes or goes. Ends when this node has left.
    pub fn present(&self) -> watch::Receiver<Arc<Present>> {
        self.present.clone()
    }

    /// Tells the others, at once if it is news, what this node leads no longer.
    pub fn release(&self, released: Vec<Released>) {
        self.saying.send_if_modified(|saying| {
            let is_news = saying.released != released;
            saying.released = released;
            is_news
        });
    }

    /// Says goodbye, so that the others need not wait for silence. Returns when they can know, or after a second.
    pub async fn leave(&self) {
        self.saying.send_modify(|saying| saying.leaving = true);
        let mut present = self.present.clone();
        while present.changed().await.is_ok() {}
    }
}

impl Beating {
    async fn run(mut self) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hears_itself = false;
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    // First: whoever was to be heard until then is in the queue, and heard next.
                    hears_itself = self.roster.has_said() && self.signals.has_arrived(TOPIC, &self.me.node);
                    while let Some(message) = at_once(&mut self.subscription).await {
                        hear(&mut self.roster, &message);
                    }
                    if hears_itself {
                        self.roster.beat();
                    }
                    // Another beat would only take the place of the one that has not arrived.
                    if hears_itself || !self.roster.has_said() {
                        self.say();
                    }
                }
                message = self.subscription.recv() => {
                    if !hear(&mut self.roster, &message) {
                        continue;
                    }
                }
                said = self.saying.changed() => {
                    if said.is_err() {
                        return;
                    }
                    self.say();
                    if self.me.leaving {
                        let arrival = self.signals.arrival(TOPIC, &self.me.node);
                        // The others will notice the silence.
                        let _ = tokio::time::timeout(GOODBYE, arrival).await;
                        return;
                    }
                }
            }
            self.present
                .send_replace(Arc::new(self.roster.present(hears_itself)));
        }
    }

    fn say(&mut self) {
        let saying = self.saying.borrow_and_update().clone();
        self.me.released = saying.released;
        self.me.does = saying.does;
        self.me.leaving = saying.leaving;
        let json = serde_json::to_vec(&self.me).expect("names and numbers are JSON");
        self.signals.publish(TOPIC, &self.me.node, json);
        self.roster.said(self.me.clone());
    }
}

/// Whether it was news.
fn hear(roster: &mut Roster, message: &SignalMessage) -> bool {
    match serde_json::from_slice(&message.json) {
        Ok(member) => roster.hear(member),
        Err(error) => {
            // Of another version, perhaps.
            tracing::debug!(node = message.key, %error, "a beat that cannot be read");
            false
        }
    }
}

/// What is in the queue already.
async fn at_once(subscription: &mut Subscription) -> Option<Arc<SignalMessage>> {
    tokio::select! {
        biased;
        message = subscription.recv() => Some(message),
        () = std::future::ready(()) => None,
    }
}

#[cfg(test)]
mod tests;
