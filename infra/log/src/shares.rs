//! All commits of a log, read once and shared by several threads, each of which takes out those of its own partitions.
//!
//! One thread reads [`Pieces`] and hands each of them to everybody. Finding, checking and using a commit is then the work of
//! its [`Share`], in one go while its bytes are in the processor's cache, and nothing is done for each commit by the
//! thread that reads.

use std::sync::Arc;

use crate::embedded;
use crate::{ReadError, Scan, ScanRecord};

/// Where the log keeps no pieces of its own, one has about so many bytes.
const PIECE_BYTES: usize = 1 << 20;
const PIECE_RECORDS: usize = 4096;

/// See [`crate::Log::scan_in_shares`]. Ends after the first error.
pub struct Pieces {
    source: Source,
}

enum Source {
    Embedded(embedded::Pieces),
    Records(Scan),
}

/// Commits of all partitions. Cheap to clone; holds a read buffer of about 1 MiB.
#[derive(Clone)]
pub struct Piece {
    content: Content,
}

#[derive(Clone)]
enum Content {
    Embedded(Arc<embedded::Piece>),
    Records(Arc<[ScanRecord]>),
}

/// Those of the partitions that belong to one thread, and how far it has come in them.
pub struct Share {
    number: usize,
    of: usize,
    /// For each partition, what comes next and where it ends.
    next: Vec<u64>,
    heads: Vec<u64>,
}

/// One commit as [`Share::each`] tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedRecord<'a> {
    pub partition: u16,
    /// The commit's number in its partition, from 0.
    pub offset: u64,
    pub payload: &'a [u8],
}

impl Pieces {
    pub(crate) const fn embedded(pieces: embedded::Pieces) -> Self {
        Self {
            source: Source::Embedded(pieces),
        }
    }

    pub(crate) const fn records(scan: Scan) -> Self {
        Self {
            source: Source::Records(scan),
        }
    }
}

impl Iterator for Pieces {
    type Item = Result<Piece, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let content = match &mut self.source {
            Source::Embedded(pieces) => pieces.next()?.map(|piece| Content::Embedded(Arc::new(piece))),
            Source::Records(scan) => gather(scan).transpose()?.map(Content::Records),
        };
        Some(content.map(|content| Piece { content }))
    }
}

fn gather(scan: &mut Scan) -> Result<Option<Arc<[ScanRecord]>>, ReadError> {
    let (mut records, mut bytes) = (Vec::with_capacity(PIECE_RECORDS), 0);
    while bytes < PIECE_BYTES && records.len() < PIECE_RECORDS {
        let Some(record) = scan.next().transpose()? else {
            break;
        };
        bytes += record.payload.len();
        records.push(record);
    }
    Ok((!records.is_empty()).then(|| records.into()))
}

impl Share {
    /// All `count` of them, for commits from the offsets in `from` to those in `heads`.
    pub(crate) fn all(count: usize, from: &[u64], heads: &[u64]) -> Vec<Self> {
        let share = |number| Self {
            number,
            of: count,
            next: from.to_vec(),
            heads: heads.to_vec(),
        };
        (0..count).map(share).collect()
    }

    /// Tells `each` what is this share's in the next piece. Every piece has to be given, in order, until one fails.
    pub fn each<E: From<ReadError>>(
        &mut self,
        piece: &Piece,
        mut each: impl FnMut(SharedRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (number, of) = (self.number, self.of);
        let is_own = move |partition: u16| usize::from(partition) % of == number;
        match &piece.content {
            Content::Embedded(piece) => {
                for record in piece.commits(is_own) {
                    let record = record?;
                    match self.turn(record.partition, record.offset) {
                        Turn::Now => each(SharedRecord {
                            partition: record.partition,
                            offset: record.offset,
                            payload: record.payload,
                        })?,
                        Turn::Never => {}
                        Turn::After(next) => return Err(piece.out_of_order(&record, next).into()),
                    }
                }
            }
            // A scan has looked at their order.
            Content::Records(records) => {
                for record in records.iter().filter(|record| is_own(record.partition)) {
                    if self.turn(record.partition, record.offset) == Turn::Now {
                        each(SharedRecord {
                            partition: record.partition,
                            offset: record.offset,
                            payload: &record.payload,
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// To be called after the last piece: an error if not all commits of this share have come.
    pub fn finish(self) -> Result<(), ReadError> {
        for (partition, (&offset, &head)) in (0u16..).zip(self.next.iter().zip(&self.heads)) {
            if usize::from(partition) % self.of == self.number && offset < head {
                return Err(ReadError::Short {
                    partition,
                    offset,
                    head,
                });
            }
        }
        Ok(())
    }

    fn turn(&mut self, partition: u16, offset: u64) -> Turn {
        let at = usize::from(partition);
        let (Some(next), Some(head)) = (self.next.get_mut(at), self.heads.get(at)) else {
            return Turn::After(0);
        };
        // What became durable after the scan began is left for the next one.
        if offset < *next || *next >= *head {
            return Turn::Never;
        }
        if offset > *next {
            return Turn::After(*next);
        }
        *next += 1;
        Turn::Now
    }
}

/// When a commit is to be taken.
#[derive(PartialEq, Eq)]
enum Turn {
    Now,
    Never,
    /// Another one, which should have been before it.
    After(u64),
}
