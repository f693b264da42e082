//! Opens the files of a log: creates what a new one needs, finds where it ends, refuses what is damaged.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::{self, Lock, Metadata, failed};
use super::format::{
    BATCH_HEADER_BYTES, BatchHeader, Kind, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader, record_bytes,
};
use super::index::SegmentIndex;
use super::inspect::{Chain, Inspection, Torn, inspect, survey};
use super::segment::{self, Segment};
use super::walk::WalkError;
use crate::{Config, OpenError, Operation};

/// A log that was found or made, ready to be written to.
pub struct Recovered {
    pub lock: Lock,
    pub metadata: Metadata,
    /// In order; the last one is written to.
    pub segments: Vec<Arc<Segment>>,
    pub active: File,
    /// The segment after the last, if it was made already.
    pub spare: Option<File>,
    /// Nothing is written since the last mark.
    pub marked: bool,
    pub cut: Option<Cut>,
}

/// The remains of a batch that nobody was told about, overwritten with zeros when the log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub file: PathBuf,
    /// Where the log ends now.
    pub position: u64,
    pub bytes: u64,
    pub problem: String,
}

pub fn recover(config: &Config) -> Result<Recovered, OpenError> {
    let dir = &config.dir;
    directory::create(dir)?;
    let lock = directory::lock(dir)?;
    directory::remove_unfinished(dir)?;
    let metadata = match directory::read_metadata(dir)? {
        Some(metadata) => metadata,
        None => create(config)?,
    };
    if metadata.partitions != config.partitions {
        let (found, wanted) = (metadata.partitions, config.partitions);
        return Err(OpenError::PartitionsDiffer {
            dir: dir.clone(),
            found,
            wanted,
        });
    }
    let sequences = listed(dir, &metadata)?;
    // A name that is here may not be durable yet, if the process went before it synced the directory.
    directory::sync(dir).map_err(failed("syncing", dir))?;
    recover_segments(config, lock, metadata, &sequences)
}

/// The sequences of all segments, which must follow each other.
pub fn listed(dir: &Path, metadata: &Metadata) -> Result<Vec<u64>, OpenError> {
    let sequences = directory::segments(dir)?;
    let first = metadata.first_segment;
    let last = sequences.last().copied().unwrap_or(first);
    let missing = (first..=last).zip(sequences.iter().map(Some).chain(std::iter::repeat(None)));
    for (expected, found) in missing {
        if found != Some(&expected) {
            let why = match found {
                Some(found) => format!("the next one there is segment {found}"),
                None => "the log has no segments at all".into(),
            };
            return Err(missing_segment(dir, expected, why));
        }
    }
    Ok(sequences)
}

fn create(config: &Config) -> Result<Metadata, OpenError> {
    let dir = &config.dir;
    // The metadata is written last. A first segment without it is an interrupted creation, unless it holds anything.
    let sequences = directory::segments(dir)?;
    let path = directory::segment_path(dir, 0);
    let interrupted = sequences == [0] && is_unused(dir, 0)?;
    if !sequences.is_empty() && !interrupted {
        return Err(OpenError::Unusable {
            file: dir.join("log.json"),
            problem: "missing, though there are segments; bring it back from a backup of this very log"
                .into(),
        });
    }
    directory::settle_ancestors(dir);
    let metadata = Metadata {
        log_id: directory::random_log_id()?,
        partitions: config.partitions,
        first_segment: 0,
    };
    segment::make(dir, &header(config, &metadata, 0), &|_| {
        config.before(Operation::Prepare)
    })
    .map_err(failed("making", &path))?;
    directory::write_metadata(dir, &metadata)?;
    Ok(metadata)
}

/// The header of a segment to be made.
pub fn header(config: &Config, metadata: &Metadata, sequence: u64) -> SegmentHeader {
    let (partitions, log_id) = (metadata.partitions, metadata.log_id);
    SegmentHeader {
        partitions,
        sequence,
        capacity: config.segment_bytes,
        log_id,
    }
}

fn recover_segments(
    config: &Config,
    lock: Lock,
    metadata: Metadata,
    sequences: &[u64],
) -> Result<Recovered, OpenError> {
    let dir = &config.dir;
    let mut segments = Vec::new();
    let mut chain = Chain {
        heads: vec![0; usize::from(metadata.partitions)],
        next_batch: 0,
    };
    for (at, &sequence) in sequences.iter().enumerate() {
        let header = checked_header(dir, &metadata, sequence)?;
        if let Some(index) = closed_index(dir, &header, &chain)? {
            chain = Chain {
                heads: index.end_heads.clone(),
                next_batch: index.next_batch,
            };
            segments.push(Arc::new(Segment::new(dir, header, index)));
            continue;
        }
        let path = directory::segment_path(dir, sequence);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed("opening", &path))?;
        let inspection =
            inspect(&file, &header, Some(&chain), None).map_err(|error| refusal(error, &path))?;
        if !inspection.sealed {
            check_last(dir, &metadata, &inspection, sequence, &sequences[at + 1..])?;
        }
        settle(&file, &header, &inspection).map_err(failed("writing and syncing", &path))?;
        chain = Chain {
            heads: inspection.index.end_heads.clone(),
            next_batch: inspection.index.next_batch,
        };
        if inspection.sealed {
            write_index(dir, &header, &inspection.index);
            segments.push(Arc::new(Segment::new(dir, header, inspection.index)));
            continue;
        }
        let spare = spare(config, sequences.get(at + 1).copied())?;
        let cut = inspection.torn.map(|torn| cut(path, torn));
        segments.push(Arc::new(Segment::new(dir, header, inspection.index)));
        return Ok(Recovered {
            lock,
            metadata,
            segments,
            active: file,
            spare,
            marked: inspection.marked,
            cut,
        });
    }
    let next = sequences.last().map_or(metadata.first_segment, |last| last + 1);
    Err(missing_segment(
        dir,
        next,
        "the one before it is sealed, which is done only when the next is in place".into(),
    ))
}

pub fn checked_header(dir: &Path, metadata: &Metadata, sequence: u64) -> Result<SegmentHeader, OpenError> {
    let header = segment::read_header(dir, sequence)?;
    if header.log_id != metadata.log_id || header.partitions != metadata.partitions {
        return Err(OpenError::Corrupt {
            file: directory::segment_path(dir, sequence),
            position: 0,
            problem: "the file belongs to another log".into(),
        });
    }
    Ok(header)
}

/// The index of a closed segment from the file beside it, if it is intact and fits the segment and the one before.
fn closed_index(
    dir: &Path,
    header: &SegmentHeader,
    chain: &Chain,
) -> Result<Option<SegmentIndex>, OpenError> {
    let Ok(bytes) = std::fs::read(directory::index_path(dir, header.sequence)) else {
        return Ok(None);
    };
    let index = SegmentIndex::decode(bytes, header.log_id, header.sequence, header.partitions);
    let index =
        index.filter(|index| index.start_heads == chain.heads && index.first_batch == chain.next_batch);
    let path = directory::segment_path(dir, header.sequence);
    match index {
        Some(index) if has_seal(&path, header, &index).map_err(failed("reading", &path))? => Ok(Some(index)),
        _ => Ok(None),
    }
}

fn has_seal(path: &Path, header: &SegmentHeader, index: &SegmentIndex) -> io::Result<bool> {
    let mut bytes = vec![0; BATCH_HEADER_BYTES + record_bytes(8)];
    let Some(position) = index.end.checked_sub(bytes.len() as u64) else {
        return Ok(false);
    };
    File::open(path)?.read_exact_at(&mut bytes, position)?;
    let Ok((batch, crc)) = BatchHeader::decode(&bytes, header.seed(), position) else {
        return Ok(false);
    };
    let seal = RecordHeader::decode(&bytes[BATCH_HEADER_BYTES..], crc);
    Ok(batch.number + 1 == index.next_batch && seal.is_ok_and(|seal| seal.kind == Kind::Seal))
}

/// Writes the file that spares reading a closed segment when the log is opened. Losing it costs time only.
pub fn write_index(dir: &Path, header: &SegmentHeader, index: &SegmentIndex) {
    let path = directory::index_path(dir, header.sequence);
    if let Err(error) = directory::write_atomically(&path, &index.encode(header.log_id, header.sequence)) {
        tracing::warn!(path = %path.display(), %error, "could not write the index of a segment; opening will be slower");
    }
}

/// After a segment that is not sealed there may only be one that was made ahead and never used.
pub fn check_last(
    dir: &Path,
    metadata: &Metadata,
    inspection: &Inspection,
    sequence: u64,
    after: &[u64],
) -> Result<(), OpenError> {
    let used = match after {
        [] => false,
        [next] => {
            checked_header(dir, metadata, *next)?;
            !is_unused(dir, *next)?
        }
        _ => true,
    };
    if used {
        return Err(OpenError::Corrupt {
            file: directory::segment_path(dir, sequence),
            position: inspection.index.end,
            problem: format!(
                "the log ends here, though segment {} has been written to",
                sequence + 1
            ),
        });
    }
    Ok(())
}

fn is_unused(dir: &Path, sequence: u64) -> Result<bool, OpenError> {
    let path = directory::segment_path(dir, sequence);
    let header = segment::read_header(dir, sequence)?;
    let file = File::open(&path).map_err(failed("opening", &path))?;
    let rest = survey(&file, &header, SEGMENT_HEADER_BYTES).map_err(failed("reading", &path))?;
    Ok(rest.end.is_none())
}

/// Makes durable what was found, and nothing else: a process that was killed may have left batches that are only in
/// the cache. They are written again, because after a failed sync a page can pass for clean without being on the disk.
fn settle(file: &File, header: &SegmentHeader, inspection: &Inspection) -> io::Result<()> {
    const PIECE_BYTES: u64 = 1 << 20;
    let durable = inspection.durable_through;
    let mut at = if durable.segment == header.sequence {
        durable.byte
    } else {
        SEGMENT_HEADER_BYTES
    };
    while at < inspection.index.end {
        let mut piece = vec![0; (inspection.index.end - at).min(PIECE_BYTES) as usize];
        file.read_exact_at(&mut piece, at)?;
        file.write_all_at(&piece, at)?;
        at += piece.len() as u64;
    }
    if let Some(torn) = &inspection.torn {
        while at < torn.to {
            let length = (torn.to - at).min(PIECE_BYTES);
            file.write_all_at(&vec![0; length as usize], at)?;
            at += length;
        }
    }
    file.sync_data()
}

/// The segment made ahead, which is used only if it is as large as new ones are to be.
fn spare(config: &Config, sequence: Option<u64>) -> Result<Option<File>, OpenError> {
    let Some(sequence) = sequence else {
        return Ok(None);
    };
    let path = directory::segment_path(&config.dir, sequence);
    if segment::read_header(&config.dir, sequence)?.capacity != config.segment_bytes {
        std::fs::remove_file(&path).map_err(failed("removing", &path))?;
        return Ok(None);
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .map(Some)
        .map_err(failed("opening", &path))
}

fn cut(file: PathBuf, torn: Torn) -> Cut {
    let cut = Cut {
        file,
        position: torn.from,
        bytes: torn.to - torn.from,
        problem: torn.problem,
    };
    tracing::warn!(
        file = %cut.file.display(), position = cut.position, bytes = cut.bytes, problem = %cut.problem,
        "cut a torn tail: a batch that was being written when the power went; nobody was told that it was accepted"
    );
    cut
}

pub fn refusal(error: WalkError, path: &Path) -> OpenError {
    match error {
        WalkError::Io(source) => failed("reading", path)(source),
        WalkError::Damage(damage) => OpenError::Corrupt {
            file: path.to_owned(),
            position: damage.position,
            problem: damage.problem,
        },
    }
}

fn missing_segment(dir: &Path, sequence: u64, why: String) -> OpenError {
    OpenError::MissingSegment {
        dir: dir.to_owned(),
        file: directory::segment_path(dir, sequence),
        sequence,
        why,
    }
}
