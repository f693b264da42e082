//! Who is calling: believes access tokens, remembers those it has believed, forgets them when a session ends.

use crate::gateway::Gateway;
use crate::problem::Problem;
use crate::tokens::{self, Claims};
use axum::http::{HeaderMap, header};
use spool_domain::accounts::Account;
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, SessionId};
use spool_domain::time::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Two generations of so many remembered tokens, about 10 MB in all.
const REMEMBERED_MAX: usize = 8_192;
const TOKEN_MAX_BYTES: usize = 2_048;

/// The person behind a request, if any.
#[derive(Clone, Debug)]
pub enum Caller {
    Anonymous,
    Person(Arc<Claims>),
}

impl Caller {
    /// Reads the Authorization header. A token that is there must be good: falling back to nobody would
    /// hide from its owner that it has ended.
    pub async fn of(headers: &HeaderMap, gateway: &Gateway) -> Result<Self, Problem> {
        match headers.get(header::AUTHORIZATION) {
            None => Ok(Self::Anonymous),
            Some(value) => {
                let token = value
                    .to_str()
                    .ok()
                    .and_then(bearer)
                    .ok_or_else(Problem::sign_in_needed)?;
                Ok(Self::Person(gateway.believe(token).await?))
            }
        }
    }

    pub fn claims(&self) -> Result<&Claims, Problem> {
        match self {
            Self::Person(claims) => Ok(claims),
            Self::Anonymous => Err(Problem::sign_in_needed()),
        }
    }

    pub fn actor(&self) -> Actor {
        match self {
            Self::Anonymous => Actor::Anonymous,
            Self::Person(claims) => Actor::Person {
                account: claims.sub,
                role: claims.role,
            },
        }
    }

    /// Whether the caller may do and see what only the owner may.
    pub fn may_act_for(&self, owner: AccountId) -> bool {
        self.actor().may_act_for(owner)
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= TOKEN_MAX_BYTES)
        .then_some(token)
}

impl Gateway {
    /// The claims of a good access token: signed by us, not expired, of a session that goes on.
    pub(crate) async fn believe(&self, token: &str) -> Result<Arc<Claims>, Problem> {
        let now_ms = self.parts().clock.now_ms();
        let believed = self.believed();
        let (claims, epoch) = match believed.look_up(token) {
            Ok(claims) => (Some(claims), None),
            Err(epoch) => (
                tokens::verify(&self.parts().keys, token).map(Arc::new),
                Some(epoch),
            ),
        };
        let claims = claims
            .filter(|claims| claims.exp * 1000 > now_ms)
            .ok_or_else(Problem::sign_in_needed)?;
        if let Some(epoch) = epoch {
            // Apart, so that the many requests that do not get here do not carry what it needs.
            Box::pin(self.check_session(&claims, now_ms)).await?;
            believed.remember(token, &claims, epoch);
        }
        Ok(claims)
    }

    /// The account's stream knows which sessions go on; asked once per token, since ends are told to [`Believed`].
    async fn check_session(&self, claims: &Claims, now_ms: i64) -> Result<(), Problem> {
        let (account, _) = self
            .parts()
            .commands
            .state::<Account>(claims.sub.stream())
            .await?;
        let role = account.admits(claims.sid, Timestamp::from_millis(now_ms));
        if role.is_some() {
            Ok(())
        } else {
            Err(Problem::sign_in_needed())
        }
    }
}

/// Tokens believed already: checking a signature is most of what a small request costs.
#[derive(Default)]
pub struct Believed(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Box<str>, Arc<Claims>>,
    old: HashMap<Box<str>, Arc<Claims>>,
    /// Rises whenever a session ends, so that nothing is remembered that was checked before.
    epoch: u64,
}

impl Believed {
    /// The claims, or the epoch to hand to [`Believed::remember`] after checking.
    fn look_up(&self, token: &str) -> Result<Arc<Claims>, u64> {
        let mut inner = self.lock();
        if let Some(claims) = inner.young.get(token) {
            return Ok(claims.clone());
        }
        match inner.old.remove_entry(token) {
            Some((token, claims)) => {
                inner.insert(token, claims.clone());
                Ok(claims)
            }
            None => Err(inner.epoch),
        }
    }

    fn remember(&self, token: &str, claims: &Arc<Claims>, epoch: u64) {
        let mut inner = self.lock();
        if inner.epoch == epoch {
            inner.insert(token.into(), claims.clone());
        }
    }

    /// Tokens of these sessions stop working now.
    pub fn forget(&self, sessions: &[SessionId]) {
        if sessions.is_empty() {
            return;
        }
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.young.retain(|_, claims| !sessions.contains(&claims.sid));
        inner.old.retain(|_, claims| !sessions.contains(&claims.sid));
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, token: Box<str>, claims: Arc<Claims>) {
        if self.young.len() >= REMEMBERED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, claims);
    }
}
