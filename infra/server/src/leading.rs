//! Whether every partition of a log that several nodes share has a node that leads it.

use spool_log::{Log, Role};
use spool_platform::members::Members;
use std::time::Duration;
use tokio::time::Instant;

/// Who died is missed after a second; reading a partition to its end and writing the claim takes some milliseconds, with brokers
/// that are well.
const LEAD_WITHIN: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);

/// Returns when somebody leads every partition, as far as this node can tell, or when it has taken so long that whoever runs it
/// should look.
pub async fn wait_until_led(log: &Log, members: &Members) {
    let deadline = Instant::now() + LEAD_WITHIN;
    while let Some(partition) = (0..log.partitions()).find(|partition| !is_led(log, members, *partition)) {
        if Instant::now() > deadline {
            tracing::warn!(
                partition,
                "nobody leads this partition of the log, so what belongs there is answered with 503; look whether a node with the \
                 role `commands` runs, and whether every partition has a leader and enough replicas in sync (`spool topics check`)"
            );
            return;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// By this node, or by another one that is there. An owner of our own name from before this start leads nothing.
fn is_led(log: &Log, members: &Members, partition: u16) -> bool {
    let standing = log.standing(partition).borrow().clone();
    match (standing.role, standing.owner) {
        (Role::Leading, _) => true,
        (Role::Following, Some(owner)) => {
            let present = members.present().borrow().clone();
            owner.node != members.node() && present.member(&owner.node).is_some()
        }
        (Role::Following | Role::Claiming, _) => false,
    }
}
