//! A node: the real seat, and the executor that decides by what the seat has accepted.

use std::collections::VecDeque;

use spool_log::term::{Fold, Me, Rules, Seat, Timing};

/// Several times shorter than in reality, which changes nothing but the number of events.
const TIMING: Timing = Timing {
    silence: 150,
    rest: 20,
    patience: 600,
};

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

pub struct Node<R> {
    pub seat: Seat<usize, R>,
    /// Rises with each restart; what was meant for an earlier life is not delivered.
    pub life: u64,
    pub alive: bool,
    pub sleeps_until: u64,
    /// Commands that are counted on, but not accepted yet.
    pub speculative: VecDeque<u32>,
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
        Self {
            life,
            alive: true,
            sleeps_until: 0,
            speculative: VecDeque::new(),
            reads_at: fold.next_offset,
            last_arrival: (0, 0),
            seat: Seat::new(me, TIMING, fold),
        }
    }

    /// What the executor takes for the next number.
    pub fn next(&self) -> u64 {
        self.seat.fold().number + self.speculative.len() as u64
    }
}
