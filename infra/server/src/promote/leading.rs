//! Leads the whole log of a cluster that nobody uses yet, and notices when somebody does.

use anyhow::{Context, anyhow, bail};
use futures_util::future::select_all;
use spool_log::{Log, Role};
use std::time::Duration;
use tokio::time::Instant;

/// Reading a partition to its end and writing the claim takes some milliseconds, with brokers that are well.
const LEAD_WITHIN: Duration = Duration::from_secs(30);

/// Claims every partition, and returns when all are led.
pub async fn lead(to: &Log) -> anyhow::Result<()> {
    (0..to.partitions()).for_each(|partition| to.claim(partition));
    let deadline = Instant::now() + LEAD_WITHIN;
    for partition in 0..to.partitions() {
        let mut standing = to.standing(partition);
        let settled = standing.wait_for(|standing| standing.role != Role::Claiming);
        let Ok(settled) = tokio::time::timeout_at(deadline, settled).await else {
            bail!(
                "the brokers did not let partition {partition} of the cluster's log be written within {} s; look whether every \
                 partition has a leader and enough replicas in sync (`spool topics check`)",
                LEAD_WITHIN.as_secs()
            );
        };
        if settled.context("the log was closed")?.role == Role::Following {
            return Err(taken_over(to, partition));
        }
    }
    Ok(())
}

/// Ends when a partition is led no longer, and says by whom it is. What then is in the cluster's log is still the
/// beginning of the one that is copied, or the next comparison says where it is not.
pub async fn overtaken(to: &Log) -> anyhow::Error {
    let lost = (0..to.partitions()).map(|partition| {
        let mut standing = to.standing(partition);
        Box::pin(async move {
            let lost = standing
                .wait_for(|standing| standing.role == Role::Following)
                .await;
            lost.map(|_| partition)
        })
    });
    match select_all(lost).await.0 {
        Ok(partition) => taken_over(to, partition),
        Err(_) => anyhow!("the log was closed"),
    }
}

pub fn taken_over(to: &Log, partition: u16) -> anyhow::Error {
    let (node, url) = to
        .owner(partition)
        .map_or_else(Default::default, |owner| (owner.node, owner.url));
    anyhow!(
        "node {node} ({url}) has taken partition {partition} of the cluster's log: nobody may use the cluster before it has \
         everything; stop its nodes, then run the same command again"
    )
}
