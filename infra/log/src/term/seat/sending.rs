//! What a leader sends, and what it sends again in the next term.

use bytes::Bytes;

use super::{Flight, Output, Pending, Seat, Stage};
use crate::term::barriers::Barriers;
use crate::term::record::{Commits, Record};
use crate::term::rules::Rules;

/// Appends that wait for each other go in one record up to this size; one that is larger goes alone.
const TOGETHER_BYTES_MAX: usize = 256 << 10;

impl<C, R: Rules> Seat<C, R> {
    pub(super) fn lead(&mut self, now: u64, term: u64) {
        self.stage = Stage::Leading { term, next_seq: 1 };
        self.held = Some(term);
        self.outputs.push(Output::Standing);
        let barriers = std::mem::replace(&mut self.barriers, Barriers::new());
        self.send_waiting(now, usize::MAX);
        // Whoever waits for a barrier has seen all that is sent again, so only the last of it will do.
        self.barriers = barriers;
        if let Some((_, last)) = self.pending.back().and_then(|pending| pending.sent) {
            self.barriers.sent(last);
        }
        if self.barriers.need_a_record() {
            self.send_barrier(now);
        }
    }

    /// Sends appends that wait, together in one record as far as that is good, while fewer than `under_way` records are on
    /// their way.
    pub(super) fn send_waiting(&mut self, now: u64, under_way: usize) {
        let Stage::Leading { term, .. } = self.stage else {
            unreachable!("only a leader sends commits");
        };
        let is_sent = |pending: &Pending<C>| pending.sent.is_some_and(|(sent, _)| sent == term);
        let mut at = self.pending.partition_point(is_sent);
        while at < self.pending.len() && self.flights.len() < under_way {
            at = self.send_together(now, at);
        }
    }

    /// One record of the append at `at` and of those after it that go with it. Returns where the next one begins.
    fn send_together(&mut self, now: u64, at: usize) -> usize {
        let Stage::Leading { term, next_seq: seq } = self.stage else {
            unreachable!("only a leader sends commits");
        };
        let number = self.pending[at].first;
        let (mut commits, mut bytes, mut next) = (Vec::new(), 0, at);
        for pending in self.pending.iter_mut().skip(at) {
            bytes += pending.commits.iter().map(Bytes::len).sum::<usize>();
            if bytes > TOGETHER_BYTES_MAX && next > at {
                break;
            }
            pending.sent = Some((term, seq));
            commits.extend_from_slice(&pending.commits);
            next += 1;
        }
        let record = Commits {
            term,
            seq,
            number,
            commits,
        };
        self.send_next(now, record);
        next
    }

    pub(super) fn send_barrier(&mut self, now: u64) {
        // It stands after everything that came before it, which will do if there is something.
        self.send_waiting(now, usize::MAX);
        if !self.barriers.need_a_record() {
            return;
        }
        let Stage::Leading { term, next_seq: seq } = self.stage else {
            unreachable!("only a leader sends barriers");
        };
        let record = Commits {
            term,
            seq,
            number: self.next(),
            commits: Vec::new(),
        };
        self.send_next(now, record);
    }

    fn send_next(&mut self, now: u64, record: Commits) {
        let seq = record.seq;
        self.stage = Stage::Leading {
            term: record.term,
            next_seq: seq + 1,
        };
        self.barriers.sent(seq);
        self.send(now, seq, Record::Commits(record));
    }

    pub(super) fn send(&mut self, now: u64, seq: u64, record: Record) {
        let attempt = self.attempt;
        self.outputs.push(Output::Send {
            attempt,
            seq,
            record: record.clone(),
        });
        self.flights.push_back(Flight {
            seq,
            record,
            since: now,
            offset: None,
        });
    }

    pub(super) fn barrier(&mut self, now: u64, expected: u64, caller: C) {
        if R::BARRIERS_ARE_FREE {
            self.answer(caller, Ok(expected));
            return;
        }
        self.barriers.add(expected, now, caller);
        let on_its_way =
            |flight: &Flight| matches!(&flight.record, Record::Commits(sent) if sent.commits.is_empty());
        if matches!(self.stage, Stage::Leading { .. }) && !self.flights.iter().any(on_its_way) {
            self.send_barrier(now);
        }
    }
}
