//! What was believed already, and for how long it may be believed without looking again.

use super::Credential;
use foldhash::HashMap;
use spool_domain::ids::AccountId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Two generations of so many remembered tokens, about 10 MB in all.
const REMEMBERED_MAX: usize = 8_192;
/// A token that was looked at so long ago is looked at again, while it is still believed.
const LOOK_AGAIN_MS: i64 = 400;
/// A token that was looked at so long ago is not believed before it was looked at again.
pub const BELIEVED_MS: i64 = 900;

/// Tokens and keys believed already: checking a signature is most of what a small request costs.
#[derive(Default)]
pub struct Believed(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
    /// Rises whenever something is forgotten, so that nothing is remembered that was checked before.
    epoch: u64,
}

struct Entry {
    credential: Arc<Credential>,
    looked_at_ms: i64,
    /// When somebody was last told to look again.
    told_at_ms: i64,
}

/// What is known of a token.
pub enum Known {
    /// Looked at a moment ago.
    Fresh(Arc<Credential>),
    /// To be looked at again in the background. Only one caller is told so.
    Ageing(Arc<Credential>, u64),
    /// To be looked at again first.
    Stale(Arc<Credential>, u64),
    /// The epoch to hand to [`Believed::remember`] after checking.
    Nothing(u64),
}

impl Believed {
    pub fn look_up(&self, token: &str, now_ms: i64) -> Known {
        let mut inner = self.lock();
        let epoch = inner.epoch;
        if let Some(entry) = inner.young.get_mut(token) {
            return entry.known(now_ms, epoch);
        }
        match inner.old.remove_entry(token) {
            Some((token, mut entry)) => {
                let known = entry.known(now_ms, epoch);
                inner.insert(token, entry);
                known
            }
            None => Known::Nothing(epoch),
        }
    }

    /// Unless something was forgotten since `epoch`.
    pub fn remember(&self, token: &str, credential: &Arc<Credential>, now_ms: i64, epoch: u64) {
        let mut inner = self.lock();
        if inner.epoch == epoch {
            let entry = Entry {
                credential: credential.clone(),
                looked_at_ms: now_ms,
                told_at_ms: now_ms,
            };
            inner.insert(token.into(), entry);
        }
    }

    /// All that this account's tokens and keys were believed for is to be looked at again, now.
    pub fn forget(&self, account: AccountId) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.young.retain(|_, entry| entry.credential.account != account);
        inner.old.retain(|_, entry| entry.credential.account != account);
    }

    pub fn forget_token(&self, token: &str) {
        let mut inner = self.lock();
        inner.young.remove(token);
        inner.old.remove(token);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, token: Box<str>, entry: Entry) {
        if self.young.len() >= REMEMBERED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, entry);
    }
}

impl Entry {
    fn known(&mut self, now_ms: i64, epoch: u64) -> Known {
        let credential = self.credential.clone();
        if now_ms - self.looked_at_ms >= BELIEVED_MS {
            Known::Stale(credential, epoch)
        } else if now_ms - self.told_at_ms >= LOOK_AGAIN_MS {
            self.told_at_ms = now_ms;
            Known::Ageing(credential, epoch)
        } else {
            Known::Fresh(credential)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Credential, Means};
    use super::*;
    use spool_domain::actors::Role;
    use spool_domain::ids::SessionId;
    use uuid::Uuid;

    fn credential() -> Arc<Credential> {
        Arc::new(Credential {
            account: AccountId(Uuid::from_u128(1)),
            role: Role::Creator,
            means: Means::Session(SessionId(Uuid::from_u128(2))),
            expires_at_ms: i64::MAX,
        })
    }

    fn name(known: &Known) -> &'static str {
        match known {
            Known::Fresh(_) => "fresh",
            Known::Ageing(..) => "ageing",
            Known::Stale(..) => "stale",
            Known::Nothing(_) => "nothing",
        }
    }

    #[test]
    fn one_caller_is_told_to_look_again_and_after_a_while_all_are() {
        let believed = Believed::default();
        believed.remember("token", &credential(), 0, 0);
        let at = |now_ms| name(&believed.look_up("token", now_ms));
        assert_eq!(
            [
                at(0),
                at(399),
                at(400),
                at(401),
                at(799),
                at(899),
                at(900),
                at(901)
            ],
            [
                "fresh", "fresh", "ageing", "fresh", "fresh", "ageing", "stale", "stale"
            ]
        );
    }

    #[test]
    fn what_was_checked_before_something_was_forgotten_is_not_remembered() {
        let believed = Believed::default();
        let Known::Nothing(epoch) = believed.look_up("token", 0) else {
            panic!("nothing is known");
        };
        believed.forget(AccountId(Uuid::from_u128(3)));
        believed.remember("token", &credential(), 0, epoch);
        assert_eq!(name(&believed.look_up("token", 0)), "nothing");
    }

    #[test]
    fn an_account_is_forgotten_with_all_its_tokens() {
        let believed = Believed::default();
        believed.remember("one", &credential(), 0, 0);
        believed.remember("two", &credential(), 0, 0);
        believed.forget(AccountId(Uuid::from_u128(1)));
        assert_eq!(name(&believed.look_up("one", 0)), "nothing");
        assert_eq!(name(&believed.look_up("two", 0)), "nothing");
    }
}
