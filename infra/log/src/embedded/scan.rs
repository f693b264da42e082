//! Reads all partitions in the order they were written, in large sequential pieces.

use std::sync::Arc;

use super::Shared;
use super::UNPOISONED;
use super::format::Kind;
use super::read::{durable, failure};
use super::segment::Segment;
use super::walk::{Records, WalkError, WalkedRecord, Walker};
use crate::{ReadError, ScanRecord};

/// See [`crate::Log::scan`]. Ends after the first error.
pub struct Scan {
    /// Those still to be read, last first.
    segments: Vec<Arc<Segment>>,
    current: Option<Current>,
    /// For each partition, what comes next and where it ends.
    next: Vec<u64>,
    heads: Vec<u64>,
    /// Commits still to come.
    left: u64,
}

struct Current {
    segment: Arc<Segment>,
    walker: Walker,
    records: Option<Records>,
}

impl Scan {
    pub(super) fn new(shared: &Shared, from: &[u64]) -> Result<Self, ReadError> {
        let heads = shared.heads();
        assert_eq!(
            from.len(),
            heads.len(),
            "a scan needs one offset for each partition"
        );
        let mut left = 0;
        let mut first: Option<Start> = None;
        for (partition, (&from, &head)) in (0..).zip(from.iter().zip(&heads)) {
            if from > head {
                return Err(ReadError::BeyondHead {
                    partition,
                    from,
                    head,
                });
            }
            if from == head {
                continue;
            }
            left += head - from;
            let start = Start::find(shared, partition, from);
            first = Some(first.map_or_else(|| start.clone(), |first| first.min(start.clone())));
        }
        let mut scan = Self {
            segments: Vec::new(),
            current: None,
            next: from.to_vec(),
            heads,
            left,
        };
        if let Some(start) = first {
            scan.segments = start.segments.into_iter().rev().collect();
            scan.open_next(Some(start.byte))?;
        }
        Ok(scan)
    }

    /// Commits that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Goes on to the next segment; false if there is none.
    fn open_next(&mut self, at: Option<u64>) -> Result<bool, ReadError> {
        let Some(segment) = self.segments.pop() else {
            return Ok(false);
        };
        let end = segment.index.read().expect(UNPOISONED).end;
        let at = at.unwrap_or(super::format::SEGMENT_HEADER_BYTES);
        let walker = segment
            .walk(at, end)
            .map_err(|error| failure(&segment, WalkError::Io(error)))?;
        self.current = Some(Current {
            segment,
            walker,
            records: None,
        });
        Ok(true)
    }

    fn advance(&mut self) -> Result<Option<ScanRecord>, ReadError> {
        while self.left > 0 {
            let current = self
                .current
                .as_mut()
                .expect("a scan has a segment open until nothing is left");
            let Some(record) = current.next().map_err(|error| failure(&current.segment, error))? else {
                let path = current.segment.path.clone();
                let position = current.walker.at();
                if !self.open_next(None)? {
                    let problem = format!("the log ends here, but {} commits are still to come", self.left);
                    return Err(ReadError::Corrupt {
                        file: path,
                        position,
                        problem,
                    });
                }
                continue;
            };
            let partition = usize::from(record.partition);
            if record.kind != Kind::Commit || record.offset < self.next[partition] {
                continue;
            }
            // What became durable after the scan began is left for the next one.
            if self.next[partition] == self.heads[partition] {
                continue;
            }
            if record.offset != self.next[partition] {
                let error = record.out_of_order(self.next[partition]);
                return Err(failure(&current.segment, error));
            }
            self.next[partition] += 1;
            self.left -= 1;
            let WalkedRecord {
                partition,
                offset,
                payload,
                ..
            } = record;
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
        }
        result.transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, usize::try_from(self.left).ok())
    }
}

impl Current {
    fn next(&mut self) -> Result<Option<WalkedRecord>, WalkError> {
        loop {
            if let Some(records) = &mut self.records {
                match records.next() {
                    Some(record) => return record.map(Some).map_err(WalkError::Damage),
                    None => self.records = None,
                }
            }
            match durable(&mut self.walker)? {
                Some(batch) => self.records = Some(batch.records()),
                None => return Ok(None),
            }
        }
    }
}

/// Where the commits of one partition begin.
#[derive(Clone)]
struct Start {
    segments: Vec<Arc<Segment>>,
    byte: u64,
}

impl Start {
    fn find(shared: &Shared, partition: u16, from: u64) -> Self {
        let segments = shared.segments_from(partition, from);
        let byte = segments[0]
            .index
            .read()
            .expect(UNPOISONED)
            .batch_before(partition, from);
        // A segment may start behind the last commit of the one before and have none of this partition itself.
        Self {
            segments,
            byte: byte.unwrap_or(super::format::SEGMENT_HEADER_BYTES),
        }
    }

    fn min(self, other: Self) -> Self {
        let place = |start: &Self| (start.segments[0].header.sequence, start.byte);
        if place(&other) < place(&self) { other } else { self }
    }
}
