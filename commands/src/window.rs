//! The window of command ids: what was accepted lately, so that asking again gives the first answer.

use foldhash::HashMap;
use serde::{Deserialize, Serialize};
use spool_domain::time::{Millis, Timestamp};
use std::collections::VecDeque;
use uuid::Uuid;

/// How long a command is known again.
pub const KEPT_FOR: Millis = Millis(24 * 3_600_000);
/// At most so many per partition, about 15 MB.
pub const KEPT_MAX: usize = 100_000;

/// An accepted command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    pub offset: u64,
    pub at: Timestamp,
    pub request: Option<String>,
}

#[derive(Default)]
pub struct Window {
    known: HashMap<Uuid, Accepted>,
    order: VecDeque<Uuid>,
}

impl Window {
    pub fn get(&self, command: &Uuid) -> Option<&Accepted> {
        self.known.get(command)
    }

    /// Remembers `command` and forgets what is too old or too much. Offsets must rise.
    pub fn insert(&mut self, command: Uuid, accepted: Accepted) {
        let now = accepted.at;
        if self.known.insert(command, accepted).is_none() {
            self.order.push_back(command);
        }
        while let Some(oldest) = self.order.front() {
            let stale = self
                .known
                .get(oldest)
                .is_none_or(|accepted| now - accepted.at > KEPT_FOR);
            if !stale && self.order.len() <= KEPT_MAX {
                break;
            }
            self.known.remove(oldest);
            self.order.pop_front();
        }
    }

    /// Forgets `command`, which was the last one and has come to nothing.
    pub fn take_back(&mut self, command: &Uuid) {
        self.known.remove(command);
        if self.order.back() == Some(command) {
            self.order.pop_back();
        }
    }

    /// Everything known, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Uuid, &Accepted)> {
        self.order
            .iter()
            .filter_map(|command| self.known.get_key_value(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_forgotten_after_a_day() {
        let mut window = Window::default();
        let accepted = |at| Accepted {
            offset: 0,
            at: Timestamp::from_millis(at),
            request: None,
        };
        window.insert(Uuid::from_u128(1), accepted(0));
        window.insert(Uuid::from_u128(2), accepted(KEPT_FOR.0));
        assert!(window.get(&Uuid::from_u128(1)).is_some());
        window.insert(Uuid::from_u128(3), accepted(KEPT_FOR.0 + 1));
        assert!(window.get(&Uuid::from_u128(1)).is_none());
        assert_eq!(window.iter().count(), 2);
    }
}
