//! Writes batches past the page cache, in whole blocks.
//!
//! A sync of a few pages spends more time on the cache's books than on the disk: written directly, a batch of 40 KB
//! takes about a fifth less. A direct write must start and end at a block, in memory and in the file, so the beginning
//! of a batch's first block, which is durable already, is written again as it is, and its last block is filled up with
//! zeros, which are there anyway. A file system that cannot do it gets ordinary writes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// What direct writes are a multiple of: the largest block of a disk in use.
pub const BLOCK_BYTES: usize = 4096;

/// The end of a segment file, and the batch that is to come there.
pub struct Blocks {
    file: File,
    /// The same file, if it can be written to directly.
    direct: Option<File>,
    buffer: Aligned,
    /// What stands before the next batch in its block.
    before: Vec<u8>,
    /// Where the batch in `buffer` ends.
    batch_end: usize,
}

/// Bytes that start at a multiple of [`BLOCK_BYTES`] in memory.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Blocks {
    /// Goes on at byte `at` of `file`, which lies at `path`.
    pub fn new(file: File, path: &Path, at: u64) -> io::Result<Self> {
        let mut before = vec![0; (at % BLOCK_BYTES as u64) as usize];
        let from = at - before.len() as u64;
        file.read_exact_at(&mut before, from)?;
        Ok(Self {
            file,
            direct: direct(path),
            buffer: Aligned::with_capacity(16 * BLOCK_BYTES),
            before,
            batch_end: 0,
        })
    }

    /// Begins a batch. Whatever was not written of the one before is dropped.
    pub fn begin(&mut self) {
        self.buffer.clear();
        self.buffer.reserve(self.before.len() + BLOCK_BYTES);
        self.buffer.bytes.extend_from_slice(&self.before);
    }

    /// The batch, to append at most `bytes` to.
    pub fn room(&mut self, bytes: usize) -> &mut Vec<u8> {
        self.buffer.reserve(bytes + BLOCK_BYTES);
        &mut self.buffer.bytes
    }

    /// The batch so far.
    pub fn batch(&mut self) -> &mut [u8] {
        &mut self.buffer.bytes[self.buffer.start + self.before.len()..]
    }

    /// The bytes of the batch so far.
    pub fn batch_bytes(&self) -> usize {
        self.buffer.bytes.len() - self.buffer.start - self.before.len()
    }

    /// Writes the batch at byte `at`, where the last one ended. It is durable after [`Blocks::sync`].
    pub fn write(&mut self, at: u64) -> io::Result<()> {
        self.batch_end = self.buffer.bytes.len();
        let result = self.write_blocks(at);
        self.buffer.bytes.truncate(self.batch_end);
        result
    }

    /// Blocks until everything written is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Writes zeros where the batch was to go, and syncs them.
    pub fn erase(&mut self, at: u64) -> io::Result<()> {
        let batch = self.buffer.start + self.before.len();
        self.buffer.bytes[batch..].fill(0);
        self.write(at)?;
        self.sync()
    }

    /// The batch stands; the next one goes behind it.
    pub fn advance(&mut self) {
        let whole = (self.before.len() + self.batch_bytes()) / BLOCK_BYTES * BLOCK_BYTES;
        self.before.clear();
        self.before
            .extend_from_slice(&self.buffer.bytes[self.buffer.start + whole..]);
    }

    fn write_blocks(&mut self, at: u64) -> io::Result<()> {
        let Aligned { bytes, start } = &mut self.buffer;
        if let Some(direct) = &self.direct {
            let blocks = (bytes.len() - *start).next_multiple_of(BLOCK_BYTES);
            bytes.resize(*start + blocks, 0);
            match direct.write_all_at(&bytes[*start..], at - self.before.len() as u64) {
                // Not every file system that opens a file so also writes to it.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.direct = None,
                written => return written,
            }
        }
        self.file
            .write_all_at(&bytes[*start + self.before.len()..self.batch_end], at)
    }
}

impl Aligned {
    fn with_capacity(bytes: usize) -> Self {
        let bytes = Vec::<u8>::with_capacity(bytes + BLOCK_BYTES);
        let start = bytes.as_ptr().align_offset(BLOCK_BYTES);
        let mut aligned = Self { bytes, start };
        aligned.clear();
        aligned
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(self.start, 0);
    }

    /// Makes room for `more` bytes, which can be added without those that are there being moved to where nothing is aligned.
    fn reserve(&mut self, more: usize) {
        if self.bytes.len() + more > self.bytes.capacity() {
            let bytes = &self.bytes[self.start..];
            let mut larger = Self::with_capacity((bytes.len() + more).next_power_of_two());
            larger.bytes.extend_from_slice(bytes);
            *self = larger;
        }
    }
}

/// Opens a file for writes past the page cache, where that is possible.
fn direct(path: &Path) -> Option<File> {
    let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
    OpenOptions::new().write(true).custom_flags(flags).open(path).ok()
}

/// Writes zeros from a block on, past the page cache if possible.
pub struct Zeros {
    file: Option<File>,
    zeros: Aligned,
}

impl Zeros {
    /// Pieces of up to `piece_bytes` for the file at `path`.
    pub fn new(path: &Path, piece_bytes: usize) -> Self {
        let mut zeros = Aligned::with_capacity(piece_bytes);
        zeros.bytes.resize(zeros.start + piece_bytes, 0);
        Self {
            file: direct(path),
            zeros,
        }
    }

    /// Writes `length` zeros at byte `at`, both multiples of [`BLOCK_BYTES`], of `file`, which is the one at `path`.
    /// Returns whether they went past the page cache.
    pub fn write(&mut self, file: &File, at: u64, length: usize) -> io::Result<bool> {
        let zeros = &self.zeros.bytes[self.zeros.start..][..length];
        if let Some(direct) = &self.file {
            match direct.write_all_at(zeros, at) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.file = None,
                written => return written.map(|()| true),
            }
        }
        file.write_all_at(zeros, at).map(|()| false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of all sizes, one behind the other, then again from where a new writer finds the end.
    #[test]
    fn what_is_written_in_blocks_is_there_byte_for_byte() {
        let dir = tempfile::tempdir_in(".").expect("a folder beside the sources");
        let path = dir.path().join("file");
        let file = || {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).read(true).write(true);
            options.open(&path).expect("a file in it")
        };
        file().set_len(1 << 20).expect("room");
        let mut expected = Vec::new();
        for opened in 0..3_u8 {
            let mut blocks = Blocks::new(file(), &path, expected.len() as u64).expect("the end is readable");
            for (round, length) in [1, 300, 4095, 4096, 4097, 70_000, 8, 3_700]
                .into_iter()
                .enumerate()
            {
                let batch = vec![16 * opened + u8::try_from(round).expect("few") + 1; length];
                blocks.begin();
                for part in batch.chunks(5_000) {
                    blocks.room(part.len()).extend_from_slice(part);
                }
                assert!(blocks.batch() == batch);
                blocks.write(expected.len() as u64).expect("written");
                blocks.sync().expect("synced");
                blocks.advance();
                expected.extend_from_slice(&batch);
            }
            blocks.begin();
            blocks.room(9_000).extend_from_slice(&[0xee; 9_000]);
            blocks.write(expected.len() as u64).expect("written");
            blocks.erase(expected.len() as u64).expect("erased");
        }
        let found = std::fs::read(&path).expect("readable");
        assert!(found[..expected.len()] == expected[..]);
        assert!(found[expected.len()..].iter().all(|byte| *byte == 0));
    }
}
