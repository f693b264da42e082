//! Clients: each gives one command after the other, and asks again, elsewhere, when an answer does not come.

use crate::nodes::Attempt;

#[derive(Clone, Debug)]
pub struct Client {
    /// What it wants, and how often it has asked.
    pub wants: Option<Attempt>,
    /// The question that it waits for.
    pub waits_for: Option<usize>,
}

/// A question that was asked of a node.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub client: usize,
    pub attempt: Attempt,
    pub kind: Kind,
    /// The executor's reading that it was asked in.
    pub reading: u64,
    /// How many commits were acknowledged when it was asked, as far as anybody knew.
    pub acknowledged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be appended.
    New,
    /// The node has seen the command before, and makes sure that it still leads.
    Repeated,
    /// Nothing but what is there.
    Look,
}
