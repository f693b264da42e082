//! What a commit is about to write, written down first, so that one that was cut short can be finished.
//!
//! A fold looks at rows to know what to write to others (a video's row says where it is listed). Were some rows of a commit written
//! and others not, folding the same events again would go wrong. So before its first row a commit is in the journal as a
//! whole: from then on it has happened, and whoever writes to the version next finishes it.
//!
//! The entry lies in the slot of the lowest log partition that the commit brings forward. Only one writer brings a partition
//! forward, one commit after the other, so an entry is overwritten only when its commit is done. That is so when the slot's
//! checkpoint, which is written last, has reached it.
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use sha2::{Digest, Sha256};

use super::schema::JOURNAL;
use super::timestamps;
use super::version::Version;
use super::writes::Writes;
use crate::TablesError;

/// Large enough to be few, small enough for any server's limit on one write.
const CHUNK_BYTES: usize = 256 << 10;
const IN_FLIGHT: usize = 16;
const WRITING: &str = "writing down a commit";
const READING: &str = "reading commits that were cut short";

impl Version {
    pub async fn write_down(&self, writes: &Writes) -> Result<(), TablesError> {
        let entry = writes.encode();
        let commit_id = commit_id(&entry);
        let chunks: Vec<&[u8]> = entry.chunks(CHUNK_BYTES).collect();
        let count = number(chunks.len());
        let (slot, next) = writes.slot();
        let insert = format!(
            "INSERT INTO {}.{JOURNAL}
             (view_name, version, generation, chunk, slot, next_offset, commit_id, chunks, data)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            self.server.keyspace
        );
        let (view, version, generation) = self.generation.key();
        let (slot, next_offset, timestamp) =
            (i32::from(slot), next.cast_signed(), timestamps::checkpoint(next));
        let mut sending = FuturesUnordered::new();
        for (chunk, data) in (0i32..).zip(chunks) {
            if sending.len() >= IN_FLIGHT {
                sending.try_next().await?;
            }
            let values = (
                view,
                version,
                generation,
                chunk,
                slot,
                next_offset,
                commit_id,
                count,
                data,
                timestamp,
            );
            sending.push(self.server.write(WRITING, &insert, values));
        }
        while sending.try_next().await?.is_some() {}
        Ok(())
    }

    /// The commits that were written down whole and not finished.
    pub async fn cut_short(&self) -> Result<Vec<Writes>, TablesError> {
        let select = format!(
            "SELECT slot, next_offset, commit_id, chunks FROM {}.{JOURNAL}
             WHERE view_name = ? AND version = ? AND generation = ? AND chunk = 0",
            self.server.keyspace
        );
        let entries: Vec<(i32, i64, i64, i32)> =
            self.server.all(READING, &select, self.generation.key()).await?;
        let checkpoints = self.generation.checkpoints(&self.server).await?;
        let mut found = Vec::new();
        for (slot, next_offset, commit_id, chunks) in entries {
            let reached = u16::try_from(slot).ok().and_then(|slot| checkpoints.get(&slot));
            if reached.is_some_and(|reached| *reached >= next_offset.cast_unsigned()) {
                continue;
            }
            // One that is not whole was cut short before its first row.
            found.extend(self.entry(slot, commit_id, chunks).await?);
        }
        Ok(found)
    }

    async fn entry(&self, slot: i32, commit: i64, chunks: i32) -> Result<Option<Writes>, TablesError> {
        let select = format!(
            "SELECT commit_id, data FROM {}.{JOURNAL}
             WHERE view_name = ? AND version = ? AND generation = ? AND chunk = ? AND slot = ?",
            self.server.keyspace
        );
        let (view, version, generation) = self.generation.key();
        let mut entry = Vec::new();
        for chunk in 0..chunks {
            let key = (view, version, generation, chunk, slot);
            let found: Option<(i64, Vec<u8>)> = self.server.first(READING, &select, key).await?;
            match found {
                Some((of, data)) if of == commit => entry.extend(data),
                _ => return Ok(None),
            }
        }
        if commit_id(&entry) != commit {
            return Ok(None);
        }
        Ok(Writes::decode(&entry))
    }
}

fn commit_id(entry: &[u8]) -> i64 {
    let hash = Sha256::digest(entry);
    let (first, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
    i64::from_le_bytes(*first)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).expect("a batch fits into memory")
}
