//! Which records count: the same answer for everybody who reads the same log.

use std::marker::PhantomData;

use super::record::{Claim, Commits, Record};
use super::rules::{Rules, Sound};
use crate::Owner;

/// What one partition's records up to some point amount to. It is all that a reader must remember to go on from there.
#[derive(Debug, PartialEq, Eq)]
pub struct Fold<R = Sound> {
    /// Where the next record is read, by the server's count.
    pub next_offset: u64,
    /// How many commits were accepted: the offset of the next one, by our count.
    pub number: u64,
    /// Whose term runs; nobody's before the first claim.
    pub owner: Option<Owner>,
    /// The claim that began the term.
    pub claim: u128,
    pub next_seq: u64,
    /// Something of the term is missing, so nothing more of it counts.
    pub dead: bool,
    pub rules: PhantomData<R>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A term begins.
    Claimed,
    Accepted,
    Void,
}

impl<R: Rules> Fold<R> {
    pub fn term(&self) -> u64 {
        self.owner.as_ref().map_or(0, |owner| owner.term)
    }

    /// Takes in the record at `offset`. Records are taken in the order of their offsets, without leaving any out.
    pub fn take(&mut self, offset: u64, record: &Record) -> Verdict {
        self.pass(offset);
        match record {
            Record::Claim(claim) => self.claimed(claim),
            Record::Commits(commits) => self.committed(commits),
        }
    }

    /// Passes over a record at `offset` that is none of ours.
    pub fn pass(&mut self, offset: u64) {
        debug_assert!(offset >= self.next_offset, "records are taken in order");
        self.next_offset = offset + 1;
    }

    fn claimed(&mut self, claim: &Claim) -> Verdict {
        let begins = claim.owner.term > self.term()
            || (R::EQUAL_TERMS_CLAIM && claim.owner.term == self.term() && claim.id != self.claim);
        if !begins {
            return Verdict::Void;
        }
        self.owner = Some(claim.owner.clone());
        self.claim = claim.id;
        self.next_seq = 1;
        self.dead = false;
        Verdict::Claimed
    }

    fn committed(&mut self, record: &Commits) -> Verdict {
        let count = record.commits.len() as u64;
        let stale = record.term < self.term();
        if stale && R::STALE_TERMS_COUNT {
            self.number += count;
            return Verdict::Accepted;
        }
        let running = self.owner.as_ref().is_some_and(|owner| owner.term == record.term);
        if !running || (self.dead && !R::DEAD_TERMS_COUNT) {
            return Verdict::Void;
        }
        let repeated = record.seq < self.next_seq;
        if repeated && !R::REPEATS_COUNT {
            return Verdict::Void;
        }
        let gap = record.seq > self.next_seq && !R::GAPS_COUNT;
        // A writer counts as we do. If not, the log has lost what it had accepted, and the writer must read it again.
        let miscounted = record.number != self.number && !repeated && !R::GAPS_COUNT;
        if gap || miscounted {
            self.dead = true;
            return Verdict::Void;
        }
        self.next_seq = self.next_seq.max(record.seq + 1);
        self.number += count;
        Verdict::Accepted
    }
}

impl<R> Default for Fold<R> {
    fn default() -> Self {
        Self {
            next_offset: 0,
            number: 0,
            owner: None,
            claim: 0,
            next_seq: 1,
            dead: false,
            rules: PhantomData,
        }
    }
}

impl<R> Clone for Fold<R> {
    fn clone(&self) -> Self {
        Self {
            owner: self.owner.clone(),
            rules: PhantomData,
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Accepted, Claimed, Void};
    use super::*;
    use bytes::Bytes;

    fn claim(term: u64, id: u128) -> Record {
        let (node, url) = (format!("node {id}"), String::new());
        let owner = Owner { node, url, term };
        Record::Claim(Claim { id, owner })
    }

    fn commit(term: u64, seq: u64, number: u64) -> Record {
        let commits = vec![Bytes::new()];
        Record::Commits(Commits {
            term,
            seq,
            number,
            commits,
        })
    }

    #[track_caller]
    fn check(records: &[(Record, Verdict)], number: u64) {
        let mut fold: Fold = Fold::default();
        for ((record, wanted), offset) in records.iter().zip(0..) {
            assert_eq!(fold.take(offset, record), *wanted, "at {offset}: {record:?}");
        }
        assert_eq!((fold.number, fold.next_offset), (number, records.len() as u64));
    }

    #[test]
    fn commits_count_in_the_order_of_their_term() {
        check(
            &[
                (claim(1, 10), Claimed),
                (commit(1, 1, 0), Accepted),
                (commit(1, 2, 1), Accepted),
            ],
            2,
        );
    }

    #[test]
    fn without_a_claim_nothing_counts() {
        check(&[(commit(1, 1, 0), Void), (commit(0, 1, 0), Void)], 0);
    }

    #[test]
    fn the_first_claim_of_a_term_has_it() {
        check(
            &[
                (claim(2, 10), Claimed),
                (claim(2, 11), Void),
                (claim(1, 12), Void),
                (commit(2, 1, 0), Accepted),
            ],
            1,
        );
    }

    #[test]
    fn an_overtaken_writer_is_not_heard() {
        check(
            &[
                (claim(1, 10), Claimed),
                (claim(2, 11), Claimed),
                (commit(1, 1, 0), Void),
                (commit(2, 1, 0), Accepted),
                (commit(1, 2, 1), Void),
            ],
            1,
        );
    }

    #[test]
    fn a_repeated_record_counts_once() {
        check(
            &[
                (claim(1, 10), Claimed),
                (commit(1, 1, 0), Accepted),
                (commit(1, 1, 0), Void),
                (commit(1, 2, 1), Accepted),
            ],
            2,
        );
    }

    #[test]
    fn after_a_gap_a_term_is_dead_until_the_next_claim() {
        check(
            &[
                (claim(1, 10), Claimed),
                (commit(1, 2, 1), Void),
                (commit(1, 1, 0), Void),
                (commit(1, 2, 1), Void),
                (claim(2, 10), Claimed),
                (commit(2, 1, 0), Accepted),
            ],
            1,
        );
    }

    #[test]
    fn a_writer_that_counts_differently_is_not_heard() {
        check(
            &[
                (claim(1, 10), Claimed),
                (commit(1, 1, 5), Void),
                (commit(1, 2, 0), Void),
            ],
            0,
        );
    }
}
