//! One version's place among those that are fed together, and what happens when it cannot keep up.

use super::feeder::{FeedError, Feeder};
use spool_tables::{Tables, TablesError};
use std::time::{Duration, Instant};

pub(super) struct Seat {
    /// Which view of the registry; none for the switches.
    pub view: Option<usize>,
    pub feeder: Feeder,
    pub state: State,
}

pub(super) enum State {
    /// As far as the cursor of the follower.
    InStep,
    /// Back at its checkpoint, to be fed again on its own.
    Behind,
    /// Its rows could not be written or read; tried again after a while.
    Stalled { since: Instant },
}

impl Seat {
    pub const fn new(view: Option<usize>, feeder: Feeder) -> Self {
        Self {
            view,
            feeder,
            state: State::InStep,
        }
    }

    pub fn is(&self, view: usize, number: u32) -> bool {
        self.view == Some(view) && self.feeder.version.number == number
    }

    pub const fn is_in_step(&self) -> bool {
        matches!(self.state, State::InStep)
    }

    pub fn may_try_again(&self, pause: Duration) -> bool {
        match self.state {
            State::InStep => false,
            State::Behind => true,
            State::Stalled { since } => since.elapsed() >= pause,
        }
    }

    /// The keys whose rows changed, if there is anything new to see.
    pub fn flush(&mut self) -> Option<Vec<String>> {
        if !self.is_in_step() {
            return None;
        }
        match self.feeder.flush() {
            Ok(keys) => Some(keys),
            Err(error) => {
                self.stall(&error);
                None
            }
        }
    }

    pub fn fell_back(&mut self, error: FeedError) {
        self.state = State::Behind;
        match error {
            FeedError::Again { trouble: None } | FeedError::Poison { .. } => {}
            FeedError::Again {
                trouble: Some(trouble),
            } => self.stall(&trouble),
            FeedError::Gap { at, expected } => {
                tracing::error!(
                    view = self.feeder.view.name(),
                    partition = at.partition,
                    offset = at.offset,
                    expected,
                    "offsets were left out; reading the log again from the checkpoint"
                );
                self.feeder.back_to_checkpoint();
            }
        }
    }

    pub fn stall(&mut self, error: &TablesError) {
        tracing::warn!(view = self.feeder.view.name(), %error, "rows cannot be written now; trying again");
        metrics::counter!("spool_projection_stalled_total", "view" => self.feeder.view.name()).increment(1);
        self.state = State::Stalled {
            since: Instant::now(),
        };
    }

    pub fn drop_version(&self, tables: &Tables) {
        let version = &self.feeder.version;
        if let Err(error) = tables.drop_version(version.tables.name(), version.number) {
            tracing::warn!(view = version.tables.name(), version = version.number, %error, "dropping a version");
        }
    }
}
