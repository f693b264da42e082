//! Which node leads which partition: a hint, carried out by claims and releases of this node. What is safe is decided by
//! the terms in the log alone.

use spool_log::{Log, Standing};
use spool_platform::members::{Members, Present};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

mod decision;

pub use decision::ROLE;

use decision::{Step, released, steps};

/// Claims what this node should lead, and lets go of what another should.
pub struct Placement {
    log: Log,
    members: Members,
}

impl Placement {
    /// To be made when the executors are open: whoever has said that it is there may be given partitions.
    pub fn new(log: Log, members: Members) -> Self {
        Self { log, members }
    }

    /// Until `stop`, which should come when no more commands are given here; then it lets go of everything and says goodbye,
    /// so that others claim it at once. A node that has not the role of leading only follows the others.
    pub async fn run(self, stop: CancellationToken) {
        let mut present = self.members.present();
        loop {
            let now = Arc::clone(&present.borrow_and_update());
            self.place(&now);
            tokio::select! {
                () = stop.cancelled() => break,
                changed = present.changed() => if changed.is_err() {
                    break;
                },
            }
        }
        for partition in 0..self.log.partitions() {
            self.log.release(partition);
        }
        self.members
            .release(released(self.members.node(), &self.standings()));
        self.members.leave().await;
    }

    fn place(&self, present: &Present) {
        let node = self.members.node();
        for step in steps(node, present, &self.standings()) {
            match step {
                Step::Claim(partition) => {
                    tracing::info!(partition, "this node should lead it, and claims it");
                    self.log.claim(partition);
                }
                Step::Release(partition) => {
                    tracing::info!(partition, "another node should lead it, and it is let go");
                    self.log.release(partition);
                }
            }
        }
        self.members.release(released(node, &self.standings()));
    }

    fn standings(&self) -> Vec<Standing> {
        let partitions = 0..self.log.partitions();
        partitions
            .map(|partition| self.log.standing(partition).borrow().clone())
            .collect()
    }
}

#[cfg(test)]
mod tests;
