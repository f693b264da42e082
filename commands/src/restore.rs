//! The start: snapshots and the log's tail become the state of every partition. Snapshots that do not fit
//! are dropped, and the log is read from its beginning.

use crate::features::AnyState;
use crate::partition::{Partition, Tip};
use crate::snapshots::{SnapshotError, Snapshots};
use crate::streams::Entry;
use spool_domain::ids::StreamId;
use spool_log::{Log, ReadError, Record};
use spool_schemas::{CommitRef, DecodeError};
use spool_tables::Tables;

/// While the log is read snapshots are written every so many commits of a partition: that bounds the
/// memory, and a start that is cut short has not been in vain.
const SNAPSHOT_EVERY: u64 = 20_000;
const READ_BYTES: usize = 4 << 20;

/// Why a partition's state could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("partition {partition} offset {offset}: {source}")]
    Decode {
        partition: u16,
        offset: u64,
        source: DecodeError,
    },
    /// A record that cannot be part of this partition's history.
    #[error("partition {partition} offset {offset}: {stream} goes from version {have} to {found}")]
    Gap {
        partition: u16,
        offset: u64,
        stream: StreamId,
        have: u64,
        found: u64,
    },
    #[error("the snapshot of partition {partition} at {next} is of another log")]
    OtherLog { partition: u16, next: u64 },
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Every partition as of the log's durable heads.
pub fn restore(log: &Log, tables: &Tables) -> Result<(Vec<Partition>, Snapshots), RecoveryError> {
    let mut snapshots = Snapshots::open(tables)?;
    let restored = match replay(log, &snapshots) {
        Err(error) if snapshots.hold_anything() => {
            tracing::warn!(%error, "the snapshots cannot be used; reading the log from its beginning");
            snapshots = Snapshots::start_over(tables)?;
            replay(log, &snapshots)
        }
        restored => restored,
    };
    let mut partitions = restored?;
    for partition in &mut partitions {
        partition.streams.fall_back_to(log.clone());
    }
    Ok((partitions, snapshots))
}

fn replay(log: &Log, snapshots: &Snapshots) -> Result<Vec<Partition>, RecoveryError> {
    let restore = |number| {
        let partition = from_snapshot(log, number, snapshots)?;
        check_tip(log, &partition)?;
        Ok(partition)
    };
    let mut partitions = (0..log.partitions())
        .map(restore)
        .collect::<Result<Vec<_>, RecoveryError>>()?;
    let from: Vec<u64> = partitions.iter().map(|partition| partition.next).collect();
    for record in log.scan(&from)? {
        let record = record?;
        let partition = &mut partitions[usize::from(record.partition)];
        partition.apply(record.offset, &record.payload)?;
        if partition.next.is_multiple_of(SNAPSHOT_EVERY) {
            write(snapshots, partition);
        }
    }
    Ok(partitions)
}

/// A partition as of its snapshot, in a node that runs.
pub fn restored(log: &Log, number: u16, snapshots: &Snapshots) -> Result<Partition, RecoveryError> {
    let mut partition = from_snapshot(log, number, snapshots)?;
    partition.streams.fall_back_to(log.clone());
    Ok(partition)
}

fn from_snapshot(log: &Log, number: u16, snapshots: &Snapshots) -> Result<Partition, RecoveryError> {
    let mut partition = Partition::new(number, log.commit_bytes_max(), snapshots.clone());
    snapshots.restore(&mut partition)?;
    Ok(partition)
}

/// A snapshot must have been made of this log: the last commit it counts has to be here.
fn check_tip(log: &Log, partition: &Partition) -> Result<(), RecoveryError> {
    let (number, next) = (partition.number, partition.next);
    if next == 0 {
        return Ok(());
    }
    let last = log.read(number, next - 1, 1);
    let tip = |record: &Record| CommitRef::decode(&record.payload).map(|commit| Tip::of(&commit));
    match last {
        Ok(records)
            if records
                .first()
                .is_some_and(|last| tip(last).ok() == Some(partition.tip)) =>
        {
            Ok(())
        }
        Ok(_) | Err(ReadError::BeyondHead { .. }) => Err(RecoveryError::OtherLog {
            partition: number,
            next,
        }),
        Err(error) => Err(error.into()),
    }
}

fn write(snapshots: &Snapshots, partition: &mut Partition) {
    let Some(snapshot) = snapshots.take(partition) else {
        return;
    };
    match snapshots.write(&snapshot) {
        Ok(()) => partition.streams.snapshot_was_written(snapshot.next),
        Err(error) => {
            tracing::warn!(partition = partition.number, %error, "a snapshot could not be written at the start");
        }
    }
}

/// A stream as of the offset `until` of its partition, read from the beginning.
pub fn refold(log: &Log, stream: StreamId, until: u64) -> Result<Entry, RecoveryError> {
    let partition = stream.partition(log.partitions());
    let (mut state, mut version, mut next) = (AnyState::before_the_first_event(stream.feature), 0, 0);
    while next < until {
        let records = log.read(partition, next, READ_BYTES)?;
        let Some(last) = records.last() else { break };
        next = last.offset + 1;
        for record in records.iter().take_while(|record| record.offset < until) {
            let offset = record.offset;
            let wrong = |source| RecoveryError::Decode {
                partition,
                offset,
                source,
            };
            let commit = CommitRef::decode(&record.payload).map_err(wrong)?;
            if commit.stream == stream {
                let events = commit.decode_events().map_err(wrong)?;
                state = events.iter().fold(state, AnyState::evolve);
                version = commit.last_version();
            }
        }
    }
    Ok(Entry::new(state, version, None))
}
