//! The one thread that writes: takes everything that waits, writes it as one batch, syncs once, then answers.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::answers::Answers;
use super::batch::Batch;
use super::blocks::Blocks;
use super::format::{
    BATCH_HEADER_BYTES, Kind, RESERVED_BYTES, SEGMENT_HEADER_BYTES, encode_heads, record_bytes,
};
use super::index::SegmentIndex;
use super::position::Position;
use super::prepare::Preparer;
use super::queue::{Patience, Pending, Wake};
use super::recover;
use super::segment::{Segment, is_full};
use crate::{AppendError, Fatal, Operation};

/// A batch grows no further than this, so that nobody waits for a sync of more; a single append may be larger.
const BATCH_BYTES: usize = 8 << 20;

/// From so many appends in a batch on, if batches take no longer than this, somebody stands by to answer them until it is
/// durable. On slower disks the time that a thread takes to wake does not matter, and standing by would burn more of it.
const STANDBY_FROM: usize = 32;
const STANDBY_WITHIN: Duration = Duration::from_micros(300);

pub struct Writer {
    shared: Arc<Shared>,
    preparer: Preparer,
    segment: Arc<Segment>,
    /// Where the next batch goes.
    at: u64,
    next_batch: u64,
    /// How much of the segment is filled, as the preparer was told, in its own parts.
    part: u64,
    /// Nothing was written since the last mark.
    marked: bool,
    batch: Batch,
    /// Those whose appends are in the batch.
    answers: Answers,
    /// What has no room in the batch.
    backlog: VecDeque<Pending>,
    /// Empty; its room is used again and again.
    arrivals: Vec<Pending>,
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
            segment,
            at,
            next_batch,
            part: 0,
            marked,
            batch: Batch::new(blocks),
            answers: Answers::default(),
            backlog: VecDeque::new(),
            arrivals: Vec::new(),
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
        let shared = Arc::clone(&self.shared);
        let mut arrivals = std::mem::take(&mut self.arrivals);
        let (wake, are_slow) = shared.queue.gather(&patience, &mut arrivals, |arrivals| {
            self.backlog.extend(arrivals.drain(..));
            self.take_in();
            self.backlog.is_empty()
        });
        self.arrivals = arrivals;
        self.tempo
            .gathered(self.answers.len() + self.backlog.len(), are_slow);
        wake
    }

    /// Puts as much of the backlog into the batch as fits.
    fn take_in(&mut self) {
        while let Some(pending) = self.backlog.pop_front() {
            if !self.has_room_for(&pending) {
                return self.backlog.push_front(pending);
            }
            if self.batch.is_empty() {
                self.batch.begin();
                if self.at == SEGMENT_HEADER_BYTES {
                    let heads = encode_heads(&self.shared.heads());
                    self.batch.add_record(Kind::Start, &heads);
                }
            }
            let queue = &self.shared.queue;
            self.answers.know(pending.runtime, || queue.runtimes());
            self.answers.add(pending.caller, pending.runtime, pending.first);
            self.batch.add(pending.partition, pending.first, pending.commits);
        }
        if self.answers.len() >= STANDBY_FROM && self.tempo.commit < STANDBY_WITHIN {
            self.answers.expect();
        }
    }

    /// What is expected to be first in its batch goes to the next segment if there is no room.
    fn has_room_for(&self, pending: &Pending) -> bool {
        if pending.commits.is_empty() {
            return true;
        }
        let is_first = self.batch.is_empty();
        let before = if is_first {
            self.start_bytes()
        } else {
            self.batch.body_bytes()
        };
        let bytes = before + pending.bytes();
        self.fits(bytes) && (is_first || bytes <= BATCH_BYTES)
    }

    /// Writes the batch, with as much of the backlog as fits, and answers it.
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
            .committed(started.elapsed(), self.answers.len() + waiting);
        self.publish();
        // Only now, for nobody has to wait for it.
        self.shared.memory.lock().expect(UNPOISONED).forget();
        Ok(())
    }

    /// Goes on to the next segment if the batch is empty because the first append of the backlog has no room in this one.
    fn make_room(&mut self) -> Result<(), Failure> {
        let first = self.backlog.front().filter(|_| self.batch.is_empty());
        if first.is_none_or(|first| self.has_room_for(first)) {
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
        let blocks = Blocks::new(file, &segment.path, self.at).map_err(|error| {
            let doing = format!("going on in {}", segment.path.display());
            Failure::Fatal(Fatal { doing, error })
        })?;
        self.batch.go_on(blocks);
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
        self.batch.begin();
        self.batch.add_record(Kind::Seal, &next.to_le_bytes());
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
        self.batch.begin();
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
        self.take_in();
        if !self.batch.has_commits() {
            // Barriers only: everything before them has been made durable.
            return Ok(());
        }
        self.marked = false;
        self.write_and_sync()
    }

    fn write_and_sync(&mut self) -> Result<(), Failure> {
        let at = Position {
            segment: self.segment.header.sequence,
            byte: self.at,
        };
        self.batch
            .complete(self.next_batch, self.segment.header.seed(), at);
        let config = &self.shared.config;
        let fatal = |doing: &str, error| {
            let doing = format!("{doing} {} at byte {}", self.segment.path.display(), self.at);
            Failure::Fatal(Fatal { doing, error })
        };
        let write = config
            .before(Operation::Write)
            .and_then(|()| self.batch.write(self.at));
        match write {
            Ok(()) => {}
            Err(error) if is_full(&error) => {
                // Only where overwriting needs room (copy on write). Whatever got written must not stay.
                return Err(self.batch.erase(self.at).map_or_else(
                    |error| fatal("erasing a part of a batch in", error),
                    |()| Failure::Full,
                ));
            }
            Err(error) => return Err(fatal("writing to", error)),
        }
        config
            .before(Operation::Sync)
            .and_then(|()| self.batch.sync())
            .map_err(|error| fatal("syncing", error))
    }

    /// Makes the batch that was just synced visible, and answers it.
    fn publish(&mut self) {
        let shared = Arc::clone(&self.shared);
        // Locked before the new heads are to be seen: who looks for what is below them waits until it is there. To put it
        // there takes as long as callers who were answered need to come back, and is done meanwhile.
        let mut memory = shared.memory.lock().expect(UNPOISONED);
        self.publish_heads();
        self.answers.give();
        for (partition, commits) in self.batch.take() {
            commits.each(|commit| memory.push(partition, [commit]));
        }
    }

    fn publish_heads(&mut self) {
        if !self.batch.has_commits() {
            return;
        }
        {
            let mut index = self.segment.index.write().expect(UNPOISONED);
            for (partition, commits) in self.batch.counts() {
                index.add(partition, commits, self.at);
            }
        }
        self.advance();
        self.shared
            .publish_heads(&self.segment.index.read().expect(UNPOISONED).end_heads);
    }

    fn advance(&mut self) {
        self.at += self.batch.bytes();
        self.batch.advance();
        self.next_batch += 1;
        self.preparer
            .keep_up(&mut self.part, self.at, self.segment.header.capacity);
        let mut index = self.segment.index.write().expect(UNPOISONED);
        index.end = self.at;
        index.next_batch = self.next_batch;
    }

    /// Answers everything that waits with an error; what comes later starts over from what is durable.
    fn refuse_all(&mut self, error: AppendError) {
        self.batch.begin();
        // Before anybody is told, for who is may come again at once.
        self.shared.queue.reset(self.shared.heads(), &mut self.backlog);
        self.answers.refuse(error);
        for pending in self.backlog.drain(..) {
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
