//! How runs went.

use std::fmt;

/// How a run went, or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub events: u64,
    pub accepted: u64,
    pub void: u64,
    pub terms: u64,
    pub acknowledged: u64,
    pub repeated: u64,
    pub refused: u64,
    pub unknown: u64,
    pub crashes: u64,
    pub pauses: u64,
}

impl Told {
    pub fn is_eventful(&self) -> bool {
        [
            self.accepted,
            self.void,
            self.terms,
            self.repeated,
            self.refused,
            self.unknown,
            self.crashes,
            self.pauses,
        ]
        .iter()
        .all(|count| *count > 100)
    }

    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.accepted += other.accepted;
        self.void += other.void;
        self.terms += other.terms;
        self.acknowledged += other.acknowledged;
        self.repeated += other.repeated;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.crashes += other.crashes;
        self.pauses += other.pauses;
    }
}

#[derive(Debug)]
pub struct Failed {
    pub seed: u64,
    pub problem: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {}: {}", self.seed, self.problem)
    }
}
