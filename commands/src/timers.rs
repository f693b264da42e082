//! Timers: wakes each stream when its state says so. Deadlines are derived from state, so none is lost in a
//! crash, overdue ones fire at the start, and firing twice is one effect.

use crate::answer::{Ask, CommandError};
use crate::handle::{Commands, Shared};
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// After a refusal of the log a timer is tried again this much later.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells the timer task that the earliest deadline may have changed.
#[derive(Default)]
pub struct Alarm(Notify);

impl Alarm {
    pub fn rearm(&self) {
        self.0.notify_one();
    }
}

impl Commands {
    /// Fires timers until `stop`.
    pub async fn run_timers(&self, stop: CancellationToken) {
        loop {
            let earliest = self.shared.earliest_timer();
            let due = async {
                match earliest {
                    Some((at, _)) => self.shared.clock.sleep_until(at.as_millis()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.alarm.0.notified() => {}
                () = due => {
                    if let Some((_, stream)) = earliest {
                        self.fire(stream).await;
                    }
                }
            }
        }
    }

    async fn fire(&self, stream: StreamId) {
        let fired = async {
            let command = {
                let now = self.shared.now();
                self.shared
                    .lock(self.shared.partition_of(stream))?
                    .due_command(stream, now)?
            };
            match command {
                Some(command) => self
                    .give(stream, command, Ask::fresh(Actor::System))
                    .await
                    .map(drop),
                None => Ok(()),
            }
        };
        if let Err(error) = fired.await {
            match error {
                CommandError::Refused(refusal) => {
                    tracing::warn!(%stream, %refusal, "a timer's command was refused");
                }
                CommandError::Stale { .. }
                | CommandError::OtherRequest
                | CommandError::Full
                | CommandError::Unavailable(_) => {
                    tracing::warn!(%stream, %error, "a timer could not fire yet")
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Shared {
    fn earliest_timer(&self) -> Option<(Timestamp, StreamId)> {
        let earliest = |number| self.lock(number).ok()?.earliest();
        (0..self.log.partitions()).filter_map(earliest).min()
    }
}
