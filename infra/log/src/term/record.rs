//! What stands in the log: claims and commits, in bytes.
//!
//! Little endian: magic (4), version (1), kind (1), zeros (2), CRC32C of all other bytes (4), then
//! for a claim the term (8), its id (16), and name and address of the node, each with its length (4);
//! for commits the term (8), the sequence number (8), the number of the first (8), their count (4), and each with its length (4).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::Owner;

/// What a record of no commits takes; each commit takes 4 bytes and its own.
pub const HEADER_BYTES: usize = 12 + 28;

const MAGIC: &[u8; 4] = b"SPLG";
const VERSION: u8 = 1;
const CLAIM: u8 = 1;
const COMMITS: u8 = 2;
const CHECKSUM_AT: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Claim(Claim),
    Commits(Commits),
}

/// A node wants to begin a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Tells claims of the same term apart.
    pub id: u128,
    /// The node that claims, and the term.
    pub owner: Owner,
}

/// The commits of one append, or of several that waited for each other; none for a barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    pub term: u64,
    /// Counts the records of a term, from 1.
    pub seq: u64,
    /// How many commits were accepted before these.
    pub number: u64,
    pub commits: Vec<Bytes>,
}

/// Bytes that begin like a record and are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is of version {0}, which this program does not know: run a newer one")]
    Version(u8),
    #[error("it ends in the middle")]
    Length,
    #[error("its kind is {0}, which does not exist")]
    Kind(u8),
    #[error("a name in it is no UTF-8")]
    Text,
}

impl Record {
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.encoded_bytes());
        bytes.put_slice(MAGIC);
        bytes.put_u8(VERSION);
        bytes.put_u8(match self {
            Self::Claim(_) => CLAIM,
            Self::Commits(_) => COMMITS,
        });
        bytes.put_u16_le(0);
        bytes.put_u32_le(0);
        match self {
            Self::Claim(claim) => {
                bytes.put_u64_le(claim.owner.term);
                bytes.put_u128_le(claim.id);
                put(&mut bytes, claim.owner.node.as_bytes());
                put(&mut bytes, claim.owner.url.as_bytes());
            }
            Self::Commits(record) => {
                bytes.put_u64_le(record.term);
                bytes.put_u64_le(record.seq);
                bytes.put_u64_le(record.number);
                bytes.put_u32_le(short(record.commits.len()));
                for commit in &record.commits {
                    put(&mut bytes, commit);
                }
            }
        }
        let checksum = checksum(&bytes);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_le_bytes());
        bytes.freeze()
    }

    /// Nothing for bytes that were never meant to be a record: every version of this program agrees to pass over them.
    /// The commits are slices of `bytes`.
    pub fn decode(mut bytes: Bytes) -> Result<Option<Self>, Damage> {
        if !bytes.starts_with(MAGIC) {
            return Ok(None);
        }
        if bytes.len() < CHECKSUM_AT + 4 {
            return Err(Damage::Length);
        }
        let (version, kind) = (bytes[4], bytes[5]);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let sum = checksum(&bytes);
        bytes.advance(CHECKSUM_AT);
        if bytes.get_u32_le() != sum {
            return Err(Damage::Checksum);
        }
        let record = match kind {
            CLAIM => Self::Claim(claim(&mut bytes)?),
            COMMITS => Self::Commits(commits(&mut bytes)?),
            other => return Err(Damage::Kind(other)),
        };
        if bytes.is_empty() {
            Ok(Some(record))
        } else {
            Err(Damage::Length)
        }
    }

    pub fn encoded_bytes(&self) -> usize {
        match self {
            Self::Claim(claim) => HEADER_BYTES + 4 + claim.owner.node.len() + claim.owner.url.len(),
            Self::Commits(record) => {
                HEADER_BYTES
                    + record
                        .commits
                        .iter()
                        .map(|commit| 4 + commit.len())
                        .sum::<usize>()
            }
        }
    }
}

fn claim(bytes: &mut Bytes) -> Result<Claim, Damage> {
    let short = |_| Damage::Length;
    let term = bytes.try_get_u64_le().map_err(short)?;
    let id = bytes.try_get_u128_le().map_err(short)?;
    let node = text(bytes)?;
    let url = text(bytes)?;
    let owner = Owner { node, url, term };
    Ok(Claim { id, owner })
}

fn commits(bytes: &mut Bytes) -> Result<Commits, Damage> {
    let short = |_| Damage::Length;
    let term = bytes.try_get_u64_le().map_err(short)?;
    let seq = bytes.try_get_u64_le().map_err(short)?;
    let number = bytes.try_get_u64_le().map_err(short)?;
    let count = bytes.try_get_u32_le().map_err(short)?;
    let commits = (0..count).map(|_| take(bytes)).collect::<Result<_, _>>()?;
    Ok(Commits {
        term,
        seq,
        number,
        commits,
    })
}

fn put(bytes: &mut BytesMut, part: &[u8]) {
    bytes.put_u32_le(short(part.len()));
    bytes.put_slice(part);
}

fn take(bytes: &mut Bytes) -> Result<Bytes, Damage> {
    let length = bytes.try_get_u32_le().map_err(|_| Damage::Length)? as usize;
    if bytes.len() < length {
        return Err(Damage::Length);
    }
    Ok(bytes.split_to(length))
}

fn text(bytes: &mut Bytes) -> Result<String, Damage> {
    String::from_utf8(take(bytes)?.to_vec()).map_err(|_| Damage::Text)
}

fn checksum(bytes: &[u8]) -> u32 {
    let head = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
    crc32c::crc32c_append(head, &bytes[CHECKSUM_AT + 4..])
}

fn short(length: usize) -> u32 {
    u32::try_from(length).expect("a record is far smaller than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records() -> impl Strategy<Value = Record> {
        let commit = proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        let commits = proptest::collection::vec(commit, 0..4);
        let claims = (any::<u64>(), any::<u128>(), ".{0,9}", ".{0,9}").prop_map(|(term, id, node, url)| {
            let owner = Owner { node, url, term };
            Record::Claim(Claim { id, owner })
        });
        let commits = (any::<u64>(), any::<u64>(), any::<u64>(), commits);
        let commits = commits.prop_map(|(term, seq, number, commits)| {
            Record::Commits(Commits {
                term,
                seq,
                number,
                commits,
            })
        });
        prop_oneof![claims, commits]
    }

    proptest! {
        #[test]
        fn every_record_comes_back(record in records()) {
            let bytes = record.encode();
            prop_assert_eq!(bytes.len(), record.encoded_bytes());
            prop_assert_eq!(Record::decode(bytes), Ok(Some(record)));
        }

        #[test]
        fn a_changed_byte_is_noticed(record in records(), at in any::<prop::sample::Index>(), by in 1u8..) {
            let mut bytes = record.encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            let decoded = Record::decode(bytes.into());
            // Without the magic it is somebody else's; everything else is damage.
            prop_assert!(if at < 4 { decoded == Ok(None) } else { decoded.is_err() }, "{:?}", decoded);
        }

        #[test]
        fn a_cut_record_is_noticed(record in records(), left in any::<prop::sample::Index>()) {
            let bytes = record.encode();
            let left = left.index(bytes.len());
            prop_assert!(!matches!(Record::decode(bytes.slice(..left)), Ok(Some(_))));
        }
    }

    #[test]
    fn the_bytes_of_a_record_stay_as_they_are() {
        let record = Record::Commits(Commits {
            term: 7,
            seq: 3,
            number: 41,
            commits: vec![Bytes::from_static(b"{}"), Bytes::new()],
        });
        let written =
            b"SPLG\x01\x02\0\0\x94\x4e\xfb\x15\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x29\0\0\0\0\0\0\0\
            \x02\0\0\0\x02\0\0\0{}\0\0\0\0";
        assert_eq!(record.encode().as_ref(), written);
    }
}
