//! Reads one partition: its end from memory, the rest from the segments.

use std::sync::Arc;

use bytes::Bytes;

use super::segment::Segment;
use super::walk::{Step, WalkError};
use super::{Shared, UNPOISONED};
use crate::{ReadError, Record};

impl Shared {
    pub(super) fn read(&self, partition: u16, from: u64, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        let head = self.head(partition);
        if from > head {
            return Err(ReadError::BeyondHead {
                partition,
                from,
                head,
            });
        }
        if from == head {
            return Ok(Vec::new());
        }
        if let Some(records) = self
            .memory
            .lock()
            .expect(UNPOISONED)
            .read(partition, from, max_bytes)
        {
            return Ok(records);
        }
        let mut reading = Reading {
            partition,
            next: from,
            head,
            bytes_left: max_bytes,
            records: Vec::new(),
        };
        for segment in self.segments_from(partition, from) {
            if reading.go_through(&segment)? {
                break;
            }
        }
        Ok(reading.records)
    }

    /// The same, if all of it is in memory.
    pub(super) fn recent(&self, partition: u16, from: u64, max_bytes: usize) -> Option<Vec<Record>> {
        let head = self.head(partition);
        if from >= head {
            return None;
        }
        self.memory
            .lock()
            .expect(UNPOISONED)
            .read(partition, from, max_bytes)
    }

    /// The segments that may hold commits of a partition from an offset on.
    pub(super) fn segments_from(&self, partition: u16, from: u64) -> Vec<Arc<Segment>> {
        let segments = self.segments.read().expect(UNPOISONED);
        let starts_at = |segment: &Arc<Segment>| {
            segment.index.read().expect(UNPOISONED).start_heads[usize::from(partition)]
        };
        let after = segments.partition_point(|segment| starts_at(segment) <= from);
        segments[after.saturating_sub(1)..].to_vec()
    }
}

struct Reading {
    partition: u16,
    next: u64,
    head: u64,
    bytes_left: usize,
    records: Vec<Record>,
}

impl Reading {
    /// Takes what is wanted from one segment; true when there is enough.
    fn go_through(&mut self, segment: &Segment) -> Result<bool, ReadError> {
        let (start, end) = {
            let index = segment.index.read().expect(UNPOISONED);
            (index.batch_before(self.partition, self.next), index.end)
        };
        let Some(start) = start else {
            return Ok(false);
        };
        let failed = |error| failure(segment, error);
        let mut walker = segment
            .walk(start, end)
            .map_err(|error| failed(WalkError::Io(error)))?;
        while let Some(batch) = durable(&mut walker).map_err(failed)? {
            for record in batch.records() {
                let record = record.map_err(|damage| failed(WalkError::Damage(damage)))?;
                if !record.is_commit_of(self.partition) || record.offset < self.next {
                    continue;
                }
                let enough = record.payload.len() > self.bytes_left && !self.records.is_empty();
                if enough || self.next == self.head {
                    return Ok(true);
                }
                if record.offset != self.next {
                    return Err(failed(record.out_of_order(self.next)));
                }
                self.bytes_left = self.bytes_left.saturating_sub(record.payload.len());
                // A copy, so that a few commits do not keep the large pieces they were read in.
                let payload = Bytes::copy_from_slice(&record.payload);
                self.records.push(Record {
                    offset: record.offset,
                    payload,
                });
                self.next += 1;
            }
        }
        Ok(self.next == self.head)
    }
}

/// The next batch up to an end that was durable: until there, everything must be intact.
pub fn durable(walker: &mut super::walk::Walker) -> Result<Option<super::walk::Batch>, WalkError> {
    match walker.step()? {
        Step::Batch(batch) => Ok(Some(batch)),
        Step::End => Ok(None),
        Step::Zeros => Err(WalkError::Damage(super::walk::Damage {
            position: walker.at(),
            problem: "zeros where a batch was".into(),
        })),
    }
}

pub fn failure(segment: &Segment, error: WalkError) -> ReadError {
    match error {
        WalkError::Io(source) => ReadError::Io {
            doing: "reading",
            path: segment.path.clone(),
            source,
        },
        WalkError::Damage(damage) => {
            let (position, problem) = (damage.position, damage.problem);
            ReadError::Corrupt {
                file: segment.path.clone(),
                position,
                problem,
            }
        }
    }
}
