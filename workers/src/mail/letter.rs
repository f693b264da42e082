//! A letter: what an event wants to be sent, and whether it is still of use.

use super::wording::Wording;
use spool_commands::links::{ConfirmationLink, ResetLink};
use spool_domain::accounts::{Active, Event, Standing};
use spool_domain::ids::{AccountId, ReservationId};
use spool_domain::time::{Millis, Timestamp};
use spool_platform::keys::Keys;
use spool_schemas::AnyEvent;
use uuid::Uuid;

/// The events that want a mail, by their names in the log.
pub const EVENTS: [&str; 2] = ["PasswordResetRequested", "EmailConfirmationRequested"];
/// Nobody waits for a link to confirm an address longer than this.
const CONFIRMATION_LIFE: Millis = Millis(24 * 3_600_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    pub account: AccountId,
    /// The same whenever it is sent.
    pub id: Uuid,
    about: About,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Reset { number: u32, expires_at: Timestamp },
    Confirmation { email: ReservationId, at: Timestamp },
}

impl Letter {
    /// What the event at `version` of the account's stream wants to be sent.
    pub fn of(account: AccountId, version: u64, event: &AnyEvent) -> Option<Self> {
        let about = match event {
            AnyEvent::Accounts(Event::PasswordResetRequested(asked)) => About::Reset {
                number: asked.number,
                expires_at: asked.expires_at,
            },
            AnyEvent::Accounts(Event::EmailConfirmationRequested(asked)) => About::Confirmation {
                email: asked.email,
                at: asked.at,
            },
            _ => return None,
        };
        Some(Self {
            account,
            id: Uuid::new_v5(&account.0, &version.to_be_bytes()),
            about,
        })
    }

    /// Whether the link would be of any use to the account as it is now. Of what was asked for twice, the last one is sent.
    pub fn is_of_use(&self, active: &Active, now: Timestamp) -> bool {
        active.standing == Standing::Good
            && match self.about {
                About::Reset { number, expires_at } => {
                    active.reset.is_some_and(|reset| reset.number == number) && expires_at > now
                }
                About::Confirmation { email, at } => {
                    active.email == email
                        && !active.email_confirmed
                        && active.confirmation_at == Some(at)
                        && at + CONFIRMATION_LIFE > now
                }
            }
    }

    pub fn wording(&self, keys: &Keys, base_url: &str) -> Wording {
        let account = self.account;
        match self.about {
            About::Reset { number, expires_at } => {
                let link = ResetLink { account, number }.address(keys, base_url);
                Wording::of_reset(base_url, link, expires_at)
            }
            About::Confirmation { email, .. } => {
                let link = ConfirmationLink { account, email }.address(keys, base_url);
                Wording::of_confirmation(base_url, link)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool_domain::accounts::{
        Account, Deleted, Disabled, EmailConfirmationRequested, EmailConfirmed, PasswordChange,
        PasswordChanged, PasswordResetRequested, ProfileChanged, Registered,
    };
    use spool_domain::actors::{Actor, Role};
    use spool_domain::decider::refold;
    use spool_domain::sealed::Sealed;

    const ANNA: AccountId = AccountId(Uuid::from_u128(1));
    const EMAIL: ReservationId = ReservationId(Uuid::from_u128(2));
    const USERNAME: ReservationId = ReservationId(Uuid::from_u128(3));
    const NOW: Timestamp = Timestamp::from_millis(1_795_248_000_000);
    const HOUR: Millis = Millis(3_600_000);

    fn sealed() -> Sealed {
        Sealed("sealed".to_owned())
    }

    fn registered() -> Event {
        Event::Registered(Registered {
            personal: sealed(),
            password_hash: sealed(),
            email: EMAIL,
            username: USERNAME,
            role: Role::Viewer,
            identity: None,
            bootstrap: None,
            email_confirmed: false,
        })
    }

    fn reset(number: u32) -> Event {
        Event::PasswordResetRequested(PasswordResetRequested {
            number,
            at: NOW,
            expires_at: NOW + HOUR,
        })
    }

    fn confirmation(at: Timestamp) -> Event {
        Event::EmailConfirmationRequested(EmailConfirmationRequested { email: EMAIL, at })
    }

    fn moved_to(email: ReservationId) -> Event {
        Event::ProfileChanged(ProfileChanged {
            personal: sealed(),
            email,
            username: USERNAME,
            given_up: vec![],
        })
    }

    /// Whether the letter that `asked` wants is of use after it and `later` have happened.
    fn check(asked: &Event, later: &[Event], now: Timestamp, expected: bool) {
        let letter = Letter::of(ANNA, 2, &asked.clone().into()).expect("it wants a letter");
        let mut events = vec![registered(), asked.clone()];
        events.extend_from_slice(later);
        let Account::Active(active) = refold::<Account>(&events) else {
            panic!("it is registered")
        };
        assert_eq!(
            letter.is_of_use(&active, now),
            expected,
            "{asked:?}, then {later:?}"
        );
    }

    fn locked() -> Event {
        Event::Disabled(Disabled { by: Actor::System })
    }

    fn deleted() -> Event {
        Event::Deleted(Deleted {
            by: Actor::System,
            erase_at: NOW + HOUR,
        })
    }

    #[test]
    fn a_reset_is_of_use_until_it_is_late_used_or_followed_by_another() {
        let changed = Event::PasswordChanged(PasswordChanged {
            password_hash: sealed(),
            how: PasswordChange::ByOwner,
        });
        let soon = NOW + Millis(HOUR.0 - 1);
        check(&reset(1), &[], soon, true);
        check(&reset(1), &[], NOW + HOUR, false);
        check(&reset(1), &[reset(2)], soon, false);
        check(&reset(1), &[changed], soon, false);
        check(&reset(1), &[moved_to(EMAIL)], soon, true);
        check(&reset(1), &[moved_to(USERNAME)], soon, false);
        check(&reset(1), &[locked()], soon, false);
        check(&reset(1), &[deleted()], soon, false);
    }

    #[test]
    fn a_confirmation_is_of_use_while_the_address_is_the_accounts_and_not_confirmed() {
        let asked = confirmation(NOW);
        let later = NOW + HOUR;
        let confirmed = Event::EmailConfirmed(EmailConfirmed { email: EMAIL });
        check(&asked, &[], later, true);
        check(&asked, &[], NOW + CONFIRMATION_LIFE, false);
        check(&asked, &[confirmation(later)], later, false);
        check(&asked, &[confirmed], later, false);
        check(&asked, &[moved_to(USERNAME)], later, false);
        check(&asked, &[locked()], later, false);
        check(&asked, &[deleted()], later, false);
    }

    #[test]
    fn a_letter_has_the_same_id_whenever_it_is_sent_and_another_one_another() {
        let of = |version| Letter::of(ANNA, version, &reset(1).into()).expect("it wants a letter");
        assert_eq!(of(2), of(2));
        assert_ne!(of(2).id, of(3).id);
        assert_eq!(Letter::of(ANNA, 1, &registered().into()), None);
    }
}
