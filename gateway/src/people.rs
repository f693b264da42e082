//! What is known about persons: sealed in the log with each one's key, opened here.

use crate::gateway::Parts;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spool_commands::accounts::PERSONAL;
use spool_domain::ids::AccountId;
use spool_domain::sealed::Sealed;
use spool_platform::keys::{Keys, KeysError};
use spool_projections::{Changes, Projections, QueryError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

const PASSWORD: &[u8] = b"accounts/password";
/// How many usernames are kept; at about 100 bytes each.
const USERNAMES_MAX: usize = 16_384;

/// The personal data of an account, as sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    pub email: String,
    pub username: String,
    pub first_name: String,
    pub last_name: String,
}

/// Seals and opens, and remembers usernames, which every list of videos shows.
pub struct People {
    keys: Keys,
    usernames: Mutex<Usernames>,
}

struct Usernames {
    by_account: HashMap<AccountId, Option<Arc<str>>>,
    changes: Receiver<Arc<Changes>>,
}

impl People {
    pub fn new(parts: &Parts) -> Self {
        let changes = parts.projections.accounts().changes();
        Self {
            keys: parts.keys.clone(),
            usernames: Mutex::new(Usernames {
                by_account: HashMap::new(),
                changes,
            }),
        }
    }

    /// Both sealed with the person's key, which is made if need be. Blocking.
    pub fn seal(
        &self,
        account: AccountId,
        personal: &Personal,
        password_hash: &str,
    ) -> Result<(Sealed, Sealed), Problem> {
        Ok((
            self.seal_personal(account, personal)?,
            self.seal_hash(account, password_hash)?,
        ))
    }

    /// Sealed with the person's key. Blocking.
    pub fn seal_personal(&self, account: AccountId, personal: &Personal) -> Result<Sealed, Problem> {
        let text = serde_json::to_vec(personal).expect("four texts become JSON");
        Ok(Sealed(self.keys.seal(account.0, &text, PERSONAL)?))
    }

    /// An argon2id hash, sealed with the person's key. Blocking.
    pub fn seal_hash(&self, account: AccountId, hash: &str) -> Result<Sealed, Problem> {
        Ok(Sealed(self.keys.seal(account.0, hash.as_bytes(), PASSWORD)?))
    }

    /// Nothing when the person was erased. Blocking.
    pub fn personal(&self, account: AccountId, sealed: &Sealed) -> Result<Option<Personal>, Problem> {
        let text = self.opened(account, sealed, PERSONAL)?;
        let read = text.map(|text| serde_json::from_slice(&text));
        read.transpose().map_err(Problem::defect)
    }

    /// The PHC string; nothing when the person was erased. Blocking.
    pub fn password_hash(&self, account: AccountId, sealed: &Sealed) -> Result<Option<String>, Problem> {
        let text = self.opened(account, sealed, PASSWORD)?;
        text.map(String::from_utf8).transpose().map_err(Problem::defect)
    }

    /// What was sealed for `purpose`; nothing when the person was erased. Blocking.
    pub fn opened(
        &self,
        account: AccountId,
        sealed: &Sealed,
        purpose: &[u8],
    ) -> Result<Option<Vec<u8>>, Problem> {
        match self.keys.open_sealed(account.0, &sealed.0, purpose) {
            Ok(text) => Ok(Some(text)),
            Err(KeysError::Erased) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The account's username; nothing when the view has not heard of it or the person was erased. Blocking.
    pub fn username(
        &self,
        projections: &Projections,
        account: AccountId,
    ) -> Result<Option<Arc<str>>, QueryError> {
        if let Some(known) = self.usernames().by_account.get(&account) {
            return Ok(known.clone());
        }
        let Some(row) = projections.accounts().account(account)? else {
            return Ok(None);
        };
        let username = match self.personal(account, &row.personal) {
            Ok(personal) => personal.map(|personal| Arc::from(personal.username)),
            Err(problem) => {
                // A list with a name missing is better than no list.
                tracing::warn!(%account, ?problem, "a username cannot be read");
                return Ok(None);
            }
        };
        let mut usernames = self.usernames();
        if usernames.by_account.len() >= USERNAMES_MAX {
            usernames.by_account.clear();
        }
        usernames.by_account.insert(account, username.clone());
        Ok(username)
    }

    /// The names that still hold: those of accounts that changed are dropped first.
    fn usernames(&self) -> MutexGuard<'_, Usernames> {
        let mut usernames = self.usernames.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match usernames.changes.try_recv() {
                Ok(changes) => usernames.drop_changed(&changes),
                Err(TryRecvError::Lagged(_)) => usernames.by_account.clear(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return usernames,
            }
        }
    }
}

impl Usernames {
    fn drop_changed(&mut self, changes: &Changes) {
        match changes {
            Changes::All => self.by_account.clear(),
            Changes::Keys(keys) => {
                for account in keys.iter().filter_map(|key| key.parse().ok()) {
                    self.by_account.remove(&AccountId(account));
                }
            }
        }
    }
}

impl From<KeysError> for Problem {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Full => Self::no_room(),
            KeysError::Erased => Self::not_found("person"),
            error => Self::unavailable("the keys did not answer").caused_by(error),
        }
    }
}
