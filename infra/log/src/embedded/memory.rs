//! The youngest commits, kept in memory for readers that follow the log.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::Record;

/// A bounded window on the end of every partition. The oldest commit of all partitions goes first.
pub struct Memory {
    partitions: Vec<Window>,
    /// The partition of each commit kept, oldest first.
    order: VecDeque<u16>,
    bytes: usize,
    bytes_max: usize,
}

struct Window {
    /// The offset of the first commit kept; the head when there is none.
    from: u64,
    commits: VecDeque<Bytes>,
}

impl Memory {
    pub fn new(heads: &[u64], bytes_max: usize) -> Self {
        let partitions = heads
            .iter()
            .map(|&from| Window {
                from,
                commits: VecDeque::new(),
            })
            .collect();
        Self {
            partitions,
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    pub fn push(&mut self, partition: u16, commits: impl IntoIterator<Item = Bytes>) {
        for commit in commits {
            self.bytes += kept_bytes(&commit);
            self.order.push_back(partition);
            self.partitions[usize::from(partition)].commits.push_back(commit);
        }
    }

    /// Drops the oldest commits that are more than may be kept.
    pub fn forget(&mut self) {
        while self.bytes > self.bytes_max {
            let oldest = self
                .order
                .pop_front()
                .expect("bytes are kept, so there is a commit");
            let window = &mut self.partitions[usize::from(oldest)];
            let commit = window
                .commits
                .pop_front()
                .expect("the order names each commit kept once");
            window.from += 1;
            self.bytes -= kept_bytes(&commit);
        }
    }

    /// Commits from `from` on, or `None` if they are no longer all here.
    pub fn read(&self, partition: u16, from: u64, bytes_max: usize) -> Option<Vec<Record>> {
        let window = &self.partitions[usize::from(partition)];
        let skipped = usize::try_from(from.checked_sub(window.from)?).ok()?;
        let mut bytes = 0;
        let records = window
            .commits
            .iter()
            .skip(skipped)
            .zip(from..)
            .take_while(|(payload, offset)| {
                bytes += payload.len();
                bytes <= bytes_max || *offset == from
            });
        Some(
            records
                .map(|(payload, offset)| Record {
                    offset,
                    payload: payload.clone(),
                })
                .collect(),
        )
    }
}

/// With what keeping it costs, so that many small or empty commits are bounded too.
fn kept_bytes(commit: &Bytes) -> usize {
    commit.len() + 64
}
