//! Sessions: who may have one, the tokens of it, and the account to show with them.

use crate::edge::visit::Visit;
use crate::gateway::Gateway;
use crate::people::Personal;
use crate::problem::Problem;
use crate::tokens::{self, Claims, Refresh};
use crate::users::{avatar_url, version_of_row};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use spool_commands::accounts::{email_place, username_place};
use spool_commands::{Ask, Token, ids};
use spool_domain::accounts::{Account, Command, Registered};
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, SessionId};
use spool_domain::sealed::Sealed;
use spool_domain::time::{Millis, Timestamp};
use spool_projections::accounts::AccountRow;
use std::convert::Infallible;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// Rows that another node writes come after so long at most, with servers that are well.
const ARRIVES_WITHIN: Duration = Duration::from_secs(2);

/// An account as its owner sees it.
#[derive(Serialize, ToSchema)]
pub struct User {
    id: Uuid,
    email: String,
    username: String,
    first_name: String,
    last_name: String,
    /// Where the picture is; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/api/users/0197f0f4-3c00-7000-8000-000000000001/avatar?v=5f1d7a84e2b9c036")]
    avatar_url: Option<String>,
    /// Whether somebody reads what is sent to the e-mail address.
    email_confirmed: bool,
    #[schema(value_type = crate::users::RoleWord, example = "creator")]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Where somebody signs in, and with what; kept sealed with the person's key.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Client {
    pub(super) user_agent: Option<String>,
    pub(super) address: Option<String>,
}

pub(crate) const CLIENT: &[u8] = b"accounts/client";
/// As much of what a program calls itself as is kept, in characters.
const USER_AGENT_MAX_CHARS: usize = 300;

impl Client {
    pub(crate) fn of(request: &Parts) -> Self {
        let user_agent = request.headers.get(header::USER_AGENT).map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            text.chars().take(USER_AGENT_MAX_CHARS).collect()
        });
        Self {
            user_agent,
            address: Some(Visit::of(&request.extensions).client.0.to_string()),
        }
    }
}

/// A session: what to show, and the tokens to go on with.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    user: User,
    /// Goes into `Authorization: Bearer …`.
    access_token: String,
    /// Good once: exchange it for the next pair at `/api/auth/refresh-token`.
    refresh_token: String,
    /// Life of the access token in seconds.
    #[schema(example = 900)]
    expires_in: u64,
}

impl FromRequestParts<Gateway> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl Gateway {
    /// The account at an e-mail address and its password's hash.
    pub(super) async fn credentials(
        &self,
        email: &str,
    ) -> Result<Option<(AccountId, Option<String>)>, Problem> {
        let parts = self.parts();
        let Some(account) = parts.commands.account_at(email_place(&parts.keys, email)).await? else {
            return Ok(None);
        };
        let Account::Active(active) = parts.commands.state::<Account>(account.stream()).await?.0 else {
            return Ok(None);
        };
        let gateway = self.clone();
        let sealed = active.password_hash.clone();
        let open = move || gateway.people().password_hash(account, &sealed);
        Ok(Some((account, tokio::task::spawn_blocking(open).await??)))
    }

    pub(crate) async fn sealed(
        &self,
        account: AccountId,
        personal: Personal,
        hash: String,
    ) -> Result<Registered, Problem> {
        let keys = &self.parts().keys;
        let (email, username) = (
            email_place(keys, &personal.email),
            username_place(keys, &personal.username),
        );
        let role = match self.parts().config.auth.default_role.as_str() {
            "viewer" => Role::Viewer,
            _ => Role::Creator,
        };
        let gateway = self.clone();
        let seal = move || gateway.people().seal(account, &personal, &hash);
        let (personal, password_hash) = tokio::task::spawn_blocking(seal).await??;
        Ok(Registered {
            personal,
            password_hash,
            email,
            username,
            role,
            identity: None,
            bootstrap: None,
            email_confirmed: false,
        })
    }

    pub(crate) fn session_end(&self) -> Timestamp {
        let seconds =
            i64::try_from(self.parts().config.auth.refresh_token_seconds).unwrap_or(i64::MAX / 2000);
        Timestamp::from_millis(self.parts().clock.now_ms()) + Millis(seconds.saturating_mul(1000))
    }

    /// A session of its own for each command, the same one when the command comes again.
    pub(super) async fn start_session(
        &self,
        account: AccountId,
        ask: &Ask,
        client: &Client,
    ) -> Result<(Refresh, Token), Problem> {
        self.start_session_until(account, self.session_end(), ask, client)
            .await
    }

    /// The same for another time than that of all sessions.
    pub(crate) async fn start_session_until(
        &self,
        account: AccountId,
        expires_at: Timestamp,
        ask: &Ask,
        client: &Client,
    ) -> Result<(Refresh, Token), Problem> {
        let session = SessionId(ids::created_by(ask.command, "session"));
        let client = serde_json::to_vec(client).expect("two texts become JSON");
        let command = Command::StartSession {
            session,
            expires_at,
            client: Some(self.sealed_text(account, client, CLIENT).await?),
        };
        let ask = self.as_person(account, ask.then("session")).await?;
        let outcome = self.give_account(account, command, ask).await?;
        Ok((
            Refresh {
                account,
                session,
                counter: 0,
            },
            outcome.token,
        ))
    }

    /// The question in the name of the account's person, as who asks has just proved to be.
    pub(super) async fn as_person(&self, account: AccountId, ask: Ask) -> Result<Ask, Problem> {
        let (state, _) = self.parts().commands.state::<Account>(account.stream()).await?;
        Ok(match state {
            Account::Active(active) => Ask {
                actor: Actor::Person {
                    account,
                    role: active.role,
                },
                ..ask
            },
            Account::Unregistered | Account::Void | Account::Erased => ask,
        })
    }

    pub(crate) async fn signed_in(&self, refresh: Refresh) -> Result<SignedIn, Problem> {
        let row = self.account(refresh.account).await?;
        let (keys, expires_in) = (&self.parts().keys, self.parts().config.auth.access_token_seconds);
        let now = self.parts().clock.now_ms() / 1000;
        let claims = Claims {
            iss: tokens::ISSUER.to_owned(),
            sub: refresh.account,
            sid: refresh.session,
            role: row.role,
            iat: now,
            exp: now.saturating_add_unsigned(expires_in),
        };
        let access_token = tokens::sign(keys, &claims).map_err(Problem::defect)?;
        let refresh_token = refresh.token(keys);
        Ok(SignedIn {
            user: self.user_of(row).await?,
            access_token,
            refresh_token,
            expires_in,
        })
    }

    /// The account, and the tag that `If-Match` is compared with.
    pub(super) async fn user(&self, account: AccountId) -> Result<(User, String), Problem> {
        let row = self.account(account).await?;
        let tag = format!("v{}", version_of_row(&row));
        Ok((self.user_of(row).await?, tag))
    }

    pub(super) async fn sealed_hash(&self, account: AccountId, hash: String) -> Result<Sealed, Problem> {
        let gateway = self.clone();
        let seal = move || gateway.people().seal_hash(account, &hash);
        tokio::task::spawn_blocking(seal).await?
    }

    pub(super) async fn sealed_personal(
        &self,
        account: AccountId,
        personal: Personal,
    ) -> Result<Sealed, Problem> {
        let gateway = self.clone();
        let seal = move || gateway.people().seal_personal(account, &personal);
        tokio::task::spawn_blocking(seal).await?
    }

    /// The account's row; waits for the view if it has not heard of the account yet.
    pub(super) async fn account(&self, account: AccountId) -> Result<AccountRow, Problem> {
        let read =
            move |projections: &spool_projections::Projections| projections.accounts().account(account);
        if let Some(row) = self.query(read).await? {
            return Ok(row);
        }
        let log = &self.parts().log;
        let partition = account.stream().partition(log.partitions());
        self.wait_for("accounts", Some(&Token::at(partition, log.head(partition))))
            .await?;
        if let Some(row) = self.query(read).await? {
            return Ok(row);
        }
        if log.needs_barrier() {
            self.account_of_another_node(account).await
        } else {
            Err(Problem::not_found("account"))
        }
    }

    /// What another node has just written to the log may not be here yet.
    async fn account_of_another_node(&self, account: AccountId) -> Result<AccountRow, Problem> {
        let read =
            move |projections: &spool_projections::Projections| projections.accounts().account(account);
        let mut changes = self.parts().projections.accounts().watch();
        let deadline = tokio::time::Instant::now() + ARRIVES_WITHIN;
        loop {
            changes.borrow_and_update();
            if let Some(row) = self.query(read).await? {
                return Ok(row);
            }
            if tokio::time::timeout_at(deadline, changes.changed())
                .await
                .is_err()
            {
                return Err(Problem::not_found("account"));
            }
        }
    }

    pub(super) async fn user_of(&self, row: AccountRow) -> Result<User, Problem> {
        let gateway = self.clone();
        let avatar_url = avatar_url(&row);
        let open = move || Ok::<_, Problem>((gateway.people().personal(row.id, &row.personal)?, row));
        let (personal, row) = tokio::task::spawn_blocking(open).await??;
        let personal = personal.ok_or_else(|| Problem::not_found("account"))?;
        Ok(User {
            id: row.id.0,
            email: personal.email,
            username: personal.username,
            first_name: personal.first_name,
            last_name: personal.last_name,
            avatar_url,
            email_confirmed: row.email_confirmed,
            role: row.role,
            created_at: row.created_at,
        })
    }
}
