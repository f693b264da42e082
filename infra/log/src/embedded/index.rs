//! What is known of a segment without reading it: its heads, and for each partition where to start reading. For a
//! closed segment it is kept in a file beside it, which is checked, and made again when missing.
//!
//! ```text
//! file   = magic "SPOOLIDX" · format u16 · partitions u16 · crc u32 · log id 16 bytes · sequence u64
//!          · first batch number u64 · next batch number u64 · end u64
//!          · start heads u64 each · end heads u64 each · { count u32, { offset u64, byte u32 } each } for each partition
//!          crc: CRC32C of everything, with the crc itself as zero
//! ```

use super::format::{FORMAT, LogId, u16_at, u32_at, u64_at};

const MAGIC: [u8; 8] = *b"SPOOLIDX";
const FIXED_BYTES: usize = 64;

/// About so many bytes of log lie between two entries of a partition: what a read may have to skip.
const STRIDE_BYTES: u64 = 512 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentIndex {
    /// The next offset of each partition where the segment starts and where it ends so far.
    pub start_heads: Vec<u64>,
    pub end_heads: Vec<u64>,
    pub first_batch: u64,
    pub next_batch: u64,
    /// One past the last batch.
    pub end: u64,
    /// For each partition, rising: a batch of the segment and the first offset of the partition in it.
    entries: Vec<Vec<Entry>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    offset: u64,
    byte: u32,
}

impl SegmentIndex {
    pub fn empty(heads: Vec<u64>, first_batch: u64, end: u64) -> Self {
        Self {
            entries: vec![Vec::new(); heads.len()],
            end_heads: heads.clone(),
            start_heads: heads,
            first_batch,
            next_batch: first_batch,
            end,
        }
    }

    /// Notes that the batch at `byte` holds `commits` of `partition`, from its head on.
    pub fn add(&mut self, partition: u16, commits: u64, byte: u64) {
        let head = &mut self.end_heads[usize::from(partition)];
        let entries = &mut self.entries[usize::from(partition)];
        let far = entries
            .last()
            .is_none_or(|last| byte - u64::from(last.byte) >= STRIDE_BYTES);
        if far {
            let byte = u32::try_from(byte).expect("segments are smaller than 4 GiB");
            entries.push(Entry { offset: *head, byte });
        }
        *head += commits;
    }

    /// A batch at or before the one with this commit; `None` if the segment has no later one of the partition.
    pub fn batch_before(&self, partition: u16, offset: u64) -> Option<u64> {
        let partition = usize::from(partition);
        if offset >= self.end_heads[partition] {
            return None;
        }
        let entries = &self.entries[partition];
        let after = entries.partition_point(|entry| entry.offset <= offset);
        entries
            .get(after.saturating_sub(1))
            .map(|entry| u64::from(entry.byte))
    }

    pub fn encode(&self, log_id: LogId, sequence: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 32 * self.start_heads.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        let partitions = u16::try_from(self.start_heads.len()).expect("the number of partitions is a u16");
        bytes.extend_from_slice(&partitions.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&log_id);
        for number in [sequence, self.first_batch, self.next_batch, self.end] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for head in self.start_heads.iter().chain(&self.end_heads) {
            bytes.extend_from_slice(&head.to_le_bytes());
        }
        for entries in &self.entries {
            let count = u32::try_from(entries.len()).expect("a segment has far fewer than 4 G entries");
            bytes.extend_from_slice(&count.to_le_bytes());
            for entry in entries {
                bytes.extend_from_slice(&entry.offset.to_le_bytes());
                bytes.extend_from_slice(&entry.byte.to_le_bytes());
            }
        }
        let crc = crc32c::crc32c(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not a whole, intact index of this segment.
    pub fn decode(mut bytes: Vec<u8>, log_id: LogId, sequence: u64, partitions: u16) -> Option<Self> {
        let fits = bytes.len() >= FIXED_BYTES
            && bytes[0..8] == MAGIC
            && u16_at(&bytes, 8) == FORMAT
            && u16_at(&bytes, 10) == partitions
            && bytes[16..32] == log_id
            && u64_at(&bytes, 32) == sequence;
        if !fits {
            return None;
        }
        let crc = u32_at(&bytes, 12);
        bytes[12..16].fill(0);
        if crc32c::crc32c(&bytes) != crc {
            return None;
        }
        let mut rest = &bytes[FIXED_BYTES..];
        let start_heads = take_heads(&mut rest, partitions)?;
        let end_heads = take_heads(&mut rest, partitions)?;
        let entries = (0..partitions)
            .map(|_| take_entries(&mut rest))
            .collect::<Option<_>>()?;
        let (first_batch, next_batch, end) = (u64_at(&bytes, 40), u64_at(&bytes, 48), u64_at(&bytes, 56));
        Some(Self {
            start_heads,
            end_heads,
            first_batch,
            next_batch,
            end,
            entries,
        })
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_heads(rest: &mut &[u8], partitions: u16) -> Option<Vec<u64>> {
    let heads = take(rest, 8 * usize::from(partitions))?;
    Some(heads.chunks_exact(8).map(|head| u64_at(head, 0)).collect())
}

fn take_entries(rest: &mut &[u8]) -> Option<Vec<Entry>> {
    let count = u32_at(take(rest, 4)?, 0) as usize;
    let entries = take(rest, 12 * count)?;
    Some(
        entries
            .chunks_exact(12)
            .map(|entry| Entry {
                offset: u64_at(entry, 0),
                byte: u32_at(entry, 8),
            })
            .collect(),
    )
}
