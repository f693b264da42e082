//! Reads what the callers ask for: from memory what is young, by cursors what is not.

use std::sync::Arc;

use super::cursor::Cursor;
use super::{Shared, UNPOISONED};
use crate::term::Fold;
use crate::{Problem, ReadError, Record, ScanRecord, VerifyReport};

impl Shared {
    pub(super) fn read(&self, partition: u16, from: u64, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        let head = self.partition(partition).head();
        if from >= head {
            return self.at_head(partition, from, head);
        }
        if let Some(records) = self.recent(partition, from, max_bytes) {
            return Ok(records);
        }
        let place = || self.partition(partition).place_before(from);
        let mut cursor = self.cursors.at(&self.world, partition, from, place)?;
        let mut records = Vec::new();
        let mut bytes = 0;
        for _ in from..head {
            let (offset, payload) = cursor.peek()?;
            bytes += payload.len();
            if bytes > max_bytes && !records.is_empty() {
                break;
            }
            let (offset, payload) = (*offset, payload.clone());
            records.push(Record { offset, payload });
            cursor.take()?;
        }
        self.cursors.keep(cursor);
        Ok(records)
    }

    /// Without blocking, if all of it is in memory; nothing at the head.
    pub(super) fn recent(&self, partition: u16, from: u64, max_bytes: usize) -> Option<Vec<Record>> {
        if from >= self.partition(partition).head() {
            return None;
        }
        let memory = self.world.memory.lock().expect(UNPOISONED);
        memory.read(partition, from, max_bytes)
    }

    fn at_head(&self, partition: u16, from: u64, head: u64) -> Result<Vec<Record>, ReadError> {
        if from > head {
            return Err(ReadError::BeyondHead {
                partition,
                from,
                head,
            });
        }
        // Who waits for more than can ever come must hear why.
        match self.partition(partition).fault() {
            Some(problem) => Err(ReadError::Servers {
                place: self.world.place(),
                partition,
                problem,
            }),
            None => Ok(Vec::new()),
        }
    }

    /// Reads every partition from its beginning to the head that it has now.
    pub(super) fn verify(self: &Arc<Self>) -> VerifyReport {
        let mut report = VerifyReport::default();
        for partition in 0..self.world.config.partitions {
            report.segments += 1;
            let head = self.partition(partition).head();
            let mut next = 0;
            let read = Cursor::open(&self.world, partition, Fold::default()).and_then(|mut cursor| {
                while next < head {
                    next = cursor.take()?.0 + 1;
                }
                report.batches += cursor.records;
                report.bytes += cursor.bytes;
                Ok(())
            });
            report.commits += next;
            report.heads.push(next);
            let problems = read.err().map(|error| error.to_string());
            for problem in problems.into_iter().chain(self.partition(partition).fault()) {
                report.problems.push(Problem {
                    file: self.world.file(partition),
                    position: next,
                    problem,
                });
            }
        }
        report
    }
}

/// See [`crate::Log::scan`]: one partition after the other.
pub struct Scan {
    shared: Arc<Shared>,
    /// For each partition what comes next and where it ends.
    ranges: Vec<(u64, u64)>,
    partition: u16,
    cursor: Option<Cursor>,
    left: u64,
}

impl Scan {
    pub(super) fn new(shared: &Arc<Shared>, from: &[u64]) -> Result<Self, ReadError> {
        let partitions = shared.partitions.len();
        assert_eq!(
            from.len(),
            partitions,
            "a scan needs one offset for each partition"
        );
        let mut ranges = Vec::with_capacity(partitions);
        for (partition, &from) in (0..).zip(from) {
            let head = shared.partition(partition).head();
            if from > head {
                return Err(ReadError::BeyondHead {
                    partition,
                    from,
                    head,
                });
            }
            ranges.push((from, head));
        }
        Ok(Self {
            shared: Arc::clone(shared),
            left: ranges.iter().map(|(from, head)| head - from).sum(),
            ranges,
            partition: 0,
            cursor: None,
        })
    }

    /// Commits that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    fn advance(&mut self) -> Result<Option<ScanRecord>, ReadError> {
        while let Some((next, end)) = self.ranges.get_mut(usize::from(self.partition)) {
            if next == end {
                self.cursor = None;
                self.partition += 1;
                continue;
            }
            let partition = self.partition;
            let cursor = match &mut self.cursor {
                Some(cursor) => cursor,
                none => {
                    let place = || self.shared.partition(partition).place_before(*next);
                    none.insert(
                        self.shared
                            .cursors
                            .at(&self.shared.world, partition, *next, place)?,
                    )
                }
            };
            let (offset, payload) = cursor.take()?;
            *next = offset + 1;
            self.left -= 1;
            return Ok(Some(ScanRecord {
                partition,
                offset,
                payload,
            }));
        }
        Ok(None)
    }
}

impl Iterator for Scan {
    type Item = Result<ScanRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.advance();
        if result.is_err() {
            self.left = 0;
            self.ranges.clear();
        }
        result.transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, usize::try_from(self.left).ok())
    }
}
