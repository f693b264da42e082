//! Reads a whole log and lists what is wrong with it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::{self, failed};
use super::format::SegmentHeader;
use super::inspect::{Chain, Inspection, inspect};
use super::recover::{self, refusal};
use super::segment::Segment;
use super::{Shared, UNPOISONED};
use crate::{Cut, OpenError};

/// What was read and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    pub segments: u64,
    pub batches: u64,
    pub commits: u64,
    /// Of batches, without the room after them.
    pub bytes: u64,
    /// The next offset of each partition, as far as could be read.
    pub heads: Vec<u64>,
    /// Remains of a batch that would be cut if the log were opened. No problem: nobody was told of it.
    pub torn_tail: Option<Cut>,
    pub problems: Vec<Problem>,
}

/// Something wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    pub position: u64,
    pub problem: String,
}

impl VerifyReport {
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, inspection: &Inspection) {
        self.segments += 1;
        self.batches += inspection.batches;
        self.commits += inspection.commits;
        self.bytes += inspection.index.end - super::format::SEGMENT_HEADER_BYTES;
        self.heads.clone_from(&inspection.index.end_heads);
    }

    fn object(&mut self, file: &Path, error: OpenError) {
        let (position, problem) = match error {
            OpenError::Corrupt {
                position, problem, ..
            } => (position, problem),
            error => (0, error.to_string()),
        };
        self.problems.push(Problem {
            file: file.to_owned(),
            position,
            problem,
        });
    }
}

/// Verifies an open log, up to what is durable now.
pub fn verify(shared: &Shared) -> VerifyReport {
    let heads = vec![0; usize::from(shared.metadata.partitions)];
    let mut report = VerifyReport {
        heads: heads.clone(),
        ..VerifyReport::default()
    };
    let mut chain = Some(Chain { heads, next_batch: 0 });
    let segments: Vec<Arc<Segment>> = shared.segments.read().expect(UNPOISONED).clone();
    for segment in segments {
        let end = segment.index.read().expect(UNPOISONED).end;
        let header = segment.header;
        let found = File::open(&segment.path)
            .map_err(failed("opening", &segment.path))
            .and_then(|file| {
                recover::checked_header(&shared.config.dir, &shared.metadata, header.sequence)?;
                inspect(&file, &header, chain.as_ref(), Some(end))
                    .map_err(|error| refusal(error, &segment.path))
            });
        chain = note(&mut report, &segment.path, found);
    }
    report
}

/// Verifies a log that is not open.
pub fn verify_dir(dir: &Path) -> Result<VerifyReport, OpenError> {
    let metadata = directory::read_metadata(dir)?.ok_or_else(|| OpenError::Unusable {
        file: dir.join("log.json"),
        problem: "missing: this is not the directory of a log".into(),
    })?;
    let _lock = directory::lock(dir)?;
    let sequences = recover::listed(dir, &metadata)?;
    let heads = vec![0; usize::from(metadata.partitions)];
    let mut report = VerifyReport {
        heads: heads.clone(),
        ..VerifyReport::default()
    };
    let mut chain = Some(Chain { heads, next_batch: 0 });
    for (at, &sequence) in sequences.iter().enumerate() {
        let path = directory::segment_path(dir, sequence);
        let found = recover::checked_header(dir, &metadata, sequence).and_then(|header| {
            let inspection = inspect_file(&path, &header, chain.as_ref())?;
            if !inspection.sealed {
                recover::check_last(dir, &metadata, &inspection, sequence, &sequences[at + 1..])?;
            }
            Ok(inspection)
        });
        let sealed = found
            .as_ref()
            .map_or(at + 1 < sequences.len(), |inspection| inspection.sealed);
        if let Ok(Inspection { torn: Some(torn), .. }) = &found {
            let (position, bytes) = (torn.from, torn.to - torn.from);
            report.torn_tail = Some(Cut {
                file: path.clone(),
                position,
                bytes,
                problem: torn.problem.clone(),
            });
        }
        chain = note(&mut report, &path, found);
        if !sealed {
            return Ok(report);
        }
    }
    let next = sequences.last().map_or(metadata.first_segment, |last| last + 1);
    let problem = format!("segment {next} is missing: the one before it is sealed");
    report.problems.push(Problem {
        file: directory::segment_path(dir, next),
        position: 0,
        problem,
    });
    Ok(report)
}

fn inspect_file(path: &Path, header: &SegmentHeader, chain: Option<&Chain>) -> Result<Inspection, OpenError> {
    let file = File::open(path).map_err(failed("opening", path))?;
    inspect(&file, header, chain, None).map_err(|error| refusal(error, path))
}

/// Adds what was found to the report. After a problem the next segment is believed about where it starts.
fn note(report: &mut VerifyReport, path: &Path, found: Result<Inspection, OpenError>) -> Option<Chain> {
    match found {
        Ok(inspection) => {
            report.add(&inspection);
            let (heads, next_batch) = (inspection.index.end_heads, inspection.index.next_batch);
            Some(Chain { heads, next_batch })
        }
        Err(error) => {
            report.object(path, error);
            None
        }
    }
}
