//! Passwords, sessions and tokens of whoever is signed in.

use super::NO_STORE;
use super::registration::{PASSWORD_CHARS, check_password};
use super::sessions::CLIENT;
use crate::asking::{Asking, done};
use crate::auth::{Credential, Means};
use crate::body::{Id, Json};
use crate::gateway::Gateway;
use crate::problem::{Kind, Problem, ProblemBody};
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use spool_domain::accounts::{Account, Active, Command, SessionEnd};
use spool_domain::actors::Role;
use spool_domain::ids::{AccountId, SessionId};
use spool_domain::time::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
pub(super) struct NewPassword {
    /// The one that is good now; left out by whoever has none and signs in by another provider.
    #[schema(example = "correct horse battery staple")]
    current_password: Option<String>,
    /// 8 to 200 characters.
    #[schema(example = "a much better password")]
    new_password: String,
}

/// A session of a person, somewhere.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionInfo {
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// When its tokens were last renewed.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The program that signed in, as it calls itself.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64)")]
    user_agent: Option<String>,
    /// The address that it signed in from.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SessionList {
    items: Vec<SessionInfo>,
    /// Always nothing: an account has at most 100.
    next_cursor: Option<String>,
}

/// What a token is good for.
#[derive(Serialize, ToSchema)]
pub(super) struct Validity {
    #[schema(example = true)]
    valid: bool,
    user_id: Option<Uuid>,
    #[schema(value_type = Option<crate::users::RoleWord>, example = "creator")]
    role: Option<Role>,
    session_id: Option<Uuid>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct ToVerify {
    /// An access token or an API key.
    token: String,
}

impl Validity {
    const NONE: Self = Self {
        valid: false,
        user_id: None,
        role: None,
        session_id: None,
        expires_at: None,
    };

    fn of(credential: &Credential) -> Self {
        let ends = credential.expires_at_ms != i64::MAX;
        Self {
            valid: true,
            user_id: Some(credential.account.0),
            role: Some(credential.role),
            session_id: match credential.means {
                Means::Session(session) => Some(session.0),
                Means::ApiKey(..) | Means::Visit(..) => None,
            },
            expires_at: ends.then(|| Timestamp::from_millis(credential.expires_at_ms)),
        }
    }
}

/// Changes the password. All other sessions end.
#[utoipa::path(put, path = "/api/auth/change-password", operation_id = "change_password", tag = "accounts", request_body = NewPassword, responses(
    (status = 204, description = "The new one counts"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "The current password is wrong", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change_password(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<NewPassword>,
) -> Result<Response, Problem> {
    let (account, session) = asking.caller.session()?;
    check_password(&value.new_password).map_err(|detail| Problem::invalid("/new_password", detail))?;
    let ask = asking.ask(&gateway, "change-password", &bytes);
    let active = gateway.active(account).await?;
    gateway
        .check_current(account, &active, value.current_password)
        .await?;
    let hash = gateway.passwords().hash(value.new_password).await?;
    let command = Command::ChangePassword {
        seen: active.password_hash,
        password_hash: gateway.sealed_hash(account, hash).await?,
        keep: Some(session),
    };
    let outcome = gateway.give_account(account, command, ask).await?;
    Ok(done(&outcome))
}

/// Where one is signed in, the latest first.
#[utoipa::path(get, path = "/api/auth/sessions", operation_id = "list_sessions", tag = "accounts", responses(
    (status = 200, description = "The sessions that go on", body = SessionList),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not for keys", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list_sessions(
    State(gateway): State<Gateway>,
    asking: Asking,
) -> Result<Response, Problem> {
    let (account, current) = asking.caller.session()?;
    let now = Timestamp::from_millis(gateway.parts().clock.now_ms());
    let mut items = vec![];
    for (id, session) in gateway.active(account).await?.sessions {
        if session.expires_at <= now {
            continue;
        }
        let client = match session.client {
            Some(sealed) => gateway.opened(account, sealed, CLIENT).await?,
            None => None,
        };
        let client = client
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let super::sessions::Client { user_agent, address } = client;
        items.push(SessionInfo {
            id: id.0,
            current: id == current,
            created_at: session.started_at,
            last_used_at: session.refreshed_at.or(session.started_at),
            expires_at: session.expires_at,
            user_agent,
            address,
        });
    }
    items.sort_by_key(|shown| std::cmp::Reverse(shown.last_used_at));
    let sessions = SessionList {
        items,
        next_cursor: None,
    };
    Ok((AppendHeaders([NO_STORE]), axum::Json(sessions)).into_response())
}

/// Ends a session of one's own. Its tokens stop working at once.
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", operation_id = "end_session", tag = "accounts", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "It is over"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not for keys", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn end_session(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
) -> Result<Response, Problem> {
    let (account, _) = asking.caller.session()?;
    let ask = asking.ask(&gateway, "end-session", id.as_bytes());
    let command = Command::EndSession {
        session: SessionId(id),
        reason: SessionEnd::Revoked,
    };
    let outcome = gateway.give_account(account, command, ask).await?;
    Ok(done(&outcome))
}

/// Ends all other sessions of one's own.
#[utoipa::path(delete, path = "/api/auth/sessions", operation_id = "end_other_sessions", tag = "accounts", responses(
    (status = 204, description = "Only the one that asks goes on"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not for keys", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn end_other_sessions(
    State(gateway): State<Gateway>,
    asking: Asking,
) -> Result<Response, Problem> {
    let (account, keep) = asking.caller.session()?;
    let ask = asking.ask(&gateway, "end-other-sessions", keep.0.as_bytes());
    let command = Command::EndOtherSessions { keep };
    let outcome = gateway.give_account(account, command, ask).await?;
    Ok(done(&outcome))
}

/// Whether the token sent with the request is good, and for what.
#[utoipa::path(get, path = "/api/auth/validate-token", operation_id = "validate_token", tag = "accounts", responses(
    (status = 200, description = "It is good", body = Validity),
    (status = 401, description = "It is not", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn validate_token(asking: Asking) -> Result<Response, Problem> {
    let validity = Validity::of(asking.caller.credential()?);
    Ok((AppendHeaders([NO_STORE]), axum::Json(validity)).into_response())
}

/// Whether a token is good, for programs that were given it.
#[utoipa::path(post, path = "/api/auth/verify", operation_id = "verify_token", tag = "accounts", request_body = ToVerify, security(()), responses(
    (status = 200, description = "What it is good for, if for anything", body = Validity),
))]
pub(super) async fn verify(
    State(gateway): State<Gateway>,
    _asking: Asking,
    Json { value, .. }: Json<ToVerify>,
) -> Result<Response, Problem> {
    let validity = match gateway.believe(&value.token).await {
        Ok(credential) => Validity::of(&credential),
        Err(problem) if problem.kind() == Kind::SignInNeeded => Validity::NONE,
        Err(problem) => return Err(problem),
    };
    Ok((AppendHeaders([NO_STORE]), axum::Json(validity)).into_response())
}

impl Gateway {
    /// The account of somebody who is signed in.
    pub(crate) async fn active(&self, account: AccountId) -> Result<Active, Problem> {
        match self.parts().commands.state::<Account>(account.stream()).await?.0 {
            Account::Active(active) => Ok(*active),
            Account::Unregistered | Account::Void | Account::Erased => Err(Problem::sign_in_needed()),
        }
    }

    /// 403 unless `given` is the account's password. Whoever has none need not give one.
    pub(crate) async fn check_current(
        &self,
        account: AccountId,
        active: &Active,
        given: Option<String>,
    ) -> Result<(), Problem> {
        if !active.has_password {
            return Ok(());
        }
        let wrong = || Problem::not_allowed("the current password is wrong");
        let given = given.filter(|given| given.chars().count() <= *PASSWORD_CHARS.end());
        let given = given.ok_or_else(wrong)?;
        let (gateway, sealed) = (self.clone(), active.password_hash.clone());
        let open = move || gateway.people().password_hash(account, &sealed);
        let hash = tokio::task::spawn_blocking(open).await??;
        let attempt = self.edge().throttle().confirmation(active.email)?;
        let right = self.passwords().verify(given, hash).await?;
        attempt.judge(right);
        right.then_some(()).ok_or_else(wrong)
    }
}
