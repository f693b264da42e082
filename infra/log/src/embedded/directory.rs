//! The directory of a log: its lock, its metadata file, the names in it, and making names durable.
//!
//! ```text
//! log.json                  format, log id, partitions, first segment, checksum; written once
//! log.lock                  locked (flock) by whoever has the log open
//! segment-0000000000.log    the segments; the last may be one that was prepared and not used yet
//! segment-0000000000.idx    what opening needs to know of a closed segment; made again when missing
//! *.new                     files that were being made; removed on open
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::format::{FORMAT, LogId};
use crate::OpenError;

/// What `log.json` says. It exists from the moment the first segment is complete and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub log_id: LogId,
    pub partitions: u16,
    pub first_segment: u64,
}

#[derive(Serialize, Deserialize)]
struct MetadataFile {
    format: u16,
    log_id: String,
    partitions: u16,
    first_segment: u64,
    crc32c: u32,
}

/// Holds the directory's lock until it is dropped.
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not do: a child process that is just being started has it open for a moment as well.
        let _ = self.file.unlock();
    }
}

/// Creates `dir` and what is missing above it, durably: a new directory is only there after a power cut if the one
/// above it was synced. See also [`settle_ancestors`].
pub fn create(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    let above = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create(above)?;
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("creating", dir)(error)),
        _ => sync(above).map_err(failed("syncing", above)),
    }
}

/// Makes the directories above `dir` durable, for whoever created them may have gone before it could. Those above that
/// may not be read were not created by us.
pub fn settle_ancestors(dir: &Path) {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    for above in absolute.ancestors().skip(1) {
        let _ = sync(above);
    }
}

pub fn lock(dir: &Path) -> Result<Lock, OpenError> {
    let path = dir.join("log.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("locking", &path)(error)),
    }
}

/// Makes the names in a directory durable.
pub fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

pub fn read_metadata(dir: &Path) -> Result<Option<Metadata>, OpenError> {
    let path = dir.join("log.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(error) => return Err(failed("reading", &path)(error)),
    };
    let damaged = |problem: String| OpenError::Unusable {
        file: path.clone(),
        problem: format!("{problem}; restore it from a backup (it is written once, when the log is created)"),
    };
    let file: MetadataFile = serde_json::from_str(&text)
        .map_err(|error| damaged(format!("not the metadata of a log ({error})")))?;
    if file.format != FORMAT {
        return Err(damaged(format!(
            "format {} is not known to this version",
            file.format
        )));
    }
    let log_id =
        u128::from_str_radix(&file.log_id, 16).map_err(|_| damaged("the log id is damaged".into()))?;
    let metadata = Metadata {
        log_id: log_id.to_be_bytes(),
        partitions: file.partitions,
        first_segment: file.first_segment,
    };
    if metadata.checksum() != file.crc32c {
        return Err(damaged("the checksum is wrong".into()));
    }
    Ok(Some(metadata))
}

pub fn write_metadata(dir: &Path, metadata: &Metadata) -> Result<(), OpenError> {
    let file = MetadataFile {
        format: FORMAT,
        log_id: format!("{:032x}", u128::from_be_bytes(metadata.log_id)),
        partitions: metadata.partitions,
        first_segment: metadata.first_segment,
        crc32c: metadata.checksum(),
    };
    let text = serde_json::to_vec_pretty(&file).expect("numbers and strings can always be written as JSON");
    let path = dir.join("log.json");
    write_atomically(&path, &text).map_err(failed("writing", &path))
}

/// Writes a file so that after a power cut it is there whole or not at all.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = new_path(path);
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let dir = path.parent().expect("every file of a log is in its directory");
    let result = written
        .and_then(|()| std::fs::rename(&new, path))
        .and_then(|()| sync(dir));
    if result.is_err() {
        // Best effort: whatever is left of it is removed when the log is opened again.
        let _ = std::fs::remove_file(&new);
    }
    result
}

/// The sequences of the segment files in `dir`, rising.
pub fn segments(dir: &Path) -> Result<Vec<u64>, OpenError> {
    let mut sequences: Vec<u64> = names(dir)?
        .iter()
        .filter_map(|name| name.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok())
        .collect();
    sequences.sort_unstable();
    Ok(sequences)
}

/// Removes what was being made when the process or the power went.
pub fn remove_unfinished(dir: &Path) -> Result<(), OpenError> {
    for name in names(dir)?.iter().filter(|name| name.ends_with(".new")) {
        let path = dir.join(name);
        std::fs::remove_file(&path).map_err(failed("removing", &path))?;
    }
    Ok(())
}

pub fn segment_path(dir: &Path, sequence: u64) -> PathBuf {
    dir.join(format!("segment-{sequence:010}.log"))
}

pub fn index_path(dir: &Path, sequence: u64) -> PathBuf {
    dir.join(format!("segment-{sequence:010}.idx"))
}

/// Where a file is made before it is renamed in.
pub fn new_path(path: &Path) -> PathBuf {
    let mut name = path
        .file_name()
        .expect("every file of a log has a name")
        .to_owned();
    name.push(".new");
    path.with_file_name(name)
}

pub fn random_log_id() -> Result<LogId, OpenError> {
    let path = Path::new("/dev/urandom");
    let mut id = LogId::default();
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut id))
        .map_err(failed("reading", path))?;
    Ok(id)
}

pub fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

impl Metadata {
    fn checksum(&self) -> u32 {
        let crc = crc32c::crc32c(&FORMAT.to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &self.log_id);
        let crc = crc32c::crc32c_append(crc, &self.partitions.to_le_bytes());
        crc32c::crc32c_append(crc, &self.first_segment.to_le_bytes())
    }
}

fn names(dir: &Path) -> Result<Vec<String>, OpenError> {
    std::fs::read_dir(dir)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<_>>()
        })
        .map_err(failed("listing", dir))
}
