//! The segments of a rendition, some to a row, so that one more never rewrites a whole film's list.

use crate::view::ViewError;
use serde::{Deserialize, Serialize};
use spool_domain::ids::VideoId;
use spool_domain::media::Segment;

/// About 1.5 KiB a row, and 30 rows for a film of two hours.
const CHUNK: u32 = 64;

/// Segments in a row by the same attempt; the number of the first is `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub attempt: u32,
    pub from: u32,
    pub segments: Vec<Segment>,
}

/// One row: the segments with numbers of the same multiple of [`CHUNK`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Chunk {
    pub runs: Vec<Run>,
}

#[derive(Serialize, Deserialize)]
struct Written(Vec<WrittenRun>);

/// Attempt, number of the first, and milliseconds and bytes of each.
type WrittenRun = (u32, u32, Vec<(u32, u32)>);

pub fn pk(video: VideoId, rendition: &str) -> String {
    format!("{video}/{rendition}")
}

pub fn sk(index: u32) -> String {
    format!("{:06}", index / CHUNK)
}

/// The sort keys of all rows that `count` segments are in.
pub fn sks(count: u32) -> impl Iterator<Item = String> {
    (0..count.div_ceil(CHUNK)).map(|chunk| format!("{chunk:06}"))
}

/// Cuts segments that begin at number `from` into what belongs to each row.
pub fn cut(from: u32, segments: &[Segment]) -> impl Iterator<Item = (u32, &[Segment])> {
    let mut rest = segments;
    let mut next = from;
    std::iter::from_fn(move || {
        let room = (CHUNK - next % CHUNK) as usize;
        let (here, after) = rest.split_at(room.min(rest.len()));
        rest = after;
        let at = next;
        next += u32::try_from(here.len()).unwrap_or(u32::MAX);
        (!here.is_empty()).then_some((at, here))
    })
}

/// Leaves the first `count` segments.
pub fn truncate(runs: &mut Vec<Run>, count: u32) {
    runs.retain_mut(|run| {
        run.segments.truncate(count.saturating_sub(run.from) as usize);
        !run.segments.is_empty()
    });
}

impl Run {
    const fn next(&self) -> u32 {
        self.from + self.segments.len() as u32
    }

    pub fn append_to(self, runs: &mut Vec<Self>) {
        match runs.last_mut() {
            Some(last) if last.attempt == self.attempt && last.next() == self.from => {
                last.segments.extend(self.segments);
            }
            _ => runs.push(self),
        }
    }
}

impl Chunk {
    pub fn append(&mut self, run: Run) -> Result<(), ViewError> {
        let next = self.runs.last().map_or(run.from - run.from % CHUNK, Run::next);
        if next != run.from {
            return Err(ViewError::poison(format!(
                "segment {} does not follow segment {next}",
                run.from
            )));
        }
        run.append_to(&mut self.runs);
        Ok(())
    }

    /// The attempt that published segment `index`, and the segment.
    pub fn find(&self, index: u32) -> Option<(u32, Segment)> {
        self.runs.iter().find_map(|run| {
            let segment = run.segments.get(index.checked_sub(run.from)? as usize)?;
            Some((run.attempt, *segment))
        })
    }
}

impl From<Written> for Chunk {
    fn from(written: Written) -> Self {
        let run = |(attempt, from, segments): WrittenRun| Run {
            attempt,
            from,
            segments: segments
                .into_iter()
                .map(|(duration_ms, bytes)| Segment { duration_ms, bytes })
                .collect(),
        };
        Self {
            runs: written.0.into_iter().map(run).collect(),
        }
    }
}

impl From<Chunk> for Written {
    fn from(chunk: Chunk) -> Self {
        let pairs = |run: Run| {
            let segments = run
                .segments
                .iter()
                .map(|segment| (segment.duration_ms, segment.bytes));
            (run.attempt, run.from, segments.collect())
        };
        Self(chunk.runs.into_iter().map(pairs).collect())
    }
}
