//! The links that are sent by mail: made again from what they stand for, never stored.
//!
//! The secret stands behind the `#`, which browsers keep to themselves: it is in no access log and in no `Referer`.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use spool_domain::ids::{AccountId, ReservationId};
use spool_platform::keys::Keys;
use uuid::Uuid;

const RESET: &str = "links/password-reset";
const CONFIRMATION: &str = "links/email-confirmation";

/// Lets whoever has it choose a new password for the account, if the account's stream says that it is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetLink {
    pub account: AccountId,
    /// As in the event that asked for it.
    pub number: u32,
}

/// Shows that somebody reads what is sent to an e-mail address of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfirmationLink {
    pub account: AccountId,
    /// The place of the address.
    pub email: ReservationId,
}

impl ResetLink {
    /// The same every time.
    pub fn token(&self, keys: &Keys) -> String {
        let mut body = [0; 20];
        body[..16].copy_from_slice(self.account.0.as_bytes());
        body[16..].copy_from_slice(&self.number.to_be_bytes());
        signed(keys, RESET, &body)
    }

    /// What `token` stands for, if we made it.
    pub fn read(keys: &Keys, token: &str) -> Option<Self> {
        let body: [u8; 20] = unsigned(keys, RESET, token)?;
        Some(Self {
            account: AccountId(Uuid::from_slice(&body[..16]).ok()?),
            number: u32::from_be_bytes(body[16..].try_into().ok()?),
        })
    }

    /// The page for it, below `base`.
    pub fn address(&self, keys: &Keys, base: &str) -> String {
        format!("{base}/reset-password#token={}", self.token(keys))
    }
}

impl ConfirmationLink {
    /// The same every time.
    pub fn token(&self, keys: &Keys) -> String {
        let mut body = [0; 32];
        body[..16].copy_from_slice(self.account.0.as_bytes());
        body[16..].copy_from_slice(self.email.0.as_bytes());
        signed(keys, CONFIRMATION, &body)
    }

    /// What `token` stands for, if we made it.
    pub fn read(keys: &Keys, token: &str) -> Option<Self> {
        let body: [u8; 32] = unsigned(keys, CONFIRMATION, token)?;
        Some(Self {
            account: AccountId(Uuid::from_slice(&body[..16]).ok()?),
            email: ReservationId(Uuid::from_slice(&body[16..]).ok()?),
        })
    }

    /// The page for it, below `base`.
    pub fn address(&self, keys: &Keys, base: &str) -> String {
        format!("{base}/confirm-email#token={}", self.token(keys))
    }
}

fn signed(keys: &Keys, purpose: &str, body: &[u8]) -> String {
    let mac = keys.mac(purpose, body);
    URL_SAFE_NO_PAD.encode([body, &mac[..]].concat())
}

/// How long it takes says nothing about how much of the signature was right.
fn unsigned<const LENGTH: usize>(keys: &Keys, purpose: &str, token: &str) -> Option<[u8; LENGTH]> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, mac) = bytes.split_at_checked(LENGTH)?;
    verify_slices_are_equal(&keys.mac(purpose, body)[..], mac).ok()?;
    body.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (tempfile::TempDir, Keys) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let keys = Keys::open(dir.path()).expect("keys are made");
        (dir, keys)
    }

    const ANNA: AccountId = AccountId(Uuid::from_u128(1));

    #[test]
    fn a_link_is_the_same_every_time_and_says_what_it_stands_for() {
        let (_dir, keys) = keys();
        let reset = ResetLink {
            account: ANNA,
            number: 3,
        };
        assert_eq!(reset.token(&keys), reset.token(&keys));
        assert_eq!(ResetLink::read(&keys, &reset.token(&keys)), Some(reset));
        let confirmation = ConfirmationLink {
            account: ANNA,
            email: ReservationId(Uuid::from_u128(2)),
        };
        let token = confirmation.token(&keys);
        assert_eq!(ConfirmationLink::read(&keys, &token), Some(confirmation));
        assert_eq!(
            confirmation.address(&keys, "https://films.example"),
            format!("https://films.example/confirm-email#token={token}")
        );
    }

    #[test]
    fn a_link_cannot_be_made_up_or_used_for_something_else() {
        let (_dir, keys) = keys();
        let link = |number| ResetLink {
            account: ANNA,
            number,
        };
        let (one, two) = (link(1).token(&keys), link(2).token(&keys));
        // 20 bytes are 27 characters; the signature of another number does not fit.
        let forged = format!("{}{}", &two[..27], &one[27..]);
        assert_eq!(ResetLink::read(&keys, &forged), None);
        assert_eq!(ResetLink::read(&keys, &one[..one.len() - 2]), None);
        assert_eq!(ResetLink::read(&keys, ""), None);
        assert_eq!(ConfirmationLink::read(&keys, &one), None);
        let (_other, others) = self::keys();
        assert_eq!(ResetLink::read(&others, &one), None);
    }
}
