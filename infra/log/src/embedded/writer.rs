//! The one thread that writes: takes everything that waits, writes it as one batch, syncs once, then answers.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::answers::Answers;
use super::blocks::Blocks;
use super::format::{
    BATCH_HEADER_BYTES, BatchHeader, Kind, RESERVED_BYTES, SEGMENT_HEADER_BYTES, encode_heads, encode_record,
    record_bytes,
};
use super::index::SegmentIndex;
use super::position::Position;
use super::prepare::Preparer;
use super::queue::{Commits, Patience, Pending, Wake};
use super::recover;
use super::segment::{Segment, is_full};
use crate::{AppendError, Fatal, Operation};

/// A batch grows no further than this, so that nobody waits for a sync of more; a single append may be larger.
const BATCH_BYTES: usize = 8 << 20;

/// From so many appends in a batch on, if batches take no longer than this, somebody stands by to answer them. On slower
/// disks the time that a thread takes to wake does not matter, and standing by would burn more of it.
const STANDBY_FROM: usize = 32;
const STANDBY_WITHIN: Duration = Duration::from_micros(300);

pub struct Writer {
    shared: Arc<Shared>,
    preparer: Preparer,
    blocks: Blocks,
    segment: Arc<Segment>,
    /// Where the next batch goes.
    at: u64,
    next_batch: u64,
    /// How much of the segment is filled, as the preparer was told, in its own parts.
    part: u64,
    /// Nothing was written since the last mark.
    marked: bool,
    backlog: VecDeque<Pending>,
    batch: Vec<Pending>,
    /// What is still to be put into memory of a batch that was answered.
    published: Vec<(u16, Commits)>,
    answers: Answers,
    tempo: Tempo,
}

/// Why a batch was not written.
enum Failure {
    /// Nothing of it is kept.
    Full,
    /// What is on the disk is unknown.
    Fatal(Fatal),
}

impl Writer {
    pub fn new(
        shared: Arc<Shared>,
        preparer: Preparer,
        file: File,
        segment: Arc<Segment>,
        marked: bool,
    ) -> io::Result<Self> {
        let (at, next_batch) = {
            let index = segment.index.read().expect(UNPOISONED);
            (index.end, index.next_batch)
        };
        let blocks = Blocks::new(file, &segment.path, at)?;
        Ok(Self {
            shared,
            preparer,
            blocks,
            segment,
            at,
            next_batch,
            part: 0,
            marked,
            backlog: VecDeque::new(),
            batch: Vec::new(),
            published: Vec::new(),
            answers: Answers::default(),
            tempo: Tempo::default(),
        })
    }

    /// Runs until the queue is closed or something fatal happens.
    pub fn run(mut self) {
        if let Err(fatal) = self.serve() {
            // First of all nothing more is taken, so that nothing is acknowledged whatever the hook does.
            self.shared.queue.stop();
            (self.shared.config.on_fatal)(&fatal);
            self.refuse_all(AppendError::Stopped);
        }
    }

    fn serve(&mut self) -> Result<(), Fatal> {
        loop {
            let wake = if self.backlog.is_empty() {
                self.gather()
            } else {
                Wake::Work
            };
            match wake {
                Wake::Work => self.commit()?,
                Wake::Idle => self.mark()?,
                Wake::Closing => return self.mark(),
            }
        }
    }

    fn gather(&mut self) -> Wake {
        let idle = (!self.marked).then_some(self.shared.config.mark_after);
        let patience = Patience {
            expected: self.tempo.expected,
            window: self.tempo.window(),
            waits: self.tempo.waits(),
            idle,
        };
        let (wake, are_slow) = self.shared.queue.gather(&mut self.backlog, &patience);
        self.tempo.gathered(self.backlog.len(), are_slow);
        wake
    }

    /// Writes as much of the backlog as fits into one batch, and answers it.
    fn commit(&mut self) -> Result<(), Fatal> {
        let started = Instant::now();
        match self.make_room().and_then(|()| self.write_batch()) {
            Ok(()) => {}
            Err(Failure::Full) => {
                self.refuse_all(AppendError::Full);
                return Ok(());
            }
            Err(Failure::Fatal(fatal)) => return Err(fatal),
        }
        // While the batch was made durable others came, and those just answered may come again.
        let waiting = self.shared.queue.waiting();
        self.tempo
            .committed(started.elapsed(), self.batch.len() + waiting);
        self.publish();
        // Only now, for nobody has to wait for it.
        self.shared.memory.lock().expect(UNPOISONED).forget();
        Ok(())
    }

    /// Goes on to the next segment if the first append of the backlog has no room in this one.
    fn make_room(&mut self) -> Result<(), Failure> {
        let first = self.backlog.front().map_or(0, |pending| pending.bytes());
        if first == 0 || self.fits(self.start_bytes() + first) {
            return Ok(());
        }
        let sequence = self.segment.header.sequence + 1;
        let file = self.preparer.take(sequence).map_err(|error| {
            let doing = format!("making segment {sequence}");
            if is_full(&error) {
                Failure::Full
            } else {
                Failure::Fatal(Fatal { doing, error })
            }
        })?;
        self.seal(sequence).map_err(Failure::Fatal)?;
        self.at = SEGMENT_HEADER_BYTES;
        let header = recover::header(&self.shared.config, &self.shared.metadata, sequence);
        let index = SegmentIndex::empty(self.shared.heads(), self.next_batch, self.at);
        let segment = Arc::new(Segment::new(&self.shared.config.dir, header, index));
        self.blocks = Blocks::new(file, &segment.path, self.at).map_err(|error| {
            let doing = format!("going on in {}", segment.path.display());
            Failure::Fatal(Fatal { doing, error })
        })?;
        let closed = std::mem::replace(&mut self.segment, Arc::clone(&segment));
        self.shared.segments.write().expect(UNPOISONED).push(segment);
        self.part = 0;
        // In this order, for making the next one takes as long as this one lasts.
        self.preparer.index(closed);
        self.preparer.ask(sequence + 1);
        Ok(())
    }

    /// Says in this segment that the next one exists, durably, before anything is written there: so a missing last
    /// segment is noticed.
    fn seal(&mut self, next: u64) -> Result<(), Fatal> {
        let start = self.encode_header(record_bytes(8), 1);
        encode_record(Kind::Seal, 0, 0, &next.to_le_bytes(), start, self.blocks.batch());
        self.write_and_sync().map_err(|failure| match failure {
            Failure::Fatal(fatal) => fatal,
            Failure::Full => Fatal {
                doing: format!("sealing {}", self.segment.path.display()),
                error: io::ErrorKind::StorageFull.into(),
            },
        })?;
        self.advance();
        Ok(())
    }

    /// Moves `durable_through` past the last batch, so that damage to it is told from a torn tail.
    fn mark(&mut self) -> Result<(), Fatal> {
        // There is room: some is kept free behind every batch. An empty segment needs no mark.
        if self.marked || self.at == SEGMENT_HEADER_BYTES {
            return Ok(());
        }
        self.encode_header(0, 0);
        match self.write_and_sync() {
            Ok(()) => self.advance(),
            // The mark can wait until there is room again.
            Err(Failure::Full) => {}
            Err(Failure::Fatal(fatal)) => return Err(fatal),
        }
        self.marked = true;
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), Failure> {
        let mut body_bytes = self.start_bytes();
        let mut records = u32::from(body_bytes > 0);
        let mut count = 0;
        for pending in &self.backlog {
            let bytes = body_bytes + pending.bytes();
            let full = !self.fits(bytes) || (bytes > BATCH_BYTES && count > 0);
            if full && !pending.commits.is_empty() {
                break;
            }
            body_bytes = bytes;
            records +=
                u32::try_from(pending.commits.len()).expect("an append has far fewer than 4 G commits");
            count += 1;
        }
        self.batch.extend(self.backlog.drain(..count));
        if self.batch.iter().all(|pending| pending.commits.is_empty()) {
            // Barriers only: everything before them has been made durable.
            return Ok(());
        }
        let crc = self.encode_header(body_bytes, records);
        if self.at == SEGMENT_HEADER_BYTES {
            let heads = encode_heads(&self.shared.heads());
            encode_record(Kind::Start, 0, 0, &heads, crc, self.blocks.batch());
        }
        for pending in &self.batch {
            for (offset, commit) in (pending.first..).zip(pending.commits.iter()) {
                encode_record(
                    Kind::Commit,
                    pending.partition,
                    offset,
                    commit,
                    crc,
                    self.blocks.batch(),
                );
            }
        }
        self.marked = false;
        self.write_and_sync()
    }

    /// Begins the batch at the end of the log. Everything before it has been synced.
    fn encode_header(&mut self, body_bytes: usize, records: u32) -> u32 {
        let header = BatchHeader {
            number: self.next_batch,
            durable_through: Position {
                segment: self.segment.header.sequence,
                byte: self.at,
            },
            body_bytes: u32::try_from(body_bytes).expect("a batch is smaller than its segment"),
            records,
        };
        self.blocks.begin(BATCH_HEADER_BYTES + body_bytes);
        header.encode(self.segment.header.seed(), self.at, self.blocks.batch())
    }

    fn write_and_sync(&mut self) -> Result<(), Failure> {
        let config = &self.shared.config;
        let fatal = |doing: &str, error| {
            let doing = format!("{doing} {} at byte {}", self.segment.path.display(), self.at);
            Failure::Fatal(Fatal { doing, error })
        };
        let write = config
            .before(Operation::Write)
            .and_then(|()| self.blocks.write(self.at));
        match write {
            Ok(()) => {}
            Err(error) if is_full(&error) => {
                // Only where overwriting needs room (copy on write). Whatever got written must not stay.
                return Err(self.blocks.erase(self.at).map_or_else(
                    |error| fatal("erasing a part of a batch in", error),
                    |()| Failure::Full,
                ));
            }
            Err(error) => return Err(fatal("writing to", error)),
        }
        if let Some(first) = self.batch.first().filter(|_| self.batch.len() >= STANDBY_FROM)
            && self.tempo.commit < STANDBY_WITHIN
        {
            let queue = &self.shared.queue;
            self.answers.know(first.runtime, || queue.runtimes());
            self.answers.expect(first.runtime);
        }
        config
            .before(Operation::Sync)
            .and_then(|()| self.blocks.sync())
            .map_err(|error| fatal("syncing", error))
    }

    /// Makes the batch that was just synced visible, and answers it.
    fn publish(&mut self) {
        let shared = Arc::clone(&self.shared);
        // Locked before the new heads are to be seen: who looks for what is below them waits until it is there. To put it
        // there takes as long as callers who were answered need to come back, and is done meanwhile.
        let mut memory = shared.memory.lock().expect(UNPOISONED);
        self.publish_heads();
        for pending in self.batch.drain(..) {
            self.answers.know(pending.runtime, || shared.queue.runtimes());
            self.answers.add(pending.caller, pending.runtime, pending.first);
            self.published.push((pending.partition, pending.commits));
        }
        self.answers.give();
        for (partition, commits) in self.published.drain(..) {
            commits.each(|commit| memory.push(partition, [commit]));
        }
    }

    fn publish_heads(&mut self) {
        if self.batch.iter().all(|pending| pending.commits.is_empty()) {
            return;
        }
        {
            let mut index = self.segment.index.write().expect(UNPOISONED);
            for pending in self.batch.iter().filter(|pending| !pending.commits.is_empty()) {
                index.add(pending.partition, pending.commits.len() as u64, self.at);
            }
        }
        self.advance();
        self.shared
            .publish_heads(&self.segment.index.read().expect(UNPOISONED).end_heads);
    }

    fn advance(&mut self) {
        self.at += self.blocks.batch_bytes() as u64;
        self.blocks.advance();
        self.next_batch += 1;
        self.preparer
            .keep_up(&mut self.part, self.at, self.segment.header.capacity);
        let mut index = self.segment.index.write().expect(UNPOISONED);
        index.end = self.at;
        index.next_batch = self.next_batch;
    }

    /// Answers everything that waits with an error; what comes later starts over from what is durable.
    fn refuse_all(&mut self, error: AppendError) {
        let mut refused: VecDeque<Pending> = self.batch.drain(..).collect();
        refused.append(&mut self.backlog);
        self.shared.queue.reset(self.shared.heads(), &mut refused);
        for pending in refused {
            // Whoever dropped the receiver does not want to know.
            let _ = pending.caller.send(Err(error));
        }
    }

    /// What the start record takes, which is due in the first batch of a segment.
    fn start_bytes(&self) -> usize {
        if self.at == SEGMENT_HEADER_BYTES {
            start_bytes(self.shared.metadata.partitions)
        } else {
            0
        }
    }

    fn fits(&self, body_bytes: usize) -> bool {
        let end = self.at + (BATCH_HEADER_BYTES + body_bytes) as u64 + RESERVED_BYTES;
        end <= self.segment.header.capacity
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.queue.stop();
            let error = io::Error::other("the writer panicked");
            (self.shared.config.on_fatal)(&Fatal {
                doing: "writing".into(),
                error,
            });
        }
    }
}

/// The most bytes one append may take with its record headers.
pub fn append_bytes_max(segment_bytes: u64, partitions: u16) -> usize {
    let taken = SEGMENT_HEADER_BYTES + RESERVED_BYTES + (BATCH_HEADER_BYTES + start_bytes(partitions)) as u64;
    usize::try_from(segment_bytes.saturating_sub(taken))
        .unwrap_or(usize::MAX)
        .min(2 * BATCH_BYTES)
}

fn start_bytes(partitions: u16) -> usize {
    record_bytes(8 * usize::from(partitions))
}

/// How long a batch takes and how many come at once, to decide how long to wait for more.
#[derive(Default)]
struct Tempo {
    commit: Duration,
    expected: usize,
    /// How often in a row waiting did not bring those who were expected.
    disappointed: u32,
    /// For so many batches more those who are expected are taken to come slowly.
    slow: u32,
}

impl Tempo {
    fn committed(&mut self, took: Duration, expected: usize) {
        // Most of the past and a little of the present: one slow sync is no reason to wait long.
        self.commit = (self.commit * 7 + took) / 8;
        self.expected = expected;
    }

    /// A part of what the sync takes anyway, less each time it was for nothing.
    fn window(&self) -> Duration {
        const WINDOW_MAX: Duration = Duration::from_millis(2);
        (self.commit / 4).min(WINDOW_MAX) / (1 << self.disappointed.min(8))
    }

    /// Callers who have much to do between two appends need the core that waiting for them would take, and the disk has nothing
    /// to do meanwhile: they are not waited for.
    const fn waits(&self) -> bool {
        self.slow == 0
    }

    fn gathered(&mut self, count: usize, are_slow: bool) {
        const TRY_AGAIN_AFTER: u32 = 64;
        self.slow = match are_slow {
            true => TRY_AGAIN_AFTER,
            false => self.slow.saturating_sub(1),
        };
        let enough = 4 * count >= 3 * self.expected;
        self.disappointed = if enough || self.disappointed >= TRY_AGAIN_AFTER {
            0
        } else {
            self.disappointed + 1
        };
    }
}

const UNPOISONED: &str = "nothing panics while it holds this";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_who_come_slowly_are_not_waited_for_until_they_are_looked_at_again() {
        let mut tempo = Tempo::default();
        assert!(tempo.waits());
        tempo.gathered(1, true);
        let batches = (0..1_000).take_while(|_| {
            let is_slow = !tempo.waits();
            tempo.gathered(1, false);
            is_slow
        });
        assert_eq!(batches.count(), 64);
        assert!(tempo.waits());
    }
}
