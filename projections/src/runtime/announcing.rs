//! Who is told what the writing side has done: readers in this process, and those of other nodes over the signals.

use super::opening::stored_name;
use super::registry::Registered;
use super::seat::Seat;
use serde::{Deserialize, Serialize};
use spool_log::Log;
use spool_platform::signals::Signals;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The signals' topic. The key is the view's name with its schema, so that programs with other rows do not listen.
pub(super) const TOPIC: &str = "views";
/// Whoever starts later, or has missed something, hears it after this long. Below the ten seconds that a signal is kept for.
pub(super) const SAY_AGAIN: Duration = Duration::from_secs(1);
/// More keys than this are said as: everything.
const KEYS_MAX: usize = 256;

/// What a node says of a view that it writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// Who writes, and in which of its turns.
    pub node: String,
    pub turn: Uuid,
    /// How many changes were said in this turn, this one included.
    pub number: u64,
    /// The version that answers; none while the first one is made.
    pub version: Option<u32>,
    /// Everything below these offsets is in its rows.
    pub next: Vec<u64>,
    pub parked: u64,
    /// What changed with the last number; nothing: everything.
    pub keys: Option<Vec<String>>,
}

/// Tells the other nodes.
pub(super) struct Announcer {
    signals: Signals,
    node: String,
    turn: Uuid,
    /// For each view what was said last.
    said: Vec<Option<Said>>,
}

/// Everybody who is told.
pub(super) struct Audience {
    log: Log,
    views: Arc<Vec<Registered>>,
    others: Option<Announcer>,
}

impl Announcer {
    /// For one turn of writing.
    pub fn new(signals: Signals, node: String) -> Self {
        Self {
            signals,
            node,
            turn: Uuid::now_v7(),
            said: vec![],
        }
    }

    fn say(&mut self, view: usize, registered: &Registered, keys: Option<Vec<String>>) {
        if self.said.len() <= view {
            self.said.resize(view + 1, None);
        }
        let current = registered.serving.current();
        let before = self.said[view].as_ref();
        let is_change = keys.as_ref().is_none_or(|keys| !keys.is_empty());
        let said = Said {
            node: self.node.clone(),
            turn: self.turn,
            number: before.map_or(0, |before| before.number) + u64::from(is_change),
            version: current.as_ref().map(|version| version.number),
            next: current
                .as_ref()
                .map(|version| version.watermark())
                .unwrap_or_default(),
            parked: current.as_ref().map_or(0, |version| version.parked()),
            // Said again with each watermark until something else changes: the newest state takes the place of what waits.
            keys: match keys {
                Some(keys) if keys.is_empty() => before.map_or(Some(vec![]), |before| before.keys.clone()),
                keys => keys.filter(|keys| keys.len() <= KEYS_MAX),
            },
        };
        if before != Some(&said) {
            self.publish(registered, &said);
        }
        self.said[view] = Some(said);
    }

    fn publish(&self, registered: &Registered, said: &Said) {
        let json = serde_json::to_vec(said).expect("names and numbers are JSON");
        self.signals
            .publish(TOPIC, &stored_name(registered.view.as_ref()), json);
    }
}

impl Audience {
    pub fn new(log: Log, views: Arc<Vec<Registered>>, others: Option<Announcer>) -> Self {
        Self { log, views, others }
    }

    /// Whether other nodes are told.
    pub fn is_wide(&self) -> bool {
        self.others.is_some()
    }

    /// Tells those who follow the view what a flush changed, if this version is the one that answers, then those who wait for the
    /// rows, then other nodes.
    pub fn flushed(&mut self, seat: &Seat, keys: Vec<String>) {
        let serving = serving(&self.views, seat);
        if let Some((_, registered)) = serving
            && !keys.is_empty()
        {
            registered.serving.changed(keys.clone());
        }
        seat.feeder.reached();
        let Some((view, registered)) = serving else {
            return;
        };
        let head = (0..self.log.partitions())
            .map(|partition| self.log.head(partition))
            .sum();
        registered.measure(&seat.feeder, head);
        if let Some(others) = &mut self.others {
            others.say(view, registered, Some(keys));
        }
    }

    /// Another version answers from here on.
    pub fn switched(&mut self, view: usize) {
        if let Some(others) = &mut self.others {
            others.say(view, &self.views[view], None);
        }
    }

    /// Says again how things are, for those who have just come.
    pub fn say_again(&mut self) {
        let Some(others) = &mut self.others else { return };
        for (view, registered) in self.views.iter().enumerate() {
            match others.said.get(view) {
                Some(Some(said)) => others.publish(registered, said),
                _ => others.say(view, registered, Some(vec![])),
            }
        }
    }
}

/// The view that this version answers for, if it does.
fn serving<'a>(views: &'a [Registered], seat: &Seat) -> Option<(usize, &'a Registered)> {
    let view = seat.view?;
    let registered = &views[view];
    let serving = registered.serving.current()?;
    (serving.number == seat.feeder.version.number).then_some((view, registered))
}
