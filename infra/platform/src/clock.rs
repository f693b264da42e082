//! The time: of the machine, or set by hand in tests.
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// A handle to the time in milliseconds since the Unix epoch. Clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<watch::Sender<i64>>),
}

impl Clock {
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] or [`Clock::set`].
    pub fn manual(start_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start_ms))))
    }

    /// Milliseconds since the epoch. The system's time may step backwards; whoever needs order keeps its own maximum.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_ms(),
            Source::Manual(now) => *now.borrow(),
        }
    }

    /// Returns once the clock shows `at_ms` or later; at once if it does already. Cancel safe.
    pub async fn sleep_until(&self, at_ms: i64) {
        match &self.0 {
            Source::System => sleep_until_system(at_ms).await,
            Source::Manual(now) => {
                let mut seen = now.subscribe();
                // The sender lives in `self`, so waiting cannot end with a closed channel.
                let _ = seen.wait_for(|now| *now >= at_ms).await;
            }
        }
    }

    /// Moves a manual clock on by `by_ms`.
    ///
    /// # Panics
    /// On the system clock.
    pub fn advance(&self, by_ms: i64) {
        self.manual_now().send_modify(|now| *now += by_ms);
    }

    /// Sets a manual clock, backwards too.
    ///
    /// # Panics
    /// On the system clock.
    pub fn set(&self, now_ms: i64) {
        self.manual_now().send_replace(now_ms);
    }

    fn manual_now(&self) -> &watch::Sender<i64> {
        match &self.0 {
            Source::Manual(now) => now,
            Source::System => panic!("the system's clock cannot be set from here"),
        }
    }
}

fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

async fn sleep_until_system(at_ms: i64) {
    // Sleeping runs on monotonic time; looking at the wall clock every minute notices when that was set anew.
    const LOOK_AGAIN_MS: u64 = 60_000;
    loop {
        let left_ms = at_ms.saturating_sub(system_ms());
        if left_ms <= 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(left_ms.unsigned_abs().min(LOOK_AGAIN_MS))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_its_sleepers_when_moved() {
        let clock = Clock::manual(1_000);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(2_000).await;
                clock.now_ms()
            }
        });
        clock.advance(999);
        assert!(!sleeper.is_finished());
        clock.advance(1);
        assert_eq!(sleeper.await.expect("the sleeper does not panic"), 2_000);
        clock.set(5);
        assert_eq!(clock.now_ms(), 5);
    }

    #[tokio::test]
    async fn the_system_clock_sleeps_until_the_time_has_come() {
        let clock = Clock::system();
        let at_ms = clock.now_ms() + 20;
        clock.sleep_until(at_ms).await;
        assert!(clock.now_ms() >= at_ms);
        clock.sleep_until(0).await;
    }
}
