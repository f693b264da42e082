//! Slows down those who guess passwords, without letting them lock anybody out.
//!
//! Wrong attempts are counted for an e-mail address at the client's address, for the e-mail address as a whole, and for the
//! client's address as a whole. Whoever has signed in to an account from a network is known there for 90 days, and is held
//! up by what that client itself does wrong, never by what strangers do. It makes no difference whether the e-mail address
//! has an account. All of it is in the memory of this node.

use super::address::ClientAddress;
use super::buckets::{Buckets, Key, Quota, Verdict};
use crate::problem::Problem;
use spool_domain::ids::ReservationId;
use spool_platform::clock::Clock;

/// Wrong passwords for one account from one client.
const HERE: Quota = Quota::new(10, 15 * 60);
/// Wrong passwords for one account from all clients that are not known there.
const BY_STRANGERS: Quota = Quota::new(100, 60 * 60);
/// Wrong passwords from one client, for whatever accounts.
const BY_ONE: Quota = Quota::new(100, 15 * 60);
/// How long a network is known to an account.
const KNOWN_FOR_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// 65,536 counts in 1.1 MB, and as many networks of accounts in as much.
const SETS: usize = 8_192;

pub struct Throttle {
    clock: Clock,
    counts: Buckets,
    known: Buckets,
}

/// One attempt to sign in. Unless it is [judged](Attempt::judge), it does not count: something was away.
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    counted: Vec<(Key, &'static Quota)>,
    here: Key,
    /// To become known when the password is right.
    network: Option<Key>,
}

impl Throttle {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            counts: Buckets::new(SETS),
            known: Buckets::new(SETS),
        }
    }

    /// Begins an attempt to sign in to whatever account has this e-mail address, or says when to try again. It counts from
    /// the beginning, so that attempts at the same time are no way around.
    pub fn attempt(&self, email: ReservationId, client: ClientAddress) -> Result<Attempt<'_>, Problem> {
        let here = self.counts.key(("here", email.0, client.customer()));
        let network = self.known.key((email.0, client.network()));
        let mut attempt = Attempt {
            throttle: self,
            counted: vec![],
            here,
            network: Some(network),
        };
        let now = self.clock.now_ms();
        let by_strangers = self.counts.key(("strangers", email.0));
        let by_one = self.counts.key(("one", client.customer()));
        let counts = match self.known.remembers(network, now) {
            true => vec![(here, &HERE)],
            false => vec![(here, &HERE), (by_strangers, &BY_STRANGERS), (by_one, &BY_ONE)],
        };
        for (key, quota) in counts {
            attempt.count(key, quota, now)?;
        }
        Ok(attempt)
    }

    /// The same for the password of somebody who is signed in, and shows it once more: whoever has found an open session
    /// must not find out the password from there.
    pub fn confirmation(&self, email: ReservationId) -> Result<Attempt<'_>, Problem> {
        let here = self.counts.key(("signed in", email.0));
        let mut attempt = Attempt {
            throttle: self,
            counted: vec![],
            here,
            network: None,
        };
        attempt.count(here, &HERE, self.clock.now_ms())?;
        Ok(attempt)
    }
}

impl Attempt<'_> {
    fn count(&mut self, key: Key, quota: &'static Quota, now_ms: i64) -> Result<(), Problem> {
        match self.throttle.counts.take(key, quota, now_ms) {
            Verdict::Taken(_) => {
                self.counted.push((key, quota));
                Ok(())
            }
            Verdict::Refused(standing) => Err(Problem::limited(
                "there were too many wrong passwords; wait a little, or use a device that has signed in before",
                standing.next_in_seconds,
            )),
        }
    }

    /// The password was right or wrong. A right one makes the client's network known to the account, and what was wrong
    /// before from that client is forgotten.
    pub fn judge(mut self, is_right: bool) {
        if is_right {
            let throttle = self.throttle;
            throttle.counts.forgive(self.here);
            if let Some(network) = self.network {
                let until = throttle.clock.now_ms() + KNOWN_FOR_MS;
                throttle.known.remember(network, until);
            }
        } else {
            self.counted.clear();
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for (key, quota) in self.counted.drain(..) {
            self.throttle.counts.give_back(key, quota);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ADA: ReservationId = ReservationId(Uuid::from_u128(1));
    const EVE: ReservationId = ReservationId(Uuid::from_u128(2));

    fn throttle() -> Throttle {
        Throttle::new(Clock::manual(1_795_248_000_000))
    }

    fn at(text: &str) -> ClientAddress {
        ClientAddress(text.parse().expect("an address"))
    }

    /// How many of so many wrong attempts are let through.
    fn wrong(throttle: &Throttle, email: ReservationId, client: ClientAddress, attempts: usize) -> usize {
        let tried = (0..attempts).map(|_| throttle.attempt(email, client));
        tried.flatten().map(|attempt| attempt.judge(false)).count()
    }

    fn right(throttle: &Throttle, email: ReservationId, client: ClientAddress) -> bool {
        let attempt = throttle.attempt(email, client);
        attempt.map(|attempt| attempt.judge(true)).is_ok()
    }

    #[test]
    fn ten_wrong_passwords_from_one_client_and_then_one_every_ninety_seconds() {
        let throttle = throttle();
        assert_eq!(wrong(&throttle, ADA, at("192.0.2.1"), 20), 10);
        throttle.clock.advance(89_000);
        assert_eq!(wrong(&throttle, ADA, at("192.0.2.1"), 5), 0);
        throttle.clock.advance(1_000);
        assert_eq!(wrong(&throttle, ADA, at("192.0.2.1"), 5), 1);
        assert_eq!(
            wrong(&throttle, EVE, at("192.0.2.1"), 5),
            5,
            "another account is another matter"
        );
    }

    #[test]
    fn a_right_password_forgives_the_wrong_ones_before_it() {
        let throttle = throttle();
        wrong(&throttle, ADA, at("192.0.2.1"), 9);
        assert!(right(&throttle, ADA, at("192.0.2.1")));
        assert_eq!(wrong(&throttle, ADA, at("192.0.2.1"), 20), 10);
    }

    #[test]
    fn strangers_cannot_lock_out_whoever_has_been_there_before() {
        let throttle = throttle();
        assert!(right(&throttle, ADA, at("198.51.100.7")));
        let strangers = (0..40).map(|number| at(&format!("203.0.{number}.1")));
        let let_through: usize = strangers.map(|client| wrong(&throttle, ADA, client, 10)).sum();
        assert_eq!(let_through, 100, "all strangers together");
        assert!(
            !right(&throttle, ADA, at("203.0.99.1")),
            "also with the right password"
        );
        assert!(right(&throttle, ADA, at("198.51.100.7")));
        assert!(
            right(&throttle, ADA, at("198.51.100.8")),
            "the provider gave them another address"
        );
        assert_eq!(
            wrong(&throttle, ADA, at("198.51.100.7"), 20),
            10,
            "they are slowed down by themselves"
        );
    }

    #[test]
    fn one_client_cannot_try_one_password_on_everybody() {
        let throttle = throttle();
        let emails = (0..200).map(|number| ReservationId(Uuid::from_u128(number)));
        let let_through: usize = emails
            .map(|email| wrong(&throttle, email, at("192.0.2.1"), 1))
            .sum();
        assert_eq!(let_through, 100);
    }

    #[test]
    fn attempts_at_the_same_time_count_as_well() {
        let throttle = throttle();
        let attempts: Vec<_> = (0..20).map(|_| throttle.attempt(ADA, at("192.0.2.1"))).collect();
        assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 10);
    }

    #[test]
    fn an_attempt_that_came_to_nothing_does_not_count() {
        let throttle = throttle();
        for _ in 0..30 {
            drop(
                throttle
                    .attempt(ADA, at("192.0.2.1"))
                    .expect("nothing was wrong yet"),
            );
        }
        assert_eq!(wrong(&throttle, ADA, at("192.0.2.1"), 20), 10);
    }

    #[test]
    fn an_open_session_is_no_way_to_find_out_the_password() {
        let throttle = throttle();
        let confirmed = |is_right: bool| {
            let attempt = throttle.confirmation(ADA);
            attempt.map(|attempt| attempt.judge(is_right)).is_ok()
        };
        assert!(confirmed(false) && confirmed(true));
        assert_eq!((0..20).filter(|_| confirmed(false)).count(), 10);
        assert!(
            right(&throttle, ADA, at("192.0.2.1")),
            "signing in is another matter"
        );
    }

    #[test]
    fn a_network_is_forgotten_after_a_while() {
        let throttle = throttle();
        assert!(right(&throttle, ADA, at("198.51.100.7")));
        throttle.clock.advance(KNOWN_FOR_MS);
        let strangers = (0..40).map(|number| at(&format!("203.0.{number}.1")));
        assert_eq!(
            strangers
                .map(|client| wrong(&throttle, ADA, client, 10))
                .sum::<usize>(),
            100
        );
        assert!(!right(&throttle, ADA, at("198.51.100.7")));
    }
}
