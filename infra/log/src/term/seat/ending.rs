//! How a term comes to its end, and what becomes of what waits.

use std::collections::VecDeque;

use super::{Output, Pending, Seat, Stage};
use crate::AppendError;
use crate::term::rules::Rules;

impl<C, R: Rules> Seat<C, R> {
    /// After trouble nobody knows what of this term will be accepted, so it is brought to an end by claiming the next.
    pub(super) fn end_term(&mut self, now: u64) {
        self.hang();
        self.stage = Stage::Resting {
            until: now + self.timing.rest,
        };
        self.outputs.push(Output::Standing);
        if R::ERRORS_REFUSE {
            self.conflict();
        }
    }

    /// Another node leads. All that was sent is void by its claim.
    pub(super) fn lose(&mut self) {
        self.hang();
        self.stage = Stage::Following;
        self.wanted = false;
        self.held = None;
        self.outputs.push(Output::Standing);
        self.give_up(AppendError::NotOwner);
    }

    pub(super) fn hang(&mut self) {
        self.attempt += 1;
        self.flights.clear();
        self.barriers.unsent();
        self.outputs.push(Output::Hang);
    }

    pub(super) fn rest_if_released(&mut self) {
        if !self.wanted && self.stage != Stage::Following && self.is_idle() {
            self.hang();
            self.stage = Stage::Following;
            self.held = None;
        }
    }

    pub(super) fn conflict(&mut self) {
        let actual = self.fold.number;
        for pending in self.forsake() {
            let expected = pending.first;
            self.answer(pending.caller, Err(AppendError::Conflict { expected, actual }));
        }
        for barrier in self.barriers.give_up() {
            let expected = barrier.expected;
            self.answer(barrier.caller, Err(AppendError::Conflict { expected, actual }));
        }
    }

    pub(super) fn give_up(&mut self, error: AppendError) {
        for pending in self.forsake() {
            self.answer(pending.caller, Err(error));
        }
        for barrier in self.barriers.give_up() {
            self.answer(barrier.caller, Err(error));
        }
    }

    /// Everything that waits to be accepted, which is over for it.
    fn forsake(&mut self) -> VecDeque<Pending<C>> {
        self.tenure += u64::from(!self.pending.is_empty());
        std::mem::take(&mut self.pending)
    }
}
