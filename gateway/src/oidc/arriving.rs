//! What comes of an identity: it is known, or belongs to an account by its e-mail address, or somebody new registers with it.

use super::names;
use super::providers::Told;
use super::trouble::Trouble;
use crate::accounts::registration::check_email;
use crate::gateway::Gateway;
use crate::people::Personal;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spool_commands::accounts::{RegisterError, email_place, identity_place, username_place};
use spool_commands::{Ask, Outcome, ids};
use spool_domain::accounts::{Account, Active, Identity, Registered, Standing};
use spool_domain::ids::{AccountId, ReservationId};
use spool_domain::sealed::Sealed;

const SHOWN: &[u8] = b"accounts/identity";
/// How often another username is tried when somebody was quicker.
const NAMES_TRIED: usize = 5;
/// How many small numbers are tried after a name.
const USERNAMES_NUMBERED: u32 = 9;

/// What a person is shown of an identity, so as to know which it is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    pub email: Option<String>,
    pub username: Option<String>,
}

impl Gateway {
    /// The account that signs in by this identity. It is linked if need be and may be, or made if `may_register`; `provider` is
    /// where it came by.
    pub(super) async fn arrive(
        &self,
        told: Told,
        provider: &str,
        may_register: bool,
        ask: &Ask,
    ) -> Result<AccountId, Trouble> {
        let parts = self.parts();
        let place = identity_place(&parts.keys, &told.issuer, &told.subject);
        if let Some(account) = self.account_of_identity(place).await? {
            return Ok(account);
        }
        let email = told.email.as_deref().filter(|email| check_email(email).is_ok());
        let email = email.ok_or(Trouble::NoEmail)?;
        match parts.commands.account_at(email_place(&parts.keys, email)).await? {
            Some(account) => {
                let active = self.usable(account).await?.ok_or(Trouble::UnderWay)?;
                // Who registered with somebody else's address must not be joined by them: both sides have to have proved it.
                if !told.email_verified {
                    return Err(Trouble::EmailUnverified);
                }
                if !active.email_confirmed {
                    return Err(Trouble::EmailUnconfirmed);
                }
                self.link(account, &told, provider, ask).await?;
                Ok(account)
            }
            None if may_register => self.register_by(told, provider, ask).await,
            None => Err(Trouble::RegistrationClosed),
        }
    }

    /// Who signs in by the identity at `place`, if anybody does. Somebody who has only reserved it is none.
    pub(super) async fn account_of_identity(
        &self,
        place: ReservationId,
    ) -> Result<Option<AccountId>, Trouble> {
        let Some(account) = self.parts().commands.account_at(place).await? else {
            return Ok(None);
        };
        let active = self.usable(account).await?;
        match active.is_some_and(|active| active.identities.contains_key(&place)) {
            true => Ok(Some(account)),
            false => Err(Trouble::UnderWay),
        }
    }

    /// Makes the identity a way into the account.
    pub(super) async fn link(
        &self,
        account: AccountId,
        told: &Told,
        provider: &str,
        ask: &Ask,
    ) -> Result<Outcome, Trouble> {
        let identity = self.identity(account, told, provider).await?;
        let commands = &self.parts().commands;
        let linked = commands.link_identity(account, identity, ask).await;
        linked.map_err(not_taken)
    }

    /// The account, if it is there and may be used.
    async fn usable(&self, account: AccountId) -> Result<Option<Box<Active>>, Trouble> {
        match self.parts().commands.state::<Account>(account.stream()).await?.0 {
            Account::Active(active) if active.standing == Standing::Good => Ok(Some(active)),
            Account::Active(_) => Err(Trouble::AccountClosed),
            Account::Unregistered | Account::Void | Account::Erased => Ok(None),
        }
    }

    /// Registers somebody without a password, under a username that is like what they are called there.
    async fn register_by(&self, told: Told, provider: &str, ask: &Ask) -> Result<AccountId, Trouble> {
        let mut personal = names::personal(&told);
        for round in 0..NAMES_TRIED {
            personal.username = self.free_username(&personal.username, round).await?;
            // An account whose name was taken meanwhile is void for good, so each round has another.
            let account = AccountId(ids::created_by(ask.command, &format!("account {round}")));
            match self.register_as(account, &personal, &told, provider, ask).await {
                Ok(()) => return Ok(account),
                Err(Registering::Trouble(trouble)) => return Err(trouble),
                Err(Registering::Refused(refused)) => match refused {
                    RegisterError::UsernameTaken => {}
                    // A moment ago it was nobody's.
                    RegisterError::EmailTaken | RegisterError::IdentityTaken => {
                        return Err(Trouble::UnderWay);
                    }
                    error => return Err(not_taken(error)),
                },
            }
        }
        Err(Trouble::UnderWay)
    }

    /// As wished for, or with a number after it; from the second round on one that nobody else will think of.
    async fn free_username(&self, wished: &str, round: usize) -> Result<String, Trouble> {
        let parts = self.parts();
        if round > 0 {
            let number = uuid::Uuid::new_v4().as_u64_pair().1 % 10_000_000_000;
            return Ok(names::numbered(wished, &number.to_string()));
        }
        let others = (2..=USERNAMES_NUMBERED).map(|number| names::numbered(wished, &number.to_string()));
        for name in std::iter::once(wished.to_owned()).chain(others) {
            let holder = parts
                .commands
                .account_at(username_place(&parts.keys, &name))
                .await?;
            if holder.is_none() {
                return Ok(name);
            }
        }
        Box::pin(self.free_username(wished, 1)).await
    }

    async fn register_as(
        &self,
        account: AccountId,
        personal: &Personal,
        told: &Told,
        provider: &str,
        ask: &Ask,
    ) -> Result<(), Registering> {
        let registered = self.sealed(account, personal.clone(), String::new()).await?;
        let registered = Registered {
            identity: Some(self.identity(account, told, provider).await?),
            email_confirmed: told.email_verified,
            ..registered
        };
        self.parts().commands.register(account, registered, ask).await?;
        Ok(())
    }

    async fn identity(&self, account: AccountId, told: &Told, provider: &str) -> Result<Identity, Problem> {
        let shown = Shown {
            email: told.email.clone(),
            username: told.username.clone(),
        };
        let text = serde_json::to_vec(&shown).expect("two texts become JSON");
        let keys = self.parts().keys.clone();
        let place = identity_place(&keys, &told.issuer, &told.subject);
        let sealed = tokio::task::spawn_blocking(move || keys.seal(account.0, &text, SHOWN)).await??;
        Ok(Identity {
            place,
            provider: provider.to_owned(),
            shown: Sealed(sealed),
        })
    }

    /// What to show of identities; nothing of what cannot be read any more. Blocking.
    pub(super) fn identity_shown(&self, account: AccountId, identity: &Identity) -> Shown {
        let opened = self.parts().keys.open_sealed(account.0, &identity.shown.0, SHOWN);
        let shown = opened.ok().and_then(|text| serde_json::from_slice(&text).ok());
        shown.unwrap_or_default()
    }
}

fn not_taken(error: RegisterError) -> Trouble {
    match error {
        RegisterError::IdentityTaken => Trouble::IdentityTaken,
        RegisterError::Command(error) => error.into(),
        RegisterError::EmailTaken | RegisterError::UsernameTaken | RegisterError::NotTheFirst => {
            Problem::defect(error).into()
        }
    }
}

/// Why somebody was not registered by a provider.
enum Registering {
    Refused(RegisterError),
    Trouble(Trouble),
}

impl From<RegisterError> for Registering {
    fn from(error: RegisterError) -> Self {
        Self::Refused(error)
    }
}

impl From<Problem> for Registering {
    fn from(problem: Problem) -> Self {
        Self::Trouble(problem.into())
    }
}
