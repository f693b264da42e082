//! Walks over the batches of one segment in large reads, and over the records of a batch, checking every checksum.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};

use super::format::{BATCH_HEADER_BYTES, BatchHeader, Kind, RECORD_HEADER_BYTES, RecordHeader};

/// Large enough to read at the disk's speed, small enough to stay in the processor's cache until it is parsed.
const CHUNK_BYTES: usize = 1 << 20;

pub struct Walker {
    file: File,
    seed: u32,
    at: u64,
    end: u64,
    chunk: Bytes,
    chunk_at: u64,
    /// Earlier chunks, read into again once nobody holds a slice of them: fresh memory costs page faults.
    spare: Vec<Bytes>,
}

/// What is found at a position.
pub enum Step {
    Batch(Batch),
    /// The end that was given.
    End,
    /// No batch: zeros where the next header would be.
    Zeros,
}

/// A batch whose header is intact; its records are checked as they are walked over.
#[derive(Clone)]
pub struct Batch {
    pub position: u64,
    pub header: BatchHeader,
    pub crc: u32,
    pub body: Bytes,
}

#[derive(Debug)]
pub enum WalkError {
    Io(io::Error),
    Damage(Damage),
}

/// Where in a segment file what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub position: u64,
    pub problem: String,
}

impl Walker {
    /// Walks from the batch at `at` up to `end`, neither of which may be inside a batch.
    pub fn new(file: File, seed: u32, at: u64, end: u64) -> Self {
        Self {
            file,
            seed,
            at,
            end,
            chunk: Bytes::new(),
            chunk_at: at,
            spare: Vec::new(),
        }
    }

    /// Where the next batch starts.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Whether the next batch was read together with the last one.
    pub fn has_read_on(&self) -> bool {
        let read = self
            .chunk
            .get((self.at - self.chunk_at) as usize..)
            .unwrap_or_default();
        BatchHeader::claims_bytes(read).is_some_and(|bytes| bytes <= read.len())
    }

    pub fn step(&mut self) -> Result<Step, WalkError> {
        if self.at >= self.end {
            return Ok(Step::End);
        }
        let position = self.at;
        let header = self.bytes(BATCH_HEADER_BYTES)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(Step::Zeros);
        }
        let (header, crc) =
            BatchHeader::decode(&header, self.seed, position).map_err(|problem| damage(position, problem))?;
        let whole = self.bytes(BATCH_HEADER_BYTES + header.body_bytes as usize)?;
        self.at += whole.len() as u64;
        Ok(Step::Batch(Batch {
            position,
            header,
            crc,
            body: whole.slice(BATCH_HEADER_BYTES..),
        }))
    }

    /// The next `length` bytes, read with as much behind them as a chunk holds.
    fn bytes(&mut self, length: usize) -> Result<Bytes, WalkError> {
        let skipped = (self.at - self.chunk_at) as usize;
        if skipped + length > self.chunk.len() {
            self.read_chunk(length)?;
            return Ok(self.chunk.slice(..length));
        }
        Ok(self.chunk.slice(skipped..skipped + length))
    }

    fn read_chunk(&mut self, length: usize) -> Result<(), WalkError> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        if length > left {
            return Err(damage(self.at, "a batch is cut off"));
        }
        self.spare.push(std::mem::take(&mut self.chunk));
        let mut buffer = self.reusable(length.max(CHUNK_BYTES).min(left));
        self.file
            .read_exact_at(&mut buffer, self.at)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => damage(self.at, "the file is cut off"),
                _ => WalkError::Io(error),
            })?;
        self.chunk = buffer.freeze();
        self.chunk_at = self.at;
        Ok(())
    }

    fn reusable(&mut self, length: usize) -> BytesMut {
        // Readers hold a few chunks at once; whoever keeps more gets fresh memory for each.
        const SPARES: usize = 8;
        if self.spare.len() > SPARES {
            self.spare.remove(0);
        }
        let free = self
            .spare
            .iter()
            .position(|chunk| chunk.is_unique() && !chunk.is_empty());
        let mut buffer = free.map_or_else(BytesMut::new, |at| {
            self.spare
                .swap_remove(at)
                .try_into_mut()
                .expect("the chunk was just found to be unshared")
        });
        buffer.resize(length, 0);
        buffer
    }
}

impl Batch {
    /// One past its last byte.
    pub fn end(&self) -> u64 {
        self.position + (BATCH_HEADER_BYTES + self.body.len()) as u64
    }

    pub fn records(&self) -> Records {
        Records {
            place: Place::start(self),
            batch: self.clone(),
        }
    }

    /// Those that claim to be of a partition that is `wanted`. The others are passed over unchecked.
    pub fn claimed(
        &self,
        wanted: impl Fn(u16) -> bool,
    ) -> impl Iterator<Item = Result<WalkedRecord<&[u8]>, Damage>> {
        let mut place = Place::start(self);
        std::iter::from_fn(move || place.next(self, &wanted))
    }
}

/// One intact record of a batch.
pub struct WalkedRecord<Payload = Bytes> {
    pub kind: Kind,
    pub partition: u16,
    pub offset: u64,
    pub payload: Payload,
    pub position: u64,
}

impl<Payload> WalkedRecord<Payload> {
    pub fn is_commit_of(&self, partition: u16) -> bool {
        self.kind == Kind::Commit && self.partition == partition
    }

    pub fn out_of_order(&self, next: u64) -> WalkError {
        let problem = format!(
            "offset {} of partition {} where {next} is next",
            self.offset, self.partition
        );
        damage(self.position, &problem)
    }
}

/// The records of a batch, which own their bytes so that an iterator can be kept between calls.
pub struct Records {
    batch: Batch,
    place: Place,
}

impl Iterator for Records {
    type Item = Result<WalkedRecord, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.place.next(&self.batch, |_| true)?;
        Some(record.map(|record| WalkedRecord {
            kind: record.kind,
            partition: record.partition,
            offset: record.offset,
            payload: self.batch.body.slice_ref(record.payload),
            position: record.position,
        }))
    }
}

/// How far a batch was walked through.
struct Place {
    at: usize,
    left: u32,
}

impl Place {
    const fn start(batch: &Batch) -> Self {
        Self {
            at: 0,
            left: batch.header.records,
        }
    }

    /// The next that claims to be of a partition that is wanted; nothing comes after damage.
    fn next<'a>(
        &mut self,
        batch: &'a Batch,
        wanted: impl Fn(u16) -> bool,
    ) -> Option<Result<WalkedRecord<&'a [u8]>, Damage>> {
        while self.left > 0 {
            let position = batch.position + (BATCH_HEADER_BYTES + self.at) as u64;
            let decoded = match RecordHeader::claims(&batch.body[self.at..]) {
                Ok((partition, record)) if !wanted(partition) => {
                    self.left -= 1;
                    self.at += record.len();
                    continue;
                }
                Ok((_, record)) => RecordHeader::decode(record, batch.crc).map(|header| (header, record)),
                Err(problem) => Err(problem),
            };
            return Some(match decoded {
                Ok((header, record)) => {
                    self.left -= 1;
                    self.at += record.len();
                    Ok(WalkedRecord {
                        kind: header.kind,
                        partition: header.partition,
                        offset: header.offset,
                        payload: &record[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + header.payload_bytes],
                        position,
                    })
                }
                Err(problem) => Err(self.damaged(batch, position, problem)),
            });
        }
        let position = batch.position + (BATCH_HEADER_BYTES + self.at) as u64;
        (self.at < batch.body.len())
            .then(|| Err(self.damaged(batch, position, "a batch is longer than its records")))
    }

    fn damaged(&mut self, batch: &Batch, position: u64, problem: &str) -> Damage {
        (self.left, self.at) = (0, batch.body.len());
        Damage {
            position,
            problem: problem.into(),
        }
    }
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn damage(position: u64, problem: &str) -> WalkError {
    WalkError::Damage(Damage {
        position,
        problem: problem.into(),
    })
}
