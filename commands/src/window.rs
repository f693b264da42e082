//! The window of command ids: what was accepted lately, so that asking again gives the first answer.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use spool_domain::time::{Millis, Timestamp};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use uuid::Uuid;

/// How long a command is known again.
pub const KEPT_FOR: Millis = Millis(24 * 3_600_000);
/// At most so many per partition, about 8 MB.
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
    /// Oldest first.
    kept: VecDeque<(Uuid, Accepted)>,
    /// The place of the first of them. Places are counted on and on, and begin again after the last.
    first: u32,
    /// Where each command stands. The ids are not here too, for most of a table is copied again and again while it grows.
    places: HashTable<Place>,
    hasher: RandomState,
}

#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    place: u32,
}

impl Place {
    /// The table wants it in the lowest and the highest bits.
    fn spread(&self) -> u64 {
        u64::from(self.hash) * 0x0000_0001_0000_0001
    }
}

impl Window {
    pub fn get(&self, command: &Uuid) -> Option<&Accepted> {
        let place = self.find(command)?.place;
        self.at(place).map(|(_, accepted)| accepted)
    }

    /// Remembers `command` and forgets what is too old or too much. Offsets must rise.
    pub fn insert(&mut self, command: Uuid, accepted: Accepted) {
        let now = accepted.at;
        self.forget(&command);
        let length = u32::try_from(self.kept.len()).expect("no more than the most, and one");
        let place = Place {
            hash: self.hash(&command),
            place: self.first.wrapping_add(length),
        };
        self.places.insert_unique(place.spread(), place, Place::spread);
        self.kept.push_back((command, accepted));
        while let Some((oldest, accepted)) = self.kept.front() {
            if self.kept.len() <= KEPT_MAX && now - accepted.at <= KEPT_FOR {
                break;
            }
            let oldest = *oldest;
            // It may have come again, and stand elsewhere now.
            if self.find(&oldest).is_some_and(|found| found.place == self.first) {
                self.forget(&oldest);
            }
            self.kept.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// Forgets `command`, which was the last one and has come to nothing.
    pub fn take_back(&mut self, command: &Uuid) {
        self.forget(command);
        if self.kept.back().is_some_and(|(last, _)| last == command) {
            self.kept.pop_back();
        }
    }

    /// Everything known, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Uuid, &Accepted)> {
        let is_known = |index: usize, command: &Uuid| {
            let found = self.find(command);
            found.is_some_and(|found| self.index(found.place) == index)
        };
        let kept = self.kept.iter().enumerate();
        let known = kept.filter(move |(index, (command, _))| is_known(*index, command));
        known.map(|(_, (command, accepted))| (command, accepted))
    }

    /// Its place stays empty.
    fn forget(&mut self, command: &Uuid) {
        let Some(known) = self.find(command) else { return };
        let same = |found: &Place| found.place == known.place;
        if let Ok(entry) = self.places.find_entry(known.spread(), same) {
            entry.remove();
        }
    }

    fn find(&self, command: &Uuid) -> Option<Place> {
        let wanted = Place {
            hash: self.hash(command),
            place: 0,
        };
        let same = |found: &Place| {
            found.hash == wanted.hash && self.at(found.place).is_some_and(|(kept, _)| kept == command)
        };
        self.places.find(wanted.spread(), same).copied()
    }

    fn at(&self, place: u32) -> Option<&(Uuid, Accepted)> {
        self.kept.get(self.index(place))
    }

    fn index(&self, place: u32) -> usize {
        place.wrapping_sub(self.first) as usize
    }

    fn hash(&self, command: &Uuid) -> u32 {
        (self.hasher.hash_one(command) >> 32) as u32
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

    fn accepted(offset: u64) -> Accepted {
        Accepted {
            offset,
            at: Timestamp::from_millis(0),
            request: None,
        }
    }

    #[test]
    fn of_too_many_the_newest_are_known() {
        let (mut window, more) = (Window::default(), 1_000);
        let commands = KEPT_MAX as u64 + more;
        for number in 0..commands {
            window.insert(Uuid::from_u128(number.into()), accepted(number));
        }
        let known = |number: u64| {
            window
                .get(&Uuid::from_u128(number.into()))
                .map(|kept| kept.offset)
        };
        assert!((0..more).all(|number| known(number).is_none()));
        assert!((more..commands).all(|number| known(number) == Some(number)));
        assert!(window.iter().map(|(_, kept)| kept.offset).eq(more..commands));
        assert_eq!(window.places.len(), KEPT_MAX);
    }

    #[test]
    fn what_was_taken_back_is_not_known_and_may_come_again() {
        let mut window = Window::default();
        let [first, second] = [1, 2].map(Uuid::from_u128);
        window.insert(first, accepted(0));
        window.insert(second, accepted(1));
        window.take_back(&second);
        assert_eq!(window.get(&second), None);
        window.insert(second, accepted(7));
        assert_eq!(window.get(&second), Some(&accepted(7)));
        // Accepted once more, after a day perhaps: it is the newest.
        window.insert(first, accepted(8));
        assert_eq!(window.get(&first), Some(&accepted(8)));
        assert!(window.iter().map(|(_, kept)| kept.offset).eq([7, 8]));
    }

    #[test]
    fn places_are_counted_on_beyond_the_last() {
        let mut window = Window {
            first: u32::MAX - 1,
            ..Window::default()
        };
        for number in 0..5 {
            window.insert(Uuid::from_u128(number.into()), accepted(number));
        }
        assert!((0..5).all(|number| window.get(&Uuid::from_u128(number.into())) == Some(&accepted(number))));
        assert!(window.iter().map(|(_, kept)| kept.offset).eq(0..5));
    }
}
