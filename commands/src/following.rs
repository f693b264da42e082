//! A log that several nodes write to: the state of every partition follows it, whoever leads, so that a takeover has
//! little to read; and what an append that failed has spoilt is read again.

use crate::answer::CommandError;
use crate::executor::Shared;
use crate::handle::Commands;
use crate::partition::Partition;
use crate::restore::{RecoveryError, restored};
use crate::standing::changes;
use spool_log::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const READ_BYTES: usize = 4 << 20;
/// A log that cannot be read is asked again this much later.
const PAUSE: Duration = Duration::from_millis(250);

impl Commands {
    /// Keeps the state of all partitions close to the end of the log until `stop`. Needed only where the log
    /// [needs barriers](spool_log::Log::needs_barrier) and this node has executors; elsewhere it returns at once.
    pub async fn run_following(&self, stop: CancellationToken) {
        let Some(shared) = self.here.as_ref().filter(|shared| shared.is_shared()) else {
            return;
        };
        let mut followers = JoinSet::new();
        for partition in 0..self.log().partitions() {
            let (shared, stop) = (Arc::clone(shared), stop.clone());
            followers.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = shared.follow(partition) => {}
                }
            });
        }
        followers.join_all().await;
    }
}

impl Shared {
    /// Whether other nodes may write to the log as well.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Until the log is closed.
    async fn follow(self: &Arc<Self>, partition: u16) {
        let (mut head, mut standing) = (self.log.watch(partition), self.log.standing(partition));
        loop {
            tokio::select! {
                moved = head.changed() => {
                    if moved.is_err() {
                        return;
                    }
                }
                // Timers that are overdue may be ours to fire now.
                () = changes(&mut standing) => self.alarm.rearm(),
            }
            if let Err(error) = self.read_on(partition).await {
                tracing::warn!(partition, %error, "following the log");
                tokio::time::sleep(PAUSE).await;
                head.mark_changed();
            }
        }
    }

    /// Returns when the state is as far as the log, if this node leads the partition; both as far as is known here, for
    /// only the append tells.
    pub async fn be_ready(self: &Arc<Self>, partition: u16) -> Result<(), CommandError> {
        if !self.is_shared() {
            return Ok(());
        }
        // While the log still tries to lead, or to go on leading, an append waits there.
        if self.log.standing(partition).borrow().role == Role::Following {
            let owner = self.log.owner(partition);
            return Err(CommandError::Elsewhere(owner.map(|owner| owner.url)));
        }
        self.read_on(partition).await
    }

    /// Brings the state of a partition to the end of the log, if it is not there.
    async fn read_on(self: &Arc<Self>, partition: u16) -> Result<(), CommandError> {
        if self.is_current(&mut self.lock(partition)) {
            return Ok(());
        }
        let shared = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || shared.catch_up(partition)).await;
        match read {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(CommandError::Unavailable(error.to_string())),
            Err(error) => Err(CommandError::Unavailable(error.to_string())),
        }
    }

    /// What is on its way counts already, so the state may be ahead of the log.
    fn is_current(&self, inner: &mut Partition) -> bool {
        self.is_good(inner) && (!inner.is_settled() || inner.next >= self.log.head(inner.number))
    }

    /// Whether the state is one that can be decided on.
    pub fn is_good(&self, inner: &mut Partition) -> bool {
        !self.is_shared() || inner.is_good_in(self.log.tenure(inner.number))
    }

    /// Blocking.
    fn catch_up(&self, partition: u16) -> Result<(), RecoveryError> {
        loop {
            let (from, reading) = {
                let mut inner = self.lock(partition);
                if self.is_current(&mut inner) {
                    return Ok(());
                }
                if inner.is_spoilt() {
                    drop(inner);
                    self.read_again(partition)?;
                    continue;
                }
                (inner.next, inner.reading())
            };
            let records = self.log.read(partition, from, READ_BYTES)?;
            let mut inner = self.lock(partition);
            let is_as_it_was = inner.next == from && inner.reading() == reading && inner.is_settled();
            if !is_as_it_was || !self.is_good(&mut inner) {
                continue;
            }
            let earliest = inner.earliest();
            for record in records {
                if let Err(error) = inner.apply(record.offset, &record.payload) {
                    // What was counted cannot be what happened.
                    inner.spoil(reading);
                    return Err(error);
                }
            }
            if inner.earliest() != earliest {
                self.alarm.rearm();
            }
        }
    }

    /// From the snapshot on; what is after it, the caller reads. The lock is not held meanwhile: nothing is decided on
    /// a spoilt state.
    fn read_again(&self, partition: u16) -> Result<(), RecoveryError> {
        let state = restored(&self.log, partition, &self.snapshots)?;
        let mut inner = self.lock(partition);
        if inner.is_spoilt() {
            inner.replace(state);
            self.alarm.rearm();
        }
        Ok(())
    }
}
