//! Copies a log commit by commit: offsets are the same in every backend, so nothing that refers to them changes.

use super::leading::taken_over;
use anyhow::{Context, anyhow, bail, ensure};
use bytes::Bytes;
use spool_log::{AppendError, Appending, Log, Record};
use std::collections::VecDeque;

const READ_BYTES: usize = 1 << 20;
/// As much goes into one append. A leader gives brokers up that are silent for three seconds, so little is on its way at once.
const APPEND_BYTES: usize = 256 << 10;
const IN_FLIGHT: usize = 4;

const GIVE_UP: &str = "one of them must be given up; the cluster's can be by deleting its topics and making them again, or with another \
                       kafka.topic_prefix";

/// What two logs have in common.
#[derive(Debug, PartialEq, Eq)]
pub struct Compared {
    /// The heads of the target, all of whose commits were looked at.
    pub heads: Vec<u64>,
    /// Commits of the source.
    pub commits: u64,
    /// Of these, how many the target does not have yet.
    pub missing: u64,
    /// Commits of the target that follow those of the source.
    pub own: u64,
}

/// Refuses a target that holds anything but the beginning of the source, or all of it and then something of its own. Reads all
/// that the target has of the source, and tells how many commits after each piece. Blocking.
pub fn compare(from: &Log, to: &Log, told: &mut dyn FnMut(u64)) -> anyhow::Result<Compared> {
    ensure!(
        from.partitions() == to.partitions(),
        "this log has {} partitions and the cluster's has {}",
        from.partitions(),
        to.partitions()
    );
    let mut compared = Compared {
        heads: vec![],
        commits: 0,
        missing: 0,
        own: 0,
    };
    for partition in 0..from.partitions() {
        let (ours, theirs) = (from.head(partition), to.head(partition));
        compared.heads.push(theirs);
        compared.commits += ours;
        compared.missing += ours.saturating_sub(theirs);
        compared.own += theirs.saturating_sub(ours);
        compare_partition(from, to, partition, told)?;
    }
    ensure!(
        compared.own == 0 || compared.missing == 0,
        "this log has {} commits that the cluster does not have, and the cluster has {} that this one does not have: both have gone \
         on since a promotion, and {GIVE_UP}",
        compared.missing,
        compared.own
    );
    Ok(compared)
}

fn compare_partition(from: &Log, to: &Log, partition: u16, told: &mut dyn FnMut(u64)) -> anyhow::Result<()> {
    let end = from.head(partition).min(to.head(partition));
    let mut next = 0;
    while next < end {
        let ours = from.read(partition, next, READ_BYTES)?;
        let theirs = to.read(partition, next, READ_BYTES)?;
        let both = ours.iter().zip(&theirs);
        if let Some((ours, _)) = both
            .take_while(|(ours, _)| ours.offset < end)
            .find(|(ours, theirs)| ours != theirs)
        {
            bail!(
                "the cluster's log is not the beginning of this one, they differ at partition {partition}, offset {}: it is another \
                 installation's, or both have gone on since a promotion, and {GIVE_UP}",
                ours.offset
            );
        }
        let read = (ours.len().min(theirs.len()) as u64).min(end - next);
        next += read;
        told(read);
    }
    Ok(())
}

/// Appends what is missing, and tells how many commits and bytes have arrived after each piece. The target must be led, and
/// no longer than when it was compared. Blocking.
pub fn copy(from: &Log, to: &Log, told: &mut dyn FnMut(u64, u64)) -> anyhow::Result<()> {
    for partition in 0..from.partitions() {
        copy_partition(from, to, partition, told)
            .with_context(|| format!("copying partition {partition} of the log"))?;
    }
    Ok(())
}

fn copy_partition(
    from: &Log,
    to: &Log,
    partition: u16,
    told: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<()> {
    let end = from.head(partition);
    let tenure = to.tenure(partition);
    let mut next = to.head(partition);
    let mut flying: VecDeque<(u64, u64, Appending)> = VecDeque::new();
    loop {
        if next < end && flying.len() < IN_FLIGHT {
            let commits = payloads(from.read(partition, next, APPEND_BYTES)?);
            let (count, bytes) = (
                commits.len() as u64,
                commits.iter().map(Bytes::len).sum::<usize>(),
            );
            ensure!(count > 0, "the log ends before its head");
            let appending = to.append_in(tenure, partition, next, commits);
            flying.push_back((count, bytes as u64, appending));
            next += count;
            continue;
        }
        let Some((count, bytes, appending)) = flying.pop_front() else {
            return Ok(());
        };
        appending.wait().map_err(|error| refused(to, partition, error))?;
        told(count, bytes);
    }
}

fn payloads(records: Vec<Record>) -> Vec<Bytes> {
    records.into_iter().map(|record| record.payload).collect()
}

fn refused(to: &Log, partition: u16, error: AppendError) -> anyhow::Error {
    match error {
        AppendError::NotOwner | AppendError::Conflict { .. } => taken_over(to, partition),
        AppendError::Unknown => {
            anyhow!(
                "the brokers did not answer in time; when they do, the same command goes on where this one was"
            )
        }
        error => error.into(),
    }
}
