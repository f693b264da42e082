//! Progress lines: what is being done, and how long it took.

use std::io::Write;
use std::time::{Duration, Instant};

/// Announces a step; its end is announced with the time it took.
pub struct Step {
    what: String,
    started: Instant,
}

pub fn step(what: impl Into<String>) -> Step {
    let what = what.into();
    line(&format!("==> {what}"));
    Step {
        what,
        started: Instant::now(),
    }
}

impl Step {
    pub fn done(self) {
        let took = self.started.elapsed();
        if took > Duration::from_secs(2) {
            line(&format!("    {} took {}", self.what, human(took)));
        }
    }
}

/// Prints a line at once, so that it stands before the output of whatever is started next.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe (`| head`) is no reason to fail a chore.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

pub fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
