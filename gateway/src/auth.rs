//! Who is calling: believes access tokens and API keys, remembers those it has believed, and looks again at what an account
//! says of them: at once when this node changed it, within a second when another did.

mod believed;
pub mod revoked;
pub mod scopes;

pub use believed::Believed;
use believed::Known;
pub use scopes::Scopes;

use crate::accounts::api_keys;
use crate::gateway::Gateway;
use crate::problem::{Kind, Problem};
use crate::tokens;
use axum::http::{HeaderMap, HeaderName, header};
use spool_commands::CommandError;
use spool_domain::accounts::Account;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, ApiKeyId, ReservationId, SessionId};
use spool_domain::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Tokens of others carry more than ours.
const TOKEN_MAX_BYTES: usize = 8_192;
/// How long to wait for the account's own word on a token that was believed a second ago. Whoever cannot be asked has not
/// revoked it either, and queries are to go on while the log is away.
const WORD_WITHIN: Duration = Duration::from_millis(300);

/// The person or program behind a request, if any.
#[derive(Clone, Debug)]
pub enum Caller {
    Anonymous,
    Person(Arc<Credential>),
}

/// Whom a good token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub account: AccountId,
    /// The role that the account has now, less what an API key is not for.
    pub role: Role,
    pub means: Means,
    /// Milliseconds since 1970; `i64::MAX` when it does not end by itself.
    pub expires_at_ms: i64,
}

/// By what somebody shows who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Session(SessionId),
    ApiKey(ApiKeyId, Scopes),
    /// A token of another issuer: the identity that it is for, and the role that it says.
    Visit(ReservationId, Option<Role>),
}

impl Caller {
    /// Reads the Authorization header, or `X-Api-Key`. A token that is there must be good: falling back to nobody would
    /// hide from its owner that it has ended.
    pub async fn of(headers: &HeaderMap, gateway: &Gateway) -> Result<Self, Problem> {
        let (value, is_key) = match (headers.get(header::AUTHORIZATION), headers.get(API_KEY)) {
            (None, None) => return Ok(Self::Anonymous),
            (Some(value), _) => (value, false),
            (None, Some(value)) => (value, true),
        };
        let text = value.to_str().ok();
        let token = if is_key {
            text.map(str::trim).filter(|token| api_keys::is_key(token))
        } else {
            text.and_then(bearer)
        };
        let token = token.ok_or_else(Problem::sign_in_needed)?;
        Ok(Self::Person(gateway.believe(token).await?))
    }

    /// Whoever it is, or 401.
    pub fn credential(&self) -> Result<&Credential, Problem> {
        match self {
            Self::Person(credential) => Ok(credential),
            Self::Anonymous => Err(Problem::sign_in_needed()),
        }
    }

    /// The account of whoever it is, or 401.
    pub fn account(&self) -> Result<AccountId, Problem> {
        Ok(self.credential()?.account)
    }

    /// The account and session of a person who is signed in: 401 for nobody, 403 for an API key.
    pub fn session(&self) -> Result<(AccountId, SessionId), Problem> {
        let credential = self.credential()?;
        match credential.means {
            Means::Session(session) => Ok((credential.account, session)),
            Means::ApiKey(..) => Err(Problem::not_allowed(
                "an API key cannot do this; sign in as a person",
            )),
            Means::Visit(..) => Err(Problem::not_allowed(
                "a token of another issuer cannot do this; sign in here",
            )),
        }
    }

    /// An administrator: 401 for nobody, 403 for others.
    pub fn admin(&self) -> Result<Actor, Problem> {
        match self.credential()?.role {
            Role::Admin => Ok(self.actor()),
            Role::Viewer | Role::Creator | Role::Service => {
                Err(Problem::not_allowed("only an administrator may do this"))
            }
        }
    }

    /// The person of this account or an administrator: 401 for nobody, 403 for others.
    pub fn self_or_admin(&self, account: AccountId) -> Result<Actor, Problem> {
        match self.credential()? {
            credential if credential.account == account || credential.role == Role::Admin => Ok(self.actor()),
            _ => Err(Problem::not_allowed(
                "only the person and administrators may do this",
            )),
        }
    }

    pub fn actor(&self) -> Actor {
        match self {
            Self::Anonymous => Actor::Anonymous,
            Self::Person(credential) => Actor::Person {
                account: credential.account,
                role: credential.role,
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
    /// Whom a good token stands for: an access token signed by us, not expired, of a session that goes on, or an API key, of
    /// an account that may be used.
    pub(crate) async fn believe(&self, token: &str) -> Result<Arc<Credential>, Problem> {
        let now_ms = self.parts().clock.now_ms();
        let credential = match self.believed().look_up(token, now_ms) {
            Known::Fresh(credential) => credential,
            Known::Ageing(credential, epoch) => {
                let (gateway, token, known) = (self.clone(), token.to_owned(), credential.clone());
                tokio::spawn(async move { gateway.look_again(&token, known, epoch).await });
                credential
            }
            // Apart, so that the many requests that do not get here do not carry what these need.
            Known::Stale(credential, epoch) => Box::pin(self.look_again(token, credential, epoch)).await?,
            Known::Nothing(epoch) => Box::pin(self.check(token, epoch)).await?,
        };
        if credential.expires_at_ms > now_ms {
            Ok(credential)
        } else {
            Err(Problem::sign_in_needed())
        }
    }

    async fn check(&self, token: &str, epoch: u64) -> Result<Arc<Credential>, Problem> {
        let now_ms = self.parts().clock.now_ms();
        let credential = match api_keys::read(token) {
            Some(key) => self.check_key(key).await?,
            None => self.check_token(token, now_ms).await?,
        };
        let credential = Arc::new(credential);
        self.believed().remember(token, &credential, now_ms, epoch);
        Ok(credential)
    }

    async fn check_token(&self, token: &str, now_ms: i64) -> Result<Credential, Problem> {
        let Some(claims) = tokens::verify(&self.parts().keys, token) else {
            return self.check_visitor(token, now_ms).await;
        };
        if claims.exp * 1000 <= now_ms {
            return Err(Problem::sign_in_needed());
        }
        let role = self.word_on_session(claims.sub, claims.sid).await?;
        Ok(Credential {
            account: claims.sub,
            role: role.ok_or_else(Problem::sign_in_needed)?,
            means: Means::Session(claims.sid),
            expires_at_ms: claims.exp.saturating_mul(1000),
        })
    }

    /// What was believed a moment ago, as its account sees it now.
    async fn look_again(
        &self,
        token: &str,
        before: Arc<Credential>,
        epoch: u64,
    ) -> Result<Arc<Credential>, Problem> {
        let now_ms = self.parts().clock.now_ms();
        let asking = async {
            match before.means {
                Means::Session(session) => self.word_on_session(before.account, session).await,
                Means::Visit(identity, said) => self.word_on_visit(before.account, identity, said).await,
                Means::ApiKey(..) => match api_keys::read(token) {
                    Some(key) => match self.check_key(key).await {
                        Ok(credential) => Ok(Some(credential.role)),
                        Err(problem) if problem.kind() == Kind::SignInNeeded => Ok(None),
                        Err(problem) => Err(problem),
                    },
                    None => Ok(None),
                },
            }
        };
        let role = match tokio::time::timeout(WORD_WITHIN, asking).await {
            Ok(Ok(role)) => role,
            Ok(Err(_)) | Err(_) => Some(before.role),
        };
        let Some(role) = role else {
            self.believed().forget_token(token);
            return Err(Problem::sign_in_needed());
        };
        let credential = if role == before.role {
            before
        } else {
            Arc::new(Credential {
                role,
                ..(*before).clone()
            })
        };
        self.believed().remember(token, &credential, now_ms, epoch);
        Ok(credential)
    }

    /// The account's stream knows which sessions go on: the role, if this one does.
    async fn word_on_session(&self, account: AccountId, session: SessionId) -> Result<Option<Role>, Problem> {
        let now = Timestamp::from_millis(self.parts().clock.now_ms());
        let state: Result<(Account, u64), CommandError> = self.parts().commands.state(account.stream()).await;
        Ok(state?.0.admits(session, now))
    }
}
