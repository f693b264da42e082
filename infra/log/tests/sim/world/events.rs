//! What can happen, and when.

use spool_log::term::Record;

pub struct Scheduled {
    pub at: u64,
    pub order: u64,
    pub event: Event,
}

pub enum Event {
    Arrive {
        sender: Sender,
        record: Record,
    },
    Report {
        sender: Sender,
        outcome: Result<Option<u64>, ()>,
    },
    Asked {
        node: usize,
        life: u64,
        attempt: u64,
    },
    Tip {
        node: usize,
        life: u64,
        attempt: u64,
        tip: u64,
    },
    Read {
        node: usize,
        life: u64,
    },
    Tick {
        node: usize,
        life: u64,
    },
    Claim {
        node: usize,
    },
    Crash {
        node: usize,
    },
    /// The executor hears what became of an append.
    Settle {
        node: usize,
        life: u64,
        caller: usize,
        accepted: bool,
    },
    Restart {
        node: usize,
    },
    Pause {
        node: usize,
    },
    Client {
        client: usize,
    },
    Impatient {
        client: usize,
        question: usize,
    },
    Calm,
    Hint,
}

#[derive(Clone, Copy)]
pub struct Sender {
    pub node: usize,
    pub life: u64,
    pub attempt: u64,
    pub seq: u64,
}

impl Event {
    /// Whom it happens to, if it is somebody who may sleep.
    pub const fn node(&self) -> Option<usize> {
        match self {
            Self::Report { sender, .. } => Some(sender.node),
            Self::Tip { node, .. }
            | Self::Read { node, .. }
            | Self::Tick { node, .. }
            | Self::Settle { node, .. }
            | Self::Claim { node } => Some(*node),
            _ => None,
        }
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
