//! An outage of the mail server: one of the mails finds out, and all of them wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// 1 s, 2 s, 4 s, … up to a minute.
pub fn pause_after(tries: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE)
}

#[derive(Default)]
pub struct Outage(Mutex<State>);

#[derive(Default)]
struct State {
    tries: u32,
    next_try: Option<Instant>,
}

impl Outage {
    /// When the server may be asked; nothing when it is well, as far as anybody knows.
    pub fn until(&self) -> Option<Instant> {
        self.state()
            .next_try
            .filter(|next_try| *next_try > Instant::now())
    }

    /// The server was asked and is away. Several who ask at the same time count as one.
    pub fn begins(&self, reason: &str) {
        let mut state = self.state();
        if state.next_try.is_some_and(|next_try| next_try > Instant::now()) {
            return;
        }
        state.tries = state.tries.saturating_add(1);
        let pause = pause_after(state.tries);
        state.next_try = Some(Instant::now() + pause);
        tracing::warn!(
            reason,
            seconds = pause.as_secs(),
            "mail cannot be sent; it is kept and tried again"
        );
    }

    /// The server took a mail, or said something about it.
    pub fn is_over(&self) {
        let mut state = self.state();
        if state.tries > 0 {
            tracing::info!("mail can be sent again");
        }
        *state = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_up_to_a_minute() {
        let seconds: Vec<_> = (1..9).map(|tries| pause_after(tries).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn all_who_find_the_server_away_at_once_count_as_one() {
        let outage = Outage::default();
        assert_eq!(outage.until(), None);
        outage.begins("away");
        let until = outage.until().expect("it has begun");
        outage.begins("away");
        assert_eq!(outage.until(), Some(until));
        assert_eq!(outage.state().tries, 1);
        outage.is_over();
        assert_eq!(outage.until(), None);
    }
}
