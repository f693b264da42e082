//! Which partitions of the log this node leads, where several nodes share one: all of them.
//!
//! Here is the place for placement among several nodes. Until there is one, a node that takes commands claims everything
//! at its start, and what another node then takes over is left to that one: two that both claimed again would
//! take turns for ever.

use anyhow::{Context, bail};
use futures_util::future::select_all;
use spool_log::{Log, Role};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Reading a partition to its end and writing the claim takes some milliseconds, with brokers that are well.
const LEAD_WITHIN: Duration = Duration::from_secs(30);

/// Claims every partition, and returns when this node leads all of them.
pub async fn claim_all(log: &Log) -> anyhow::Result<()> {
    (0..log.partitions()).for_each(|partition| log.claim(partition));
    let deadline = Instant::now() + LEAD_WITHIN;
    for partition in 0..log.partitions() {
        let mut standing = log.standing(partition);
        let settled = standing.wait_for(|standing| standing.role != Role::Claiming);
        let Ok(settled) = tokio::time::timeout_at(deadline, settled).await else {
            bail!(
                "the brokers did not let this node lead partition {partition} of the log within {} s; look whether every \
                 partition has a leader and enough replicas in sync (`spool topics check`)",
                LEAD_WITHIN.as_secs()
            );
        };
        let settled = settled.context("the log was closed")?;
        if let (Role::Following, Some(owner)) = (settled.role, &settled.owner) {
            bail!(
                "partition {partition} of the log was taken over by node {} ({}) while this one claimed it; start one node of \
                 a log at a time",
                owner.node,
                owner.url
            );
        }
    }
    Ok(())
}

/// Says which partitions are lost to others, until `stop`.
pub async fn watch(log: Log, stop: CancellationToken) {
    let mut standings: Vec<_> = (0..log.partitions())
        .map(|partition| log.standing(partition))
        .collect();
    let mut led = vec![true; standings.len()];
    loop {
        for (partition, (standing, led)) in standings.iter_mut().zip(&mut led).enumerate() {
            let now = standing.borrow_and_update().clone();
            let leads = now.role != Role::Following;
            if *led && !leads {
                let (node, url) = now.owner.map(|owner| (owner.node, owner.url)).unwrap_or_default();
                tracing::warn!(partition, node, url, "another node has taken this partition over");
            }
            *led = leads;
        }
        let moved = select_all(standings.iter_mut().map(|standing| Box::pin(standing.changed())));
        tokio::select! {
            () = stop.cancelled() => return,
            (moved, _, _) = moved => if moved.is_err() { return },
        }
    }
}

/// Gives every partition back. What was accepted before still goes through, see [`Log::close`].
pub fn release_all(log: &Log) {
    (0..log.partitions()).for_each(|partition| log.release(partition));
}
