//! Runs commands against a decider as an executor would, and holds what every decider promises.

use serde::Serialize;
use serde::de::DeserializeOwned;
use spool_domain::decider::{Decider, refold};
use spool_domain::time::{Millis, Timestamp};
use std::fmt::Debug;

/// One stream and its clock.
pub struct History<D: Decider> {
    pub state: D,
    pub events: Vec<D::Event>,
    pub now: Timestamp,
}

impl<D> History<D>
where
    D: Decider + Debug + PartialEq + Serialize + DeserializeOwned,
    D::Event: Clone + Debug,
    D::Refusal: Debug,
{
    pub fn new() -> Self {
        Self {
            state: D::default(),
            events: vec![],
            now: Timestamp::from_millis(1_800_000_000_000),
        }
    }

    pub fn wait(&mut self, span: Millis) {
        self.now = self.now + span;
    }

    /// Gives the command; its facts happen at once.
    pub fn give(&mut self, command: &D::Command) -> Result<Vec<D::Event>, D::Refusal> {
        let events = self.state.decide(command, self.now)?;
        self.state = events.iter().fold(self.state.clone(), D::evolve);
        self.events.extend_from_slice(&events);
        Ok(events)
    }

    /// Holds that asking again would have no second effect.
    pub fn asking_again_is_quiet(&self, command: &D::Command) {
        let again = self.state.decide(command, self.now).unwrap_or_default();
        assert!(again.is_empty(), "asked again, it says {again:?}");
    }

    /// Holds that the events alone give the same state, and that a snapshot of it is read back as it was.
    pub fn is_what_its_events_say(&self) {
        assert_eq!(refold::<D>(&self.events), self.state);
        let snapshot = serde_json::to_string(&self.state).expect("a state has string keys only");
        let read: D = serde_json::from_str(&snapshot).expect("what was written is read");
        assert_eq!(read, self.state);
    }
}

/// Whatever has happened, in whatever order: the state takes it, answers any command and is read back.
pub fn nothing_breaks<D>(events: &[D::Event], commands: &[D::Command], now: Timestamp)
where
    D: Decider + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let mut state = D::default();
    for event in events {
        state = state.evolve(event);
        let _ = state.due();
    }
    for command in commands {
        if let Ok(news) = state.decide(command, now) {
            state = news.iter().fold(state, D::evolve);
        }
    }
    let snapshot = serde_json::to_string(&state).expect("a state has string keys only");
    assert_eq!(
        serde_json::from_str::<D>(&snapshot).expect("what was written is read"),
        state
    );
}
