//! What commits in flight have changed, so that it can be taken back when the log refuses them.

use crate::partition::{Source, SourcePosition, Tip};
use crate::streams::Entry;
use spool_domain::ids::StreamId;
use spool_log::AppendError;
use std::collections::VecDeque;
use uuid::Uuid;

/// How everything was before one commit.
pub struct Undo {
    pub offset: u64,
    pub stream: StreamId,
    pub before: Entry,
    pub command: Uuid,
    /// What the commit moved on: the process manager, its source, and where it stood.
    pub origin: Option<(Source, Option<SourcePosition>)>,
    pub tip: Tip,
}

/// The commits that may not be durable yet, oldest first. Each append to the partition has a ticket;
/// tickets rise and are never used again, unlike offsets.
#[derive(Default)]
pub struct Undos {
    commits: VecDeque<(u64, Undo)>,
    tickets: u64,
}

impl Undos {
    /// The ticket of the last append.
    pub const fn last_ticket(&self) -> u64 {
        self.tickets
    }

    /// A ticket for an append that changes nothing.
    pub const fn barrier(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    pub fn commit(&mut self, undo: Undo) {
        self.tickets += 1;
        self.commits.push_back((self.tickets, undo));
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// The append of `ticket` was accepted, and so was everything before it.
    pub fn forget_through(&mut self, ticket: u64) {
        while self.commits.front().is_some_and(|(queued, _)| *queued <= ticket) {
            self.commits.pop_front();
        }
    }

    /// Everything below `head` is durable and will not be taken back.
    pub fn forget_below(&mut self, head: u64) {
        while self.commits.front().is_some_and(|(_, undo)| undo.offset < head) {
            self.commits.pop_front();
        }
    }

    /// Gives up what must be taken back, latest first, after the log has refused the append of `ticket`
    /// while everything below `head` was durable.
    pub fn refused(&mut self, ticket: u64, head: u64, error: AppendError) -> impl Iterator<Item = Undo> {
        let first = match error {
            // The log has given up all that was waiting. What was queued before this append and is not
            // durable is lost with it, and whoever has queued it may not have noticed yet.
            AppendError::Full
            | AppendError::Conflict { .. }
            | AppendError::NotOwner
            | AppendError::Unknown => self
                .commits
                .iter()
                .position(|(queued, undo)| *queued <= ticket && undo.offset >= head),
            // This append is lost and what builds on it; what was queued before may still come through.
            AppendError::TooLarge { .. } | AppendError::Stopped => {
                self.commits.iter().position(|(queued, _)| *queued == ticket)
            }
        };
        let lost = self.commits.split_off(first.unwrap_or(self.commits.len()));
        lost.into_iter().rev().map(|(_, undo)| undo)
    }
}
