//! The service token: what the nodes of one installation know each other by.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use spool_platform::keys::Keys;
use std::fmt::{self, Write};

/// Derived from the master key, so whoever has the keys of the installation has it.
#[derive(Clone)]
pub struct ServiceToken(String);

impl ServiceToken {
    pub fn of(keys: &Keys) -> Self {
        let mut text = String::new();
        for byte in keys.derive("internal") {
            write!(text, "{byte:02x}").expect("a string takes everything");
        }
        Self(text)
    }

    /// What goes into the Authorization header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether an Authorization header has this token. How long that takes says nothing about it.
    pub fn is_in(&self, authorization: &[u8]) -> bool {
        verify_slices_are_equal(authorization, self.bearer().as_bytes()).is_ok()
    }
}

/// Shows nothing of the secret.
impl fmt::Debug for ServiceToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ServiceToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_same_keys_has_the_token() {
        let [one, other] = [0, 1].map(|_| tempfile::tempdir().expect("a directory for the keys"));
        let [ours, again, theirs] =
            [&one, &one, &other].map(|dir| ServiceToken::of(&Keys::open(dir.path()).expect("the keys open")));
        assert!(ours.is_in(again.bearer().as_bytes()));
        assert!(!ours.is_in(theirs.bearer().as_bytes()));
        assert!(!ours.is_in(b""));
        assert!(!format!("{ours:?}").contains(&ours.bearer()[7..15]));
    }
}
