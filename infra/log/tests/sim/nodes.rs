//! A node: the real seat, and the executor that decides by what the seat has accepted.

use std::collections::VecDeque;

use spool_log::term::{Fold, Me, Rules, Seat, Timing};

/// Several times shorter than in reality, which changes nothing but the number of events.
const TIMING: Timing = Timing {
    silence: 150,
    rest: 20,
    patience: 600,
    under_way: UNDER_WAY[0],
};
/// The first node gathers appends from the second record on, another hardly ever.
const UNDER_WAY: [usize; 3] = [1, 8, 2];

/// One attempt to give a command, as it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    pub command: u32,
    pub number: u32,
}

impl Attempt {
    pub fn bytes(self) -> bytes::Bytes {
        let whole = u64::from(self.command) << 32 | u64::from(self.number);
        bytes::Bytes::copy_from_slice(&whole.to_le_bytes())
    }

    pub fn of(bytes: &[u8]) -> Self {
        let whole = u64::from_le_bytes(bytes.try_into().expect("payloads here are 8 bytes"));
        Self {
            command: u32::try_from(whole >> 32).expect("half of it"),
            number: u32::try_from(whole & 0xffff_ffff).expect("half of it"),
        }
    }
}

/// What a node decides on: everything that was accepted up to some number, and what it counts on after that.
#[derive(Default)]
pub struct Executor {
    pub read: u64,
    /// Given to the seat in this order, and not known to be accepted.
    pub counted: VecDeque<Attempt>,
    /// The seat's, before the first of those.
    pub tenure: u64,
    /// How often it had to begin again from what was accepted.
    pub reading: u64,
}

pub struct Node<R> {
    pub seat: Seat<usize, R>,
    /// Rises with each restart; what was meant for an earlier life is not delivered.
    pub life: u64,
    pub alive: bool,
    pub sleeps_until: u64,
    pub executor: Executor,
    /// Where the reader is.
    pub reads_at: u64,
    /// When the last record of the running attempt arrives, for connections that keep the order.
    pub last_arrival: (u64, u64),
}

impl<R: Rules> Node<R> {
    pub fn new(number: usize, life: u64, fold: Fold<R>) -> Self {
        let me = Me {
            node: format!("node {number}"),
            url: String::new(),
            claims_from: (number as u128 + 1) << 100 | u128::from(life) << 64,
        };
        let timing = Timing {
            under_way: UNDER_WAY[number % UNDER_WAY.len()],
            ..TIMING
        };
        Self {
            life,
            alive: true,
            sleeps_until: 0,
            executor: Executor::default(),
            reads_at: fold.next_offset,
            last_arrival: (0, 0),
            seat: Seat::new(me, timing, fold),
        }
    }

    /// The executor reads what was accepted, unless it counts on more than that.
    pub fn catch_up(&mut self) {
        if self.executor.counted.is_empty() {
            self.executor.read = self.seat.fold().number;
            self.executor.tenure = self.seat.tenure();
        }
    }
}

impl Executor {
    /// What it takes for the next number.
    pub fn next(&self) -> u64 {
        self.read + self.counted.len() as u64
    }

    /// It hears what became of an append, some time after the seat has told.
    pub fn settle(&mut self, reading: u64, attempt: Attempt, accepted: bool) {
        if reading != self.reading {
            return;
        }
        if !accepted {
            self.counted.clear();
            self.reading += 1;
        } else if let Some(at) = self.counted.iter().position(|counted| *counted == attempt) {
            self.counted.drain(..=at);
            self.read += at as u64 + 1;
        }
    }
}
