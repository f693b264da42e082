//! Timers: wakes each stream when its state says so. Deadlines are derived from state, so none is lost in a
//! crash, overdue ones fire at the start, and firing twice is one effect.

use crate::answer::{Ask, CommandError};
use crate::executor::Shared;
use crate::handle::Commands;
use spool_domain::actors::Actor;
use spool_domain::ids::StreamId;
use spool_domain::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A timer that came to nothing is tried again this much later. Others do not wait for it.
const PAUSE: Duration = Duration::from_millis(500);
/// So many fire at once: they are made durable together.
const TOGETHER_MAX: usize = 256;

/// Tells the timer task that the earliest deadline may have changed.
#[derive(Default)]
pub struct Alarm(Notify);

impl Alarm {
    pub fn rearm(&self) {
        self.0.notify_one();
    }
}

type Timer = (Timestamp, StreamId);
/// Timers that are not to be tried before their time.
type Paused = HashMap<Timer, Instant>;

impl Commands {
    /// Fires the timers of the partitions that this node leads, until `stop`; returns at once where it has no executors.
    /// Two nodes that both think so fire twice, which is one effect.
    pub async fn run_timers(&self, stop: CancellationToken) {
        if let Some(shared) = &self.here {
            tokio::select! {
                () = stop.cancelled() => {}
                () = shared.fire_timers() => {}
            }
        }
    }
}

impl Shared {
    async fn fire_timers(self: &Arc<Self>) {
        let mut paused = Paused::new();
        loop {
            paused.retain(|_, until| *until > Instant::now());
            let due = self.due_timers(&paused);
            if due.is_empty() {
                self.wait_for_timers(&paused).await;
            } else {
                // Until it has had its effect.
                paused.extend(due.iter().map(|timer| (*timer, Instant::now() + PAUSE)));
                self.fire_all(due, &mut paused).await;
            }
        }
    }

    /// Until a timer may be due.
    async fn wait_for_timers(&self, paused: &Paused) {
        let earliest = self.earliest_timer(paused);
        let due = async {
            match earliest {
                Some((at, _)) => self.clock.sleep_until(at.as_millis()).await,
                None => std::future::pending().await,
            }
        };
        let again = async {
            match paused.values().min() {
                Some(until) => tokio::time::sleep_until(*until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.alarm.0.notified() => {}
            () = due => {}
            () = again => {}
        }
    }

    async fn fire_all(self: &Arc<Self>, due: Vec<Timer>, paused: &mut Paused) {
        let mut firing = JoinSet::new();
        for timer in due {
            let shared = Arc::clone(self);
            firing.spawn(async move { (timer, shared.fire(timer).await) });
        }
        while let Some(fired) = firing.join_next().await {
            match fired {
                Ok((timer, true)) => drop(paused.remove(&timer)),
                Ok((_, false)) => {}
                Err(error) => tracing::error!(%error, "a timer's command broke"),
            }
        }
    }

    /// Whether the timer is done with. Its command is never passed on: whoever leads the partition has the timer too.
    async fn fire(self: &Arc<Self>, (at, stream): Timer) -> bool {
        let partition = self.partition_of(stream);
        let command = self.lock(partition).timed_command(at, stream);
        let given = match command {
            Ok(None) => return true,
            Ok(Some(command)) => {
                self.give_counted(stream, &command, &Ask::fresh(Actor::System))
                    .await
            }
            Err(error) => Err(error),
        };
        match given {
            Ok(outcome) => outcome.position.is_some(),
            Err(CommandError::Refused(refusal)) => {
                tracing::warn!(%stream, %refusal, "a timer's command was refused");
                false
            }
            Err(CommandError::Elsewhere(_)) => {
                tracing::debug!(%stream, "a timer is another node's to fire by now");
                false
            }
            Err(
                error @ (CommandError::Stale { .. }
                | CommandError::OtherRequest
                | CommandError::Full
                | CommandError::Unavailable(_)),
            ) => {
                tracing::warn!(%stream, %error, "a timer could not fire yet");
                false
            }
        }
    }

    fn due_timers(&self, paused: &Paused) -> Vec<Timer> {
        let now = self.now();
        let mut due = Vec::new();
        for number in self.led() {
            let inner = self.lock(number);
            let over = inner.timers.iter().take_while(|(at, _)| *at <= now);
            let left = TOGETHER_MAX - due.len();
            due.extend(over.filter(|timer| !paused.contains_key(*timer)).take(left));
        }
        due
    }

    fn earliest_timer(&self, paused: &Paused) -> Option<Timer> {
        let earliest = |number| {
            let inner = self.lock(number);
            let mut timers = inner.timers.iter();
            timers.find(|timer| !paused.contains_key(*timer)).copied()
        };
        self.led().filter_map(earliest).min()
    }

    /// The partitions whose timers are ours to fire.
    fn led(&self) -> impl Iterator<Item = u16> {
        (0..self.log.partitions()).filter(|number| !self.is_shared || self.log.leads(*number))
    }
}
