//! Counts what many clients do in memory that never grows: the generic cell rate algorithm (GCRA) in a table of fixed size.
//!
//! GCRA keeps one number for a client: the time at which all of its quota will be there again. A request moves it on by what
//! one request is worth; a request that would move it further ahead than the whole quota is worth is refused. So a client
//! may spend its quota at once, and gets it back evenly.
//!
//! The table is one of small sets, each with a lock of its own. A client whose quota is whole needs no entry. When a set is
//! full, the client that owes least loses its entry: a flood of strangers makes limits looser for others, never tighter.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries of a set, two cache lines.
const WAYS: usize = 8;
const NANOS_OF_MS: u64 = 1_000_000;
const NANOS_OF_SECOND: u64 = 1_000_000_000;

/// So many requests in so long, as GCRA reckons, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What one request is worth.
    each: u64,
    /// What all of them are worth.
    whole: u64,
}

impl Quota {
    /// Both at least 1; `requests` at most a thousand million.
    pub const fn new(requests: u32, seconds: u32) -> Self {
        let each = seconds as u64 * NANOS_OF_SECOND / requests as u64;
        Self {
            each,
            whole: each * requests as u64,
        }
    }

    fn standing(&self, owed: u64) -> Standing {
        let left = self.whole.saturating_sub(owed) / self.each;
        let wait = (owed + self.each).saturating_sub(self.whole);
        let seconds = |nanos: u64| u32::try_from(nanos.div_ceil(NANOS_OF_SECOND)).unwrap_or(u32::MAX);
        Standing {
            left: u32::try_from(left).unwrap_or(u32::MAX),
            whole_in_seconds: seconds(owed),
            next_in_seconds: seconds(wait),
        }
    }
}

/// How a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Requests that would be taken now.
    pub left: u32,
    /// When the whole quota is there again.
    pub whole_in_seconds: u32,
    /// When one more request is taken; 0 for now.
    pub next_in_seconds: u32,
}

/// What may be done, or what to tell whoever has done too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken(Standing),
    Refused(Standing),
}

/// The hash of a client and of what it is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

#[derive(Clone, Copy, Default)]
struct Entry {
    key: u64,
    /// In nanoseconds since 1970. In the past: nothing is owed, and the entry is free.
    whole_at: u64,
}

type Set = Mutex<[Entry; WAYS]>;

pub struct Buckets {
    sets: Box<[Set]>,
    /// Keyed anew in each process, so that nobody can choose whose entry is theirs.
    hasher: RandomState,
}

impl Buckets {
    /// Room for eight clients in each of `sets`, a power of two; 136 bytes a set.
    pub fn new(sets: usize) -> Self {
        assert!(sets.is_power_of_two(), "a part of the hash chooses the set");
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    pub fn key(&self, of: impl Hash) -> Key {
        Key(self.hasher.hash_one(of))
    }

    /// Takes one request of the quota, if there is one.
    pub fn take(&self, key: Key, quota: &Quota, now_ms: i64) -> Verdict {
        let now = nanos(now_ms);
        let mut set = self.set(key);
        let entry = entry(&mut set, key);
        let owed = owed(*entry, quota, now);
        if owed + quota.each > quota.whole {
            return Verdict::Refused(quota.standing(owed));
        }
        entry.whole_at = now + owed + quota.each;
        Verdict::Taken(quota.standing(owed + quota.each))
    }

    /// The same without taking it.
    pub fn look(&self, key: Key, quota: &Quota, now_ms: i64) -> Verdict {
        let now = nanos(now_ms);
        let set = self.set(key);
        let known = set.iter().find(|entry| entry.key == key.0);
        let owed = known.map_or(0, |entry| owed(*entry, quota, now));
        let standing = quota.standing(owed);
        match owed + quota.each > quota.whole {
            true => Verdict::Refused(standing),
            false => Verdict::Taken(standing),
        }
    }

    /// Gives one request back.
    pub fn give_back(&self, key: Key, quota: &Quota) {
        if let Some(entry) = self.set(key).iter_mut().find(|entry| entry.key == key.0) {
            entry.whole_at = entry.whole_at.saturating_sub(quota.each);
        }
    }

    /// Nothing is owed any more.
    pub fn forgive(&self, key: Key) {
        if let Some(entry) = self.set(key).iter_mut().find(|entry| entry.key == key.0) {
            entry.whole_at = 0;
        }
    }

    /// Remembers a key until then, unless younger ones need its place.
    pub fn remember(&self, key: Key, until_ms: i64) {
        entry(&mut self.set(key), key).whole_at = nanos(until_ms);
    }

    pub fn remembers(&self, key: Key, now_ms: i64) -> bool {
        let now = nanos(now_ms);
        self.set(key)
            .iter()
            .any(|entry| entry.key == key.0 && entry.whole_at > now)
    }

    fn set(&self, key: Key) -> MutexGuard<'_, [Entry; WAYS]> {
        // The hash is as good below as above, and the sets are far fewer than it can tell apart.
        let index = usize::try_from(key.0 >> 32).unwrap_or_default() & (self.sets.len() - 1);
        self.sets[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key's entry, or that of whoever owes least, made over to it.
fn entry(set: &mut [Entry; WAYS], key: Key) -> &mut Entry {
    let known = set.iter().position(|entry| entry.key == key.0);
    let index = known.unwrap_or_else(|| {
        let least = (0..WAYS).min_by_key(|index| set[*index].whole_at);
        let index = least.unwrap_or_default();
        set[index] = Entry {
            key: key.0,
            whole_at: 0,
        };
        index
    });
    &mut set[index]
}

/// A clock that was set back must not make anybody owe more than everything.
fn owed(entry: Entry, quota: &Quota, now: u64) -> u64 {
    entry.whole_at.saturating_sub(now).min(quota.whole)
}

fn nanos(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or_default().saturating_mul(NANOS_OF_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_248_000_000;

    fn taken(verdict: Verdict) -> Option<u32> {
        match verdict {
            Verdict::Taken(standing) => Some(standing.left),
            Verdict::Refused(_) => None,
        }
    }

    #[test]
    fn the_quota_can_be_spent_at_once_and_comes_back_evenly() {
        let (buckets, quota) = (Buckets::new(1), Quota::new(3, 30));
        let key = buckets.key("a");
        let left: Vec<_> = (0..4).map(|_| taken(buckets.take(key, &quota, NOW))).collect();
        assert_eq!(left, [Some(2), Some(1), Some(0), None]);
        let refused = Verdict::Refused(Standing {
            left: 0,
            whole_in_seconds: 30,
            next_in_seconds: 10,
        });
        assert_eq!(buckets.take(key, &quota, NOW), refused);
        assert_eq!(taken(buckets.take(key, &quota, NOW + 9_999)), None);
        assert_eq!(taken(buckets.take(key, &quota, NOW + 10_000)), Some(0));
        assert_eq!(taken(buckets.take(key, &quota, NOW + 10_000)), None);
        assert_eq!(taken(buckets.take(key, &quota, NOW + 60_000)), Some(2));
    }

    #[test]
    fn looking_takes_nothing_and_what_is_given_back_is_there() {
        let (buckets, quota) = (Buckets::new(1), Quota::new(2, 10));
        let key = buckets.key("a");
        assert_eq!(taken(buckets.look(key, &quota, NOW)), Some(2));
        buckets.take(key, &quota, NOW);
        buckets.take(key, &quota, NOW);
        assert_eq!(taken(buckets.look(key, &quota, NOW)), None);
        buckets.give_back(key, &quota);
        assert_eq!(taken(buckets.look(key, &quota, NOW)), Some(1));
        buckets.forgive(key);
        assert_eq!(taken(buckets.look(key, &quota, NOW)), Some(2));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_for_longer_than_the_quota() {
        let (buckets, quota) = (Buckets::new(1), Quota::new(1, 60));
        let key = buckets.key("a");
        buckets.take(key, &quota, NOW + 3_600_000);
        let refused = buckets.take(key, &quota, NOW);
        let expected = Standing {
            left: 0,
            whole_in_seconds: 60,
            next_in_seconds: 60,
        };
        assert_eq!(refused, Verdict::Refused(expected));
    }

    #[test]
    fn in_a_full_table_whoever_owes_least_is_forgotten_first() {
        let (buckets, quota) = (Buckets::new(1), Quota::new(10, 10));
        let heavy = buckets.key("heavy");
        for _ in 0..10 {
            buckets.take(heavy, &quota, NOW);
        }
        for stranger in 0..1_000 {
            buckets.take(buckets.key(stranger), &quota, NOW);
        }
        assert_eq!(taken(buckets.take(heavy, &quota, NOW)), None);
        assert_eq!(taken(buckets.take(buckets.key(0), &quota, NOW)), Some(9));
    }

    #[test]
    fn a_key_is_remembered_until_its_time() {
        let buckets = Buckets::new(1);
        let key = buckets.key("a");
        assert!(!buckets.remembers(key, NOW));
        buckets.remember(key, NOW + 10);
        assert!(buckets.remembers(key, NOW + 9));
        assert!(!buckets.remembers(key, NOW + 10));
    }

    #[test]
    fn a_set_takes_136_bytes() {
        assert_eq!(size_of::<Set>(), 136);
    }
}
