//! Reads one segment from its first batch to its last, checks all of it, and tells a torn tail from damage.
//!
//! Only one batch is ever being written, and the next is written after it was synced and says so in its
//! `durable_through`. So what is damaged is a torn tail exactly if no intact batch behind it calls it durable.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::format::{
    BATCH_HEADER_BYTES, BATCH_MAGIC, BatchHeader, Kind, SEGMENT_HEADER_BYTES, SegmentHeader, decode_heads,
    u64_at,
};
use super::index::SegmentIndex;
use super::position::Position;
use super::walk::{Batch, Damage, Step, WalkError, WalkedRecord, Walker};

/// Where the segment before left off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub heads: Vec<u64>,
    pub next_batch: u64,
}

/// What a segment holds.
pub struct Inspection {
    pub index: SegmentIndex,
    /// Where the last intact batch says that everything is durable: what is behind that may only be in the cache.
    pub durable_through: Position,
    /// The last batch is a mark or a seal: nothing but it is behind `durable_through`.
    pub marked: bool,
    pub sealed: bool,
    pub torn: Option<Torn>,
    pub batches: u64,
    pub commits: u64,
}

/// Bytes behind the last batch that are the remains of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub from: u64,
    /// One past the last byte that is not zero.
    pub to: u64,
    pub problem: String,
}

/// Inspects a segment. `chain` is what the one before ended with; without it the segment's own start record is
/// believed. Up to `known_end`, if given, everything must be intact, and nothing behind it is looked at.
pub fn inspect(
    file: &File,
    header: &SegmentHeader,
    chain: Option<&Chain>,
    known_end: Option<u64>,
) -> Result<Inspection, WalkError> {
    let end = known_end.unwrap_or(header.capacity);
    let mut walker = Walker::new(file.try_clone()?, header.seed(), SEGMENT_HEADER_BYTES, end);
    let mut inspection = Inspection::new(header, chain);
    let mut damage = None;
    while damage.is_none() && !inspection.sealed {
        match walker.step() {
            Ok(Step::Batch(batch)) => damage = inspection.take(header, &batch, chain.is_none())?,
            Ok(Step::End) => break,
            Ok(Step::Zeros) if known_end.is_none() => break,
            Ok(Step::Zeros) => {
                damage = Some(Damage {
                    position: walker.at(),
                    problem: "no batch is here".into(),
                })
            }
            Err(WalkError::Damage(found)) => damage = Some(found),
            Err(error) => return Err(error),
        }
    }
    match (damage, known_end) {
        (Some(damage), Some(_)) => return Err(WalkError::Damage(damage)),
        (damage, None) if !inspection.sealed => {
            inspection.torn = torn_tail(file, header, &inspection, damage)?
        }
        _ => {}
    }
    Ok(inspection)
}

impl Inspection {
    fn new(header: &SegmentHeader, chain: Option<&Chain>) -> Self {
        let heads = chain.map_or_else(
            || vec![0; usize::from(header.partitions)],
            |chain| chain.heads.clone(),
        );
        let first_batch = chain.map_or(0, |chain| chain.next_batch);
        Self {
            index: SegmentIndex::empty(heads, first_batch, SEGMENT_HEADER_BYTES),
            durable_through: Position {
                segment: header.sequence,
                byte: SEGMENT_HEADER_BYTES,
            },
            marked: true,
            sealed: false,
            torn: None,
            batches: 0,
            commits: 0,
        }
    }

    /// Takes in one batch whole, or says what is damaged in it. An intact batch that contradicts those before it is
    /// an error at once: a power cut cannot do that.
    fn take(
        &mut self,
        header: &SegmentHeader,
        batch: &Batch,
        unchained: bool,
    ) -> Result<Option<Damage>, WalkError> {
        let records: Vec<WalkedRecord> = match batch.records().collect() {
            Ok(records) => records,
            Err(damage) => return Ok(Some(damage)),
        };
        if self.batches == 0 && unchained {
            self.index.first_batch = batch.header.number;
            self.index.next_batch = batch.header.number;
        }
        self.follow(header, batch, unchained, &records)
            .map_err(|problem| {
                WalkError::Damage(Damage {
                    position: batch.position,
                    problem,
                })
            })?;
        self.index.next_batch += 1;
        self.index.end = batch.end();
        self.durable_through = batch.header.durable_through;
        self.marked = batch.header.records == 0 || self.sealed;
        self.batches += 1;
        Ok(None)
    }

    /// Checks that a batch follows from those before it, and counts its commits.
    fn follow(
        &mut self,
        header: &SegmentHeader,
        batch: &Batch,
        unchained: bool,
        records: &[WalkedRecord],
    ) -> Result<(), String> {
        let here = Position {
            segment: header.sequence,
            byte: batch.position,
        };
        if batch.header.number != self.index.next_batch {
            return Err(format!(
                "batch {} instead of {}",
                batch.header.number, self.index.next_batch
            ));
        }
        if batch.header.durable_through > here {
            return Err("a batch calls more durable than was written before it".into());
        }
        let first = self.batches == 0;
        if first != records.first().is_some_and(|record| record.kind == Kind::Start) {
            return Err("the start record is not where it belongs".into());
        }
        let mut heads = self.index.end_heads.clone();
        for record in records {
            match record.kind {
                Kind::Commit => self.commits += count(record, &mut heads)?,
                Kind::Start => {
                    let start = decode_heads(&record.payload);
                    if start.len() != heads.len() || (!unchained && start != heads) {
                        return Err("the segment does not start where the one before ended".into());
                    }
                    self.index.start_heads.clone_from(&start);
                    self.index.end_heads.clone_from(&start);
                    heads = start;
                }
                Kind::Seal => {
                    if record.payload.len() != 8 || u64_at(&record.payload, 0) != header.sequence + 1 {
                        return Err("the segment is sealed for another one than the next".into());
                    }
                    self.sealed = true;
                }
            }
        }
        for (partition, head) in (0..).zip(heads) {
            let commits = head - self.index.end_heads[usize::from(partition)];
            if commits > 0 {
                self.index.add(partition, commits, batch.position);
            }
        }
        Ok(())
    }
}

/// Moves the head of a commit's partition past it, if that is where it belongs.
fn count(record: &WalkedRecord, heads: &mut [u64]) -> Result<u64, String> {
    let Some(head) = heads.get_mut(usize::from(record.partition)) else {
        return Err(format!(
            "a commit of partition {}, which the log does not have",
            record.partition
        ));
    };
    if record.offset != *head {
        return Err(format!(
            "offset {} of partition {} where {head} is next",
            record.offset, record.partition
        ));
    }
    *head += 1;
    Ok(1)
}

/// Looks at everything behind the last intact batch.
fn torn_tail(
    file: &File,
    header: &SegmentHeader,
    inspection: &Inspection,
    damage: Option<Damage>,
) -> Result<Option<Torn>, WalkError> {
    let from = inspection.index.end;
    let rest = survey(file, header, from)?;
    let here = Position {
        segment: header.sequence,
        byte: from,
    };
    let mark = rest
        .batches
        .iter()
        .find(|(_, batch)| batch.durable_through > here);
    if let Some((position, batch)) = mark {
        let found = damage.unwrap_or_else(|| Damage {
            position: from,
            problem: "zeros where a batch was".into(),
        });
        let problem = format!(
            "{}; the batch at byte {position} says that everything up to {} was durable",
            found.problem, batch.durable_through
        );
        return Err(WalkError::Damage(Damage {
            position: found.position,
            problem,
        }));
    }
    let problem = damage.map_or_else(|| "bytes behind the last batch".into(), |damage| damage.problem);
    Ok(rest.end.map(|to| Torn { from, to, problem }))
}

/// What lies behind `from`, where no intact batch starts.
pub struct Survey {
    /// Intact batch headers, which can only be found where they were written.
    pub batches: Vec<(u64, BatchHeader)>,
    /// One past the last byte that is not zero, if there is one.
    pub end: Option<u64>,
}

pub fn survey(file: &File, header: &SegmentHeader, from: u64) -> io::Result<Survey> {
    const PIECE_BYTES: u64 = 1 << 20;
    let seed = header.seed();
    let mut found = Survey {
        batches: Vec::new(),
        end: None,
    };
    let mut buffer = vec![0; PIECE_BYTES as usize + BATCH_HEADER_BYTES];
    let mut at = from;
    while at < header.capacity {
        // Pieces overlap by a header, so that none is missed on the edge.
        let length = (header.capacity - at).min(buffer.len() as u64) as usize;
        let piece = &mut buffer[..length];
        file.read_exact_at(piece, at)?;
        if !is_zero(piece) {
            look_through(piece, seed, at, &mut found);
        }
        at += PIECE_BYTES;
    }
    Ok(found)
}

fn look_through(piece: &[u8], seed: u32, at: u64, found: &mut Survey) {
    for (offset, word) in piece.chunks(8).enumerate().filter(|(_, word)| !is_zero(word)) {
        let position = at + 8 * offset as u64;
        let last = word
            .iter()
            .rposition(|byte| *byte != 0)
            .expect("a byte of this word is not zero");
        found.end = found.end.max(Some(position + last as u64 + 1));
        let candidate = &piece[8 * offset..];
        if word.starts_with(&BATCH_MAGIC) && candidate.len() >= BATCH_HEADER_BYTES {
            found.batches.extend(
                BatchHeader::decode(candidate, seed, position)
                    .ok()
                    .map(|(batch, _)| (position, batch)),
            );
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let any = words.iter().fold(0, |any, word| any | u64::from_ne_bytes(*word));
    any == 0 && rest.iter().all(|byte| *byte == 0)
}
