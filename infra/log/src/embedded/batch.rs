//! The batch that is being made. Commits are put into it as they arrive, while others are on their way, so that little is
//! left to do when the last one is there: it is then that the disk is waited for.

use std::io;

use super::blocks::Blocks;
use super::format::{BATCH_HEADER_BYTES, BatchHeader, Kind, encode_record, record_bytes};
use super::position::Position;
use super::queue::Commits;

pub struct Batch {
    blocks: Blocks,
    /// Barriers count as well, which have no records.
    appends: usize,
    records: u32,
    /// By partition, in the order of their records.
    commits: Vec<(u16, Commits)>,
}

impl Batch {
    /// An empty one, to be written where `blocks` end.
    pub fn new(blocks: Blocks) -> Self {
        Self {
            blocks,
            appends: 0,
            records: 0,
            commits: Vec::new(),
        }
    }

    /// Goes on at the end of other blocks.
    pub fn go_on(&mut self, blocks: Blocks) {
        self.blocks = blocks;
    }

    /// Begins anew. Whatever was not written is dropped.
    pub fn begin(&mut self) {
        self.blocks.begin();
        let room = self.blocks.room(BATCH_HEADER_BYTES);
        room.resize(room.len() + BATCH_HEADER_BYTES, 0);
        self.appends = 0;
        self.records = 0;
        self.commits.clear();
    }

    /// Whether no append was added since it began.
    pub fn is_empty(&self) -> bool {
        self.appends == 0
    }

    pub fn has_commits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// The bytes of its records.
    pub fn body_bytes(&self) -> usize {
        self.blocks.batch_bytes() - BATCH_HEADER_BYTES
    }

    /// All its bytes.
    pub fn bytes(&self) -> u64 {
        self.blocks.batch_bytes() as u64
    }

    /// Adds the record of a segment's start or end.
    pub fn add_record(&mut self, kind: Kind, payload: &[u8]) {
        self.put(kind, 0, 0, payload);
    }

    /// Adds an append, the first of whose commits goes to offset `first`.
    pub fn add(&mut self, partition: u16, first: u64, commits: Commits) {
        for (offset, commit) in (first..).zip(commits.iter()) {
            self.put(Kind::Commit, partition, offset, commit);
        }
        self.appends += 1;
        if !commits.is_empty() {
            self.commits.push((partition, commits));
        }
    }

    fn put(&mut self, kind: Kind, partition: u16, offset: u64, payload: &[u8]) {
        let room = self.blocks.room(record_bytes(payload.len()));
        encode_record(kind, partition, offset, payload, room);
        self.records += 1;
    }

    /// To be called before it is written: fills in the header and the checksums, which continue the header's. Everything before
    /// `at`, where it will stand, has been synced.
    pub fn complete(&mut self, number: u64, seed: u32, at: Position) {
        let header = BatchHeader {
            number,
            durable_through: at,
            body_bytes: u32::try_from(self.body_bytes()).expect("a batch is smaller than its segment"),
            records: self.records,
        };
        header.complete(seed, at.byte, self.blocks.batch());
    }

    /// Writes it at byte `at`. It is durable after [`Batch::sync`].
    pub fn write(&mut self, at: u64) -> io::Result<()> {
        self.blocks.write(at)
    }

    pub fn sync(&self) -> io::Result<()> {
        self.blocks.sync()
    }

    /// Writes zeros in its place, and syncs them.
    pub fn erase(&mut self, at: u64) -> io::Result<()> {
        self.blocks.erase(at)
    }

    /// It stands; the next one goes behind it.
    pub fn advance(&mut self) {
        self.blocks.advance();
    }

    /// How many commits there are of which partition, in order.
    pub fn counts(&self) -> impl Iterator<Item = (u16, u64)> {
        self.commits
            .iter()
            .map(|(partition, commits)| (*partition, commits.len() as u64))
    }

    /// Ends it, and gives its commits by partition, in order.
    pub fn take(&mut self) -> impl Iterator<Item = (u16, Commits)> {
        self.appends = 0;
        self.commits.drain(..)
    }
}
