//! Reads all partitions in the order they were written, in large sequential pieces: record by record, or whole pieces that
//! several threads look through for records of theirs.

use std::sync::Arc;

use super::Shared;
use super::UNPOISONED;
use super::format::Kind;
use super::read::{durable, failure};
use super::segment::Segment;
use super::walk::{Batch, Records, WalkError, WalkedRecord, Walker};
use crate::{ReadError, ScanRecord};

/// See [`crate::Log::scan`]. Ends after the first error.
pub struct Scan {
    batches: Batches,
    /// What is left of the last batch.
    records: Option<Records>,
    /// For each partition, what comes next and where it ends.
    next: Vec<u64>,
    heads: Vec<u64>,
    /// Commits still to come.
    left: u64,
}

/// All batches from one on.
struct Batches {
    /// Those still to be read, last first.
    segments: Vec<Arc<Segment>>,
    current: Option<Current>,
}

struct Current {
    segment: Arc<Segment>,
    walker: Walker,
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
            batches: Batches {
                segments: Vec::new(),
                current: None,
            },
            records: None,
            next: from.to_vec(),
            heads,
            left,
        };
        if let Some(start) = first {
            scan.batches.segments = start.segments.into_iter().rev().collect();
            scan.batches.open_next(Some(start.byte))?;
        }
        Ok(scan)
    }

    /// The same in pieces.
    pub fn into_pieces(self) -> Pieces {
        Pieces {
            batches: (self.left > 0).then_some(self.batches),
        }
    }

    /// Commits that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    fn advance(&mut self) -> Result<Option<ScanRecord>, ReadError> {
        while self.left > 0 {
            let Some(record) = self.records.as_mut().and_then(Iterator::next) else {
                let Some(batch) = self.batches.next()? else {
                    return Err(self.batches.ends_early(self.left));
                };
                self.records = Some(batch.records());
                continue;
            };
            let record = record.map_err(|damage| self.batches.failure(WalkError::Damage(damage)))?;
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
                return Err(self.batches.failure(error));
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

impl Batches {
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
        self.current = Some(Current { segment, walker });
        Ok(true)
    }

    fn next(&mut self) -> Result<Option<Batch>, ReadError> {
        loop {
            let Current { segment, walker } = self.current();
            match durable(walker).map_err(|error| failure(segment, error))? {
                Some(batch) => return Ok(Some(batch)),
                None if self.open_next(None)? => {}
                None => return Ok(None),
            }
        }
    }

    fn current(&mut self) -> &mut Current {
        self.current
            .as_mut()
            .expect("a segment is open from the first batch on")
    }

    fn failure(&mut self, error: WalkError) -> ReadError {
        failure(&self.current().segment, error)
    }

    fn ends_early(&mut self, left: u64) -> ReadError {
        let Current { segment, walker } = self.current();
        ReadError::Corrupt {
            file: segment.path.clone(),
            position: walker.at(),
            problem: format!("the log ends here, but {left} commits are still to come"),
        }
    }
}

/// See [`crate::Log::scan_in_shares`]. Ends after the first error.
pub struct Pieces {
    batches: Option<Batches>,
}

/// The batches of one read.
pub struct Piece {
    segment: Arc<Segment>,
    batches: Vec<Batch>,
}

impl Pieces {
    fn advance(&mut self) -> Result<Option<Piece>, ReadError> {
        let Some(from) = &mut self.batches else {
            return Ok(None);
        };
        let Some(first) = from.next()? else {
            return Ok(None);
        };
        let Current { segment, walker } = from.current();
        let mut batches = vec![first];
        while walker.has_read_on() {
            match durable(walker).map_err(|error| failure(segment, error))? {
                Some(batch) => batches.push(batch),
                None => break,
            }
        }
        let segment = Arc::clone(segment);
        Ok(Some(Piece { segment, batches }))
    }
}

impl Iterator for Pieces {
    type Item = Result<Piece, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.advance();
        if !matches!(piece, Ok(Some(_))) {
            self.batches = None;
        }
        piece.transpose()
    }
}

impl Piece {
    /// The commits whose partition is `wanted`, in order. What claims to be of another one is not even checked: who shares a
    /// piece with others leaves that to them.
    pub fn commits(
        &self,
        wanted: impl Fn(u16) -> bool + Copy,
    ) -> impl Iterator<Item = Result<WalkedRecord<&[u8]>, ReadError>> {
        let records = self.batches.iter().flat_map(move |batch| batch.claimed(wanted));
        records
            .map(|record| record.map_err(|damage| failure(&self.segment, WalkError::Damage(damage))))
            .filter(|record| record.as_ref().map_or(true, |record| record.kind == Kind::Commit))
    }

    pub fn out_of_order(&self, record: &WalkedRecord<&[u8]>, next: u64) -> ReadError {
        failure(&self.segment, record.out_of_order(next))
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
