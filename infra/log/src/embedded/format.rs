//! The bytes of a segment file, format 1. All integers are little-endian; everything starts at a multiple of 8.
//!
//! ```text
//! segment  = header (4096 bytes), batch*, zeros up to the capacity
//! header   = magic "SPOOLSEG" · format u16 · partitions u16 · crc u32 · sequence u64 · capacity u64 · log id 16 bytes · zeros
//!            crc: CRC32C of the 4096 bytes with the crc itself as zero
//! batch    = batch header (48 bytes), record*
//!   0 u32  magic "SPB1"
//!   4 u32  crc: CRC32C of log id, segment sequence u64, position of the batch u64, bytes 8..48
//!   8 u64  batch number: 0 for the first of the log, then one more each
//!  16 u64  durable_through: segment sequence   } everything before this position was durable
//!  24 u64  durable_through: byte in the segment} when this batch was written
//!  32 u32  bytes of the records
//!  36 u32  number of records; 0: a mark, written only to move durable_through
//!  40 u64  zero
//! record   = record header (24 bytes), payload, zeros up to a multiple of 8
//!   0 u32  crc: CRC32C of bytes 4 to the end of the record, continued from the crc of the batch header
//!   4 u8   kind: 1 commit, 2 start, 3 seal
//!   5 u8   zero
//!   6 u16  partition (start, seal: 0)
//!   8 u64  offset in the partition (start, seal: 0)
//!  16 u32  bytes of the payload
//!  20 u32  zero
//! start    = first record of a segment: the next offset u64 of each partition
//! seal     = last record of a segment, in a batch of its own: the sequence u64 of the next segment
//! ```
//!
//! The crc of a batch header covers its place and the log's id, and those of the records continue it: bytes that are
//! moved, left over from an earlier attempt or brought in by a payload never pass for a batch.

use super::position::Position;

pub const FORMAT: u16 = 1;
pub const SEGMENT_HEADER_BYTES: u64 = 4096;
pub const BATCH_HEADER_BYTES: usize = 48;
pub const RECORD_HEADER_BYTES: usize = 24;
pub const BATCH_MAGIC: [u8; 4] = *b"SPB1";
const SEGMENT_MAGIC: [u8; 8] = *b"SPOOLSEG";

/// Room kept free at the end of a segment: one mark and the batch that seals it.
pub const RESERVED_BYTES: u64 = (2 * BATCH_HEADER_BYTES + RECORD_HEADER_BYTES + 8) as u64;

pub type LogId = [u8; 16];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub partitions: u16,
    pub sequence: u64,
    /// Size of the file; written as zeros before the segment is used.
    pub capacity: u64,
    pub log_id: LogId,
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
        bytes[0..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.partitions.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.log_id);
        let crc = crc32c::crc32c(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() < SEGMENT_HEADER_BYTES as usize || bytes[0..8] != SEGMENT_MAGIC {
            return Err("not a segment of a log (the first bytes differ)".into());
        }
        let format = u16_at(bytes, 8);
        if format != FORMAT {
            return Err(format!(
                "format {format} is not known to this version, which reads format {FORMAT}"
            ));
        }
        let mut unsigned = bytes[..SEGMENT_HEADER_BYTES as usize].to_vec();
        unsigned[12..16].fill(0);
        if crc32c::crc32c(&unsigned) != u32_at(bytes, 12) {
            return Err("the checksum of the segment header is wrong".into());
        }
        let log_id = bytes[32..48].try_into().expect("16 bytes were taken");
        Ok(Self {
            partitions: u16_at(bytes, 10),
            sequence: u64_at(bytes, 16),
            capacity: u64_at(bytes, 24),
            log_id,
        })
    }

    /// What the checksums of this segment's batches start from.
    pub fn seed(&self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.log_id), &self.sequence.to_le_bytes())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub number: u64,
    pub durable_through: Position,
    pub body_bytes: u32,
    pub records: u32,
}

impl BatchHeader {
    /// The header and its crc, from which those of the records continue.
    fn encode(&self, seed: u32, position: u64) -> ([u8; BATCH_HEADER_BYTES], u32) {
        let mut bytes = [0; BATCH_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&BATCH_MAGIC);
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.durable_through.segment.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.durable_through.byte.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.records.to_le_bytes());
        let crc = batch_crc(seed, position, &bytes);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        (bytes, crc)
    }

    /// Completes a batch to be written at `position`, of which only the records are there, behind room for the header: writes
    /// the header and the checksums of the records.
    pub fn complete(&self, seed: u32, position: u64, batch: &mut [u8]) {
        let (header, mut records) = batch.split_at_mut(BATCH_HEADER_BYTES);
        let (bytes, crc) = self.encode(seed, position);
        header.copy_from_slice(&bytes);
        while !records.is_empty() {
            let (record, rest) = records.split_at_mut(record_bytes(u32_at(records, 16) as usize));
            let crc = crc32c::crc32c_append(crc, &record[4..]);
            record[0..4].copy_from_slice(&crc.to_le_bytes());
            records = rest;
        }
    }

    /// How long the batch at the start of `bytes` claims to be, header included. Nothing is checked.
    pub fn claims_bytes(bytes: &[u8]) -> Option<usize> {
        (bytes.len() >= BATCH_HEADER_BYTES).then(|| BATCH_HEADER_BYTES + u32_at(bytes, 32) as usize)
    }

    /// The header at the start of `bytes` and its crc, if it is one written at `position`.
    pub fn decode(bytes: &[u8], seed: u32, position: u64) -> Result<(Self, u32), &'static str> {
        if bytes[0..4] != BATCH_MAGIC {
            return Err("no batch starts here");
        }
        let crc = u32_at(bytes, 4);
        if batch_crc(seed, position, bytes) != crc {
            return Err("the checksum of a batch header is wrong");
        }
        let header = Self {
            number: u64_at(bytes, 8),
            durable_through: Position {
                segment: u64_at(bytes, 16),
                byte: u64_at(bytes, 24),
            },
            body_bytes: u32_at(bytes, 32),
            records: u32_at(bytes, 36),
        };
        Ok((header, crc))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Commit,
    Start,
    Seal,
}

/// A record header; the payload follows it.
#[derive(Clone, Copy, Debug)]
pub struct RecordHeader {
    pub kind: Kind,
    pub partition: u16,
    pub offset: u64,
    pub payload_bytes: usize,
}

impl RecordHeader {
    /// The record at the start of `bytes`, checked against the crc of its batch's header.
    pub fn decode(bytes: &[u8], batch_crc: u32) -> Result<Self, &'static str> {
        let (_, record) = Self::claims(bytes)?;
        if crc32c::crc32c_append(batch_crc, &record[4..]) != u32_at(record, 0) {
            return Err("the checksum of a record is wrong");
        }
        let payload_bytes = u32_at(bytes, 16) as usize;
        let kind = match bytes[4] {
            1 => Kind::Commit,
            2 => Kind::Start,
            3 => Kind::Seal,
            _ => return Err("a record is of an unknown kind"),
        };
        Ok(Self {
            kind,
            partition: u16_at(bytes, 6),
            offset: u64_at(bytes, 8),
            payload_bytes,
        })
    }

    /// The partition that the record at the start of `bytes` claims to be of, and all its bytes, padding included.
    /// Nothing is checked but that they are there.
    pub fn claims(bytes: &[u8]) -> Result<(u16, &[u8]), &'static str> {
        if bytes.len() < RECORD_HEADER_BYTES {
            return Err("a record header is cut off");
        }
        let record = bytes.get(..record_bytes(u32_at(bytes, 16) as usize));
        Ok((
            u16_at(bytes, 6),
            record.ok_or("a record is longer than its batch")?,
        ))
    }
}

/// Appends one record to `out`, padded, without its checksum: see [`BatchHeader::complete`].
pub fn encode_record(kind: Kind, partition: u16, offset: u64, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("commits are limited to far less than 4 GiB");
    let start = out.len();
    out.resize(start + record_bytes(payload.len()), 0);
    let record = &mut out[start..];
    record[4] = match kind {
        Kind::Commit => 1,
        Kind::Start => 2,
        Kind::Seal => 3,
    };
    record[6..8].copy_from_slice(&partition.to_le_bytes());
    record[8..16].copy_from_slice(&offset.to_le_bytes());
    record[16..20].copy_from_slice(&length.to_le_bytes());
    record[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + payload.len()].copy_from_slice(payload);
}

/// Bytes of a record with its header and padding.
pub const fn record_bytes(payload_bytes: usize) -> usize {
    RECORD_HEADER_BYTES + payload_bytes.next_multiple_of(8)
}

/// The payload of a start record.
pub fn encode_heads(heads: &[u64]) -> Vec<u8> {
    heads.iter().flat_map(|head| head.to_le_bytes()).collect()
}

pub fn decode_heads(payload: &[u8]) -> Vec<u64> {
    payload.chunks_exact(8).map(|head| u64_at(head, 0)).collect()
}

pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes were taken"))
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes were taken"))
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were taken"))
}

fn batch_crc(seed: u32, position: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(
        crc32c::crc32c_append(seed, &position.to_le_bytes()),
        &bytes[8..BATCH_HEADER_BYTES],
    )
}
