//! A segment file: making one ahead of its use, opening one, and what is known of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use rustix::io::Errno;

use super::blocks::Zeros;
use super::directory::{self, failed};
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use super::index::SegmentIndex;
use super::walk::Walker;
use crate::OpenError;

/// A segment that holds commits, or will hold the next ones.
pub struct Segment {
    pub path: PathBuf,
    pub header: SegmentHeader,
    /// Covers what is durable; changes only while the segment is the last one.
    pub index: RwLock<SegmentIndex>,
}

impl Segment {
    pub fn new(dir: &Path, header: SegmentHeader, index: SegmentIndex) -> Self {
        Self {
            path: directory::segment_path(dir, header.sequence),
            header,
            index: RwLock::new(index),
        }
    }

    /// Walks from the batch at `at` to `end`. A file is opened for each walk, so that a log of thousands of segments
    /// does not hold thousands of files open.
    pub fn walk(&self, at: u64, end: u64) -> io::Result<Walker> {
        let file = File::open(&self.path)?;
        // Only a hint: without it reading is slower, not wrong.
        let _ = fadvise(&file, at, None, Advice::Sequential);
        Ok(Walker::new(file, self.header.seed(), at, end))
    }
}

/// Asked before each piece of a segment that is being made, with the number of bytes made before.
type Proceed<'a> = &'a dyn Fn(u64) -> io::Result<()>;

/// Makes a segment file full of zeros and puts it in place, durably. `proceed` is asked before each piece; it may take
/// its time, or stop it with an error. Whatever happens, nothing half-made is left behind.
pub fn make(dir: &Path, header: &SegmentHeader, proceed: Proceed<'_>) -> io::Result<File> {
    let path = directory::segment_path(dir, header.sequence);
    let new = directory::new_path(&path);
    let made = fill(&new, header, proceed).and_then(|file| {
        std::fs::rename(&new, &path)?;
        directory::sync(dir)?;
        Ok(file)
    });
    if made.is_err() {
        // Best effort: what is left is removed when the log is opened again.
        let _ = std::fs::remove_file(&new);
    }
    made
}

fn fill(path: &Path, header: &SegmentHeader, proceed: Proceed<'_>) -> io::Result<File> {
    const PIECE_BYTES: usize = 256 << 10;
    proceed(0)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)?;
    // Asks for the room in one piece, and tells that there is none before the rest of it has been filled with zeros.
    // Alone it would not do: the first write to such blocks changes metadata, which makes each sync dearer.
    match fallocate(&file, FallocateFlags::empty(), 0, header.capacity) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    file.write_all_at(&header.encode(), 0)?;
    let mut zeros = Zeros::new(path, PIECE_BYTES);
    let mut at = SEGMENT_HEADER_BYTES;
    while at < header.capacity {
        proceed(at)?;
        let length = (header.capacity - at).min(PIECE_BYTES as u64);
        let is_direct = zeros.write(&file, at, length as usize)?;
        if !is_direct {
            // Lets the disk begin with them without waiting for it, so that the sync at the end has little left to do:
            // it would stand in front of somebody's append. Only a hint; what is being written stays in memory.
            let _ = fadvise(&file, at, NonZeroU64::new(length), Advice::DontNeed);
        }
        at += length;
    }
    file.sync_all()?;
    // What is in memory of it would have to be thrown out by the writer. A hint as well.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    Ok(file)
}

/// Reads and checks the header of a segment file, and that the file is as long as it was made.
pub fn read_header(dir: &Path, sequence: u64) -> Result<SegmentHeader, OpenError> {
    let path = directory::segment_path(dir, sequence);
    let corrupt = |problem: String| OpenError::Corrupt {
        file: path.clone(),
        position: 0,
        problem,
    };
    let file = File::open(&path).map_err(failed("opening", &path))?;
    let length = file.metadata().map_err(failed("reading", &path))?.len();
    if length < SEGMENT_HEADER_BYTES {
        return Err(corrupt(format!("the file has only {length} bytes")));
    }
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
    file.read_exact_at(&mut bytes, 0)
        .map_err(failed("reading", &path))?;
    let header = SegmentHeader::decode(&bytes).map_err(&corrupt)?;
    if header.sequence != sequence {
        return Err(corrupt(format!(
            "the file says it is segment {}",
            header.sequence
        )));
    }
    if header.capacity != length {
        return Err(OpenError::Corrupt {
            file: path.clone(),
            position: length.min(header.capacity),
            problem: format!("the file has {length} bytes instead of {}", header.capacity),
        });
    }
    Ok(header)
}

/// No room: the one error that passes by itself.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
