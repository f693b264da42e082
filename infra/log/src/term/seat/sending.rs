//! What a leader sends, and what it sends again in the next term.

use super::{Flight, Output, Seat, Stage};
use crate::term::barriers::Barriers;
use crate::term::record::{Commits, Record};
use crate::term::rules::Rules;

impl<C, R: Rules> Seat<C, R> {
    pub(super) fn lead(&mut self, now: u64, term: u64) {
        self.stage = Stage::Leading { term, next_seq: 1 };
        self.held = Some(term);
        self.outputs.push(Output::Standing);
        let barriers = std::mem::replace(&mut self.barriers, Barriers::new());
        for at in 0..self.pending.len() {
            self.send_pending(now, at);
        }
        // Whoever waits for a barrier has seen all that is sent again, so only the last of it will do.
        self.barriers = barriers;
        if let Some((_, last)) = self.pending.back().and_then(|pending| pending.sent) {
            self.barriers.sent(last);
        }
        if self.barriers.need_a_record() {
            self.send_barrier(now);
        }
    }

    pub(super) fn send_pending(&mut self, now: u64, at: usize) {
        let Stage::Leading { term, next_seq: seq } = self.stage else {
            unreachable!("only a leader sends commits");
        };
        let pending = &mut self.pending[at];
        pending.sent = Some((term, seq));
        let record = Commits {
            term,
            seq,
            number: pending.first,
            commits: pending.commits.clone(),
        };
        self.send_next(now, record);
    }

    pub(super) fn send_barrier(&mut self, now: u64) {
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
