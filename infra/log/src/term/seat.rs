//! One node's place in one partition: it folds what is in the log and, when it is asked to, claims the partition and
//! writes to it.
//!
//! Everything that happens comes in as a call, with the time in milliseconds; what is to be done goes out as
//! [`Output`]s. A commit is acknowledged when the fold has accepted it. The fold takes a record either from the reader
//! or, which is sooner, from ourselves: when the server reports that our next record lies exactly where the fold ends, nobody has
//! written between. A report from further on waits for the reader.

mod ending;
mod sending;

use std::collections::VecDeque;

use bytes::Bytes;

use super::barriers::Barriers;
use super::fold::{Fold, Verdict};
use super::record::{Claim, Commits, Record};
use super::rules::{Rules, Sound};
use crate::{AppendError, Owner, Role, Standing};

/// `C` is whatever tells the caller of an append from others.
pub struct Seat<C, R = Sound> {
    me: Me,
    timing: Timing,
    fold: Fold<R>,
    stage: Stage,
    /// Somebody wants this node to lead.
    wanted: bool,
    /// The last term that this node led, while it goes on trying to lead.
    held: Option<u64>,
    /// How often appends with commits were refused. Whoever counted on those must be refused as well.
    tenure: u64,
    /// Counts the claims, and with them the connections for sending. What older ones report is not heard.
    attempt: u64,
    /// Records that were sent in this attempt and are not in the fold yet.
    flights: VecDeque<Flight>,
    /// Appends that were not answered yet, in their order.
    pending: VecDeque<Pending<C>>,
    barriers: Barriers<C>,
    outputs: Vec<Output<C>>,
}

/// Who claims.
#[derive(Clone, Debug)]
pub struct Me {
    pub node: String,
    pub url: String,
    /// A random number of this seat alone; claims are numbered from it.
    pub claims_from: u128,
}

/// When to do what; times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// After this long without an answer from the servers a term ends, and a question is asked again.
    pub silence: u64,
    /// How long to rest after trouble.
    pub rest: u64,
    /// After this long an append is answered with `Unknown`.
    pub patience: u64,
    /// So many records are under way before appends wait for each other and go together in one.
    pub under_way: usize,
}

/// What is to be done.
#[derive(Debug)]
pub enum Output<C> {
    /// Ask the servers where the partition ends now, and pass it to [`Seat::tip`].
    FindTip { attempt: u64 },
    /// Send a record, in the order of `seq`, over a connection of its own for each attempt. How it went goes to
    /// [`Seat::reported`].
    Send { attempt: u64, seq: u64, record: Record },
    /// The connection of the last attempt is done with.
    Hang,
    /// Tell a caller.
    Answer {
        caller: C,
        result: Result<u64, AppendError>,
    },
    /// Commits were accepted, from the number `first` on. Comes before the answers.
    Accepted { first: u64, commits: Vec<Bytes> },
    /// What [`Seat::standing`] says may have changed.
    Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Following,
    Resting {
        until: u64,
    },
    /// Asked where the log ends.
    Finding {
        since: u64,
    },
    /// Reads up to where it ended.
    Reading {
        tip: u64,
    },
    /// Sent a claim, which must come back first.
    Claiming {
        term: u64,
        id: u128,
    },
    Leading {
        term: u64,
        next_seq: u64,
    },
}

/// A record on its way into the log.
struct Flight {
    seq: u64,
    record: Record,
    since: u64,
    /// Where it is, once the server has said so.
    offset: Option<u64>,
}

struct Pending<C> {
    first: u64,
    commits: Vec<Bytes>,
    caller: C,
    since: u64,
    /// The term and number of the record in which it may be in the log. Those that were not sent yet come after all others.
    sent: Option<(u64, u64)>,
}

impl<C> Pending<C> {
    fn end(&self) -> u64 {
        self.first + self.commits.len() as u64
    }
}

impl<C, R: Rules> Seat<C, R> {
    /// Goes on from `fold`.
    pub fn new(me: Me, timing: Timing, fold: Fold<R>) -> Self {
        Self {
            me,
            timing,
            fold,
            stage: Stage::Following,
            wanted: false,
            held: None,
            tenure: 0,
            attempt: 0,
            flights: VecDeque::new(),
            pending: VecDeque::new(),
            barriers: Barriers::new(),
            outputs: Vec::new(),
        }
    }

    pub const fn fold(&self) -> &Fold<R> {
        &self.fold
    }

    pub fn standing(&self) -> Standing {
        let role = match self.stage {
            _ if !self.wanted => Role::Following,
            Stage::Leading { .. } => Role::Leading,
            _ => Role::Claiming,
        };
        Standing {
            owner: self.fold.owner.clone(),
            role,
        }
    }

    /// The next number, counting what waits.
    pub fn next(&self) -> u64 {
        self.pending.back().map_or(self.fold.number, Pending::end)
    }

    /// What an append has to name that builds on earlier ones: as it was before the first of these.
    pub const fn tenure(&self) -> u64 {
        self.tenure
    }

    /// Whether nobody waits for an answer.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.barriers.is_empty()
    }

    /// What is to be done by now, in this order.
    pub fn outputs(&mut self) -> Vec<Output<C>> {
        std::mem::take(&mut self.outputs)
    }

    /// Wants to lead.
    pub fn claim(&mut self, now: u64) {
        if !self.wanted {
            self.wanted = true;
            self.outputs.push(Output::Standing);
            if self.stage == Stage::Following {
                self.find(now);
            }
        }
    }

    /// Wants to lead no longer. What waits is still brought to its end.
    pub fn release(&mut self) {
        if self.wanted {
            self.wanted = false;
            self.outputs.push(Output::Standing);
            self.rest_if_released();
        }
    }

    /// Gives up everything that waits.
    pub fn stop(&mut self) {
        self.wanted = false;
        self.give_up(AppendError::Stopped);
        self.rest_if_released();
    }

    /// Whether it still waits for the answer to this question.
    pub fn asks(&self, attempt: u64) -> bool {
        attempt == self.attempt && matches!(self.stage, Stage::Finding { .. })
    }

    pub fn append(&mut self, now: u64, tenure: u64, expected: u64, commits: Vec<Bytes>, caller: C) {
        let actual = self.next();
        // Others' commits may be where the refused ones were to go, and then the number fits all the same.
        let builds_on_refused = tenure != self.tenure && !R::REFUSED_APPENDS_ARE_BUILT_ON;
        if !self.wanted {
            self.refuse(caller, &commits, AppendError::NotOwner);
        } else if expected != actual || builds_on_refused {
            self.refuse(caller, &commits, AppendError::Conflict { expected, actual });
        } else if commits.is_empty() {
            self.barrier(now, expected, caller);
        } else {
            self.pending.push_back(Pending {
                first: expected,
                commits,
                caller,
                since: now,
                sent: None,
            });
            if matches!(self.stage, Stage::Leading { .. }) {
                self.send_waiting(now, self.timing.under_way);
            }
        }
    }

    /// The reader has come to `offset`; no record means that what is there is none of ours.
    pub fn read(&mut self, now: u64, offset: u64, record: Option<&Record>) {
        if offset < self.fold.next_offset {
            return;
        }
        match record {
            Some(record) => self.take(now, offset, record),
            None => self.fold.pass(offset),
        }
        self.take_reported(now);
        self.read_far_enough(now);
    }

    /// Where the partition ended when that was asked for, as the offset of the next record.
    pub fn tip(&mut self, now: u64, attempt: u64, tip: u64) {
        if self.asks(attempt) {
            self.stage = Stage::Reading { tip };
            self.read_far_enough(now);
        }
    }

    /// A record was sent, and lies at an offset that may not be known; or nobody knows whether it does.
    pub fn reported(&mut self, now: u64, attempt: u64, seq: u64, outcome: Result<Option<u64>, ()>) {
        let Some(first) = self.flights.front().map(|flight| flight.seq) else {
            return;
        };
        if attempt != self.attempt || seq < first {
            return;
        }
        let Ok(offset) = outcome else {
            self.end_term(now);
            return;
        };
        let at = usize::try_from(seq - first).expect("as many records as fit into memory");
        if let Some(flight) = self.flights.get_mut(at) {
            flight.offset = offset;
        }
        self.take_reported(now);
        if R::UNREAD_CLAIMS_LEAD
            && let Stage::Claiming { term, .. } = self.stage
        {
            self.flights.clear();
            self.lead(now, term);
        }
    }

    /// To be called every now and then.
    pub fn tick(&mut self, now: u64) {
        let late = |since: u64| since + self.timing.silence <= now;
        match self.stage {
            Stage::Resting { until } if until <= now => self.find(now),
            Stage::Finding { since } if late(since) => self.find(now),
            Stage::Claiming { .. } | Stage::Leading { .. }
                if self.flights.front().is_some_and(|flight| late(flight.since)) =>
            {
                self.end_term(now);
            }
            _ => {}
        }
        let oldest = self.pending.front().map(|pending| pending.since);
        let oldest = oldest.into_iter().chain(self.barriers.oldest()).min();
        if oldest.is_some_and(|since| since + self.timing.patience <= now) {
            if matches!(self.stage, Stage::Leading { .. }) && !self.pending.is_empty() {
                // What is given up here may still be accepted, and then nothing that builds on less may be sent.
                self.end_term(now);
            }
            self.give_up(AppendError::Unknown);
            self.rest_if_released();
        }
    }

    fn find(&mut self, now: u64) {
        self.attempt += 1;
        self.stage = Stage::Finding { since: now };
        let attempt = self.attempt;
        self.outputs.push(Output::FindTip { attempt });
    }

    fn read_far_enough(&mut self, now: u64) {
        let Stage::Reading { tip } = self.stage else {
            return;
        };
        if self.fold.next_offset < tip {
            return;
        }
        let id = self.me.claims_from.wrapping_add(u128::from(self.attempt));
        let owner = Owner {
            node: self.me.node.clone(),
            url: self.me.url.clone(),
            term: self.fold.term() + 1,
        };
        self.stage = Stage::Claiming { term: owner.term, id };
        self.send(now, 0, Record::Claim(Claim { id, owner }));
    }

    /// Takes our own records that lie exactly where the fold ends.
    fn take_reported(&mut self, now: u64) {
        while let Some(offset) = self.flights.front().and_then(|flight| flight.offset) {
            if R::REPORTS_ACKNOWLEDGE {
                self.fold.next_offset = self.fold.next_offset.max(offset);
            }
            if offset != self.fold.next_offset {
                return;
            }
            let flight = self.flights.pop_front().expect("there is one in front");
            self.take(now, offset, &flight.record);
        }
    }

    /// Folds a record and draws the conclusions.
    fn take(&mut self, now: u64, offset: u64, record: &Record) {
        let verdict = self.fold.take(offset, record);
        match (verdict, record) {
            (Verdict::Accepted, Record::Commits(commits)) => self.accepted(now, commits),
            (Verdict::Claimed, _) => self.outputs.push(Output::Standing),
            _ => {}
        }
        self.decide_what_was_sent();
        match self.stage {
            Stage::Claiming { id, .. } if self.fold.claim == id => {
                self.flights.pop_front_if(|flight| flight.seq == 0);
                self.lead(now, self.fold.term());
            }
            Stage::Claiming { term, .. } if self.fold.term() >= term => {
                // An earlier claim of ours may have come late, just before this one.
                if self.is_ours(self.fold.claim) {
                    self.end_term(now);
                } else {
                    self.lose();
                }
            }
            Stage::Leading { term, .. } if self.fold.term() > term => self.lose(),
            Stage::Leading { .. } if self.fold.dead => self.end_term(now),
            Stage::Resting { .. } | Stage::Finding { .. } | Stage::Reading { .. } => {
                // A claim of ours that was given up may still come true; then there is no other leader.
                let overtaken = self.held.is_some_and(|held| self.fold.term() > held);
                if overtaken && !self.is_ours(self.fold.claim) {
                    self.lose();
                }
            }
            _ => {}
        }
        self.rest_if_released();
    }

    fn accepted(&mut self, now: u64, record: &Commits) {
        self.flights.pop_front_if(|flight| {
            matches!(&flight.record, Record::Commits(sent) if (sent.term, sent.seq) == (record.term, record.seq))
        });
        if !record.commits.is_empty() {
            self.outputs.push(Output::Accepted {
                first: record.number,
                commits: record.commits.clone(),
            });
        }
        let sent = Some((record.term, record.seq));
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.sent == sent) {
            self.answer(pending.caller, Ok(pending.first));
        }
        let leading = matches!(self.stage, Stage::Leading { term, .. } if term == record.term);
        if leading {
            self.send_waiting(now, self.timing.under_way);
            let answered: Vec<_> = self.barriers.accepted(record.seq).collect();
            for barrier in answered {
                self.answer(barrier.caller, Ok(barrier.expected));
            }
            if record.commits.is_empty() && self.barriers.need_a_record() {
                self.send_barrier(now);
            }
        }
    }

    /// Once a term is over in the fold, what was sent in it and not accepted never will be: it is as good as not sent.
    fn decide_what_was_sent(&mut self) {
        let (term, dead) = (self.fold.term(), self.fold.dead);
        let Some(front) = self.pending.front() else {
            // A barrier that was asked for before others' commits were seen rests on too little.
            if self
                .barriers
                .expected()
                .is_some_and(|expected| expected != self.fold.number)
            {
                self.conflict();
            }
            return;
        };
        let first = front.first;
        let mut unsent = front.sent.is_none();
        if front
            .sent
            .is_some_and(|(sent, _)| sent < term || (sent == term && dead))
        {
            unsent = true;
            for pending in &mut self.pending {
                pending.sent = None;
            }
        }
        if unsent && first != self.fold.number {
            self.conflict();
        }
    }

    fn refuse(&mut self, caller: C, commits: &[Bytes], error: AppendError) {
        self.tenure += u64::from(!commits.is_empty());
        self.answer(caller, Err(error));
    }

    fn answer(&mut self, caller: C, result: Result<u64, AppendError>) {
        self.outputs.push(Output::Answer { caller, result });
    }

    fn is_ours(&self, claim: u128) -> bool {
        claim.wrapping_sub(self.me.claims_from) <= u128::from(self.attempt)
    }
}
