//! Waiting for a condition, with an end.

use std::time::{Duration, Instant};

/// Asks again and again until the answer is yes. False when the time is over.
pub fn until(time: Duration, mut asks: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    loop {
        if asks() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
