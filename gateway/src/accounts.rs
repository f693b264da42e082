//! Accounts over HTTP: register, sign in, renew, sign out, and who one is.

use crate::asking::{Asking, consistency_header};
use crate::body::{Json, JsonOrNothing};
use crate::gateway::Gateway;
use crate::people::Personal;
use crate::problem::{FieldError, Kind, Problem, ProblemBody};
use crate::tokens::{self, Claims, KeySet, Refresh};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use spool_commands::accounts::{RegisterError, email_place, username_place};
use spool_commands::{Ask, Outcome, Token, ids};
use spool_domain::accounts::{Account, Command, Event, Registered, SessionEnd};
use spool_domain::actors::Role;
use spool_domain::ids::{AccountId, SessionId};
use spool_domain::text::check_line;
use spool_domain::time::{Millis, Timestamp};
use spool_projections::accounts::AccountRow;
use spool_schemas::AnyEvent;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

const NAME_MAX_CHARS: usize = 100;
const EMAIL_MAX_CHARS: usize = 254;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=200;
const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=30;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh_token))
        .routes(routes!(logout, logout_by_delete))
        .routes(routes!(profile))
        .routes(routes!(key_set))
}

#[derive(Deserialize, ToSchema)]
struct Registration {
    #[schema(example = "ada@example.org")]
    email: String,
    /// 8 to 200 characters.
    #[schema(example = "correct horse battery staple")]
    password: String,
    #[schema(example = "Ada")]
    first_name: String,
    #[schema(example = "Lovelace")]
    last_name: String,
    /// 3 to 30 letters, digits, dots, dashes or underscores.
    #[schema(example = "ada")]
    username: String,
}

#[derive(Deserialize, ToSchema)]
struct Credentials {
    #[schema(example = "ada@example.org")]
    email: String,
    #[schema(example = "correct horse battery staple")]
    password: String,
}

#[derive(Deserialize, ToSchema)]
struct Renewal {
    refresh_token: String,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
struct Leaving {
    refresh_token: Option<String>,
}

/// An account as its owner sees it.
#[derive(Serialize, ToSchema)]
struct User {
    id: Uuid,
    email: String,
    username: String,
    first_name: String,
    last_name: String,
    #[schema(value_type = String, example = "creator")]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A session: what to show, and the tokens to go on with.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    user: User,
    /// Goes into `Authorization: Bearer …`.
    access_token: String,
    /// Good once: exchange it for the next pair at `/api/auth/refresh-token`.
    refresh_token: String,
    /// Life of the access token in seconds.
    #[schema(example = 900)]
    expires_in: u64,
}

/// Creates an account and signs in.
#[utoipa::path(post, path = "/api/auth/register", tag = "accounts", request_body = Registration, security(()), responses(
    (status = 201, description = "The account, signed in", body = SignedIn),
    (status = 403, description = "Registration is closed", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The e-mail address or username is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn register(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<Registration>,
) -> Result<Response, Problem> {
    if !gateway.parts().config.auth.open_registration {
        return Err(Problem::not_allowed(
            "registration is closed here; ask an administrator",
        ));
    }
    let registration = value.checked()?;
    let ask = asking.ask(&gateway, "register", &bytes);
    let account = AccountId(ids::created_by(ask.command, "account"));
    let password_hash = gateway.passwords().hash(registration.password).await?;
    let registered = gateway
        .sealed(account, registration.personal, password_hash)
        .await?;
    let registering = gateway
        .parts()
        .commands
        .register(account, registered.clone(), &ask);
    let outcome = registering.await.map_err(not_registered)?;
    let (session, mut token) = gateway.start_session(account, &ask).await?;
    token.merge(&outcome.token);
    gateway.wait_for("accounts", Some(&outcome.token)).await?;
    // The answer to a repeated registration is made from what was registered the first time.
    let signed_in = gateway.signed_in(session).await?;
    let token = consistency_header(&Outcome { token, ..outcome });
    Ok((
        StatusCode::CREATED,
        AppendHeaders([token, NO_STORE]),
        axum::Json(signed_in),
    )
        .into_response())
}

/// Signs in.
#[utoipa::path(post, path = "/api/auth/login", tag = "accounts", request_body = Credentials, security(()), responses(
    (status = 200, description = "Signed in", body = SignedIn),
    (status = 401, description = "Wrong e-mail address or password", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn login(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<Credentials>,
) -> Result<Response, Problem> {
    let wrong = || Problem::new(Kind::SignInNeeded, "the e-mail address or the password is wrong");
    if value.password.chars().count() > *PASSWORD_CHARS.end() || value.email.len() > 4 * EMAIL_MAX_CHARS {
        return Err(wrong());
    }
    let known = gateway.credentials(&value.email).await?;
    let (account, hash) = known.unzip();
    let right = gateway.passwords().verify(value.password, hash.flatten()).await?;
    let account = account.filter(|_| right).ok_or_else(wrong)?;
    let ask = asking.ask(&gateway, "login", &bytes);
    let (session, token) = gateway.start_session(account, &ask).await?;
    let token = (crate::asking::CONSISTENCY_TOKEN, token_header(&token));
    Ok((
        AppendHeaders([token, NO_STORE]),
        axum::Json(gateway.signed_in(session).await?),
    )
        .into_response())
}

/// Exchanges a refresh token for the next one and a new access token.
///
/// A token is good once. An answer that was lost may be asked for again for 30 seconds; after that an old token ends
/// the session, because somebody has a copy.
#[utoipa::path(post, path = "/api/auth/refresh-token", tag = "accounts", request_body = Renewal, security(()), responses(
    (status = 200, description = "The next tokens", body = SignedIn),
    (status = 401, description = "The token is not good any more", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn refresh_token(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<Renewal>,
) -> Result<Response, Problem> {
    let parts = gateway.parts();
    let refresh = Refresh::read(&parts.keys, &value.refresh_token)
        .ok_or_else(|| Problem::new(Kind::SignInNeeded, "this is no refresh token of ours"))?;
    let command = Command::Refresh {
        session: refresh.session,
        counter: refresh.counter,
        expires_at: gateway.session_end(),
    };
    let ask = asking.ask(&gateway, "refresh-token", &bytes);
    let outcome = parts
        .commands
        .give(refresh.account.stream(), command, ask)
        .await?;
    gateway.notice_ended_sessions(&outcome.events);
    let reused = |event: &AnyEvent| matches!(event, AnyEvent::Accounts(Event::SessionEnded(ended)) if ended.reason == SessionEnd::RefreshTokenReused);
    if outcome.events.iter().any(reused) {
        let detail =
            "this refresh token was used before, so the session has been ended; please sign in again";
        return Err(Problem::new(Kind::SignInNeeded, detail));
    }
    // Nothing new to say means that this exchange was made a moment ago: its answer is the same.
    let next = Refresh {
        counter: refresh.counter + 1,
        ..refresh
    };
    let headers = AppendHeaders([consistency_header(&outcome), NO_STORE]);
    Ok((headers, axum::Json(gateway.signed_in(next).await?)).into_response())
}

/// Ends the session of the access token, or of the refresh token in the body. Its tokens stop working at once.
#[utoipa::path(post, path = "/api/auth/logout", tag = "accounts", request_body = Option<Leaving>, responses(
    (status = 204, description = "Signed out"),
    (status = 401, description = "Neither token is good", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn logout(
    state: State<Gateway>,
    headers: axum::http::HeaderMap,
    body: JsonOrNothing<Leaving>,
) -> Result<Response, Problem> {
    leave(state.0, &headers, body.value).await
}

/// The same as `POST`.
#[utoipa::path(delete, path = "/api/auth/logout", tag = "accounts", request_body = Option<Leaving>, responses(
    (status = 204, description = "Signed out"),
    (status = 401, description = "Neither token is good", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn logout_by_delete(
    state: State<Gateway>,
    headers: axum::http::HeaderMap,
    body: JsonOrNothing<Leaving>,
) -> Result<Response, Problem> {
    leave(state.0, &headers, body.value).await
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/auth/profile", tag = "accounts", responses(
    (status = 200, description = "The account", body = User),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn profile(State(gateway): State<Gateway>, asking: Asking) -> Result<Response, Problem> {
    let account = asking.caller.claims()?.sub;
    gateway.wait_for("accounts", asking.token()).await?;
    Ok((
        AppendHeaders([NO_STORE]),
        axum::Json(gateway.user(account).await?),
    )
        .into_response())
}

/// The public keys that access tokens can be checked with.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "accounts", security(()), responses(
    (status = 200, description = "JSON Web Key Set (RFC 7517)", body = KeySet),
))]
async fn key_set(State(gateway): State<Gateway>) -> Response {
    let caching = (
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    (
        AppendHeaders([caching]),
        axum::Json(KeySet::of(&gateway.parts().keys)),
    )
        .into_response()
}

const NO_STORE: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

fn token_header(token: &Token) -> HeaderValue {
    HeaderValue::try_from(token.to_string()).expect("a token is digits, colons and commas")
}

/// An expired access token is no reason to stay: the refresh token says enough.
async fn leave(
    gateway: Gateway,
    headers: &axum::http::HeaderMap,
    leaving: Leaving,
) -> Result<Response, Problem> {
    let keys = &gateway.parts().keys;
    let refresh = leaving
        .refresh_token
        .and_then(|token| Refresh::read(keys, &token));
    let (account, session) = match refresh {
        Some(refresh) => (refresh.account, refresh.session),
        None => {
            let caller = crate::auth::Caller::of(headers, &gateway).await?;
            let claims = caller.claims()?;
            (claims.sub, claims.sid)
        }
    };
    let ask = Ask::fresh(spool_domain::actors::Actor::Anonymous);
    let command = Command::EndSession { session };
    let outcome = gateway
        .parts()
        .commands
        .give(account.stream(), command, ask)
        .await?;
    gateway.notice_ended_sessions(&outcome.events);
    Ok((
        StatusCode::NO_CONTENT,
        AppendHeaders([consistency_header(&outcome)]),
    )
        .into_response())
}

fn not_registered(error: RegisterError) -> Problem {
    let sentence = error.to_string();
    match error {
        RegisterError::EmailTaken => Problem::taken("/email", sentence),
        RegisterError::UsernameTaken => Problem::taken("/username", sentence),
        RegisterError::Command(error) => error.into(),
    }
}

impl Gateway {
    /// The account at an e-mail address and its password's hash.
    async fn credentials(&self, email: &str) -> Result<Option<(AccountId, Option<String>)>, Problem> {
        let parts = self.parts();
        let Some(account) = parts.commands.account_at(email_place(&parts.keys, email)).await? else {
            return Ok(None);
        };
        let Account::Active(active) = parts.commands.state::<Account>(account.stream()).await?.0 else {
            return Ok(None);
        };
        let gateway = self.clone();
        let sealed = active.registered.password_hash.clone();
        let open = move || gateway.people().password_hash(account, &sealed);
        Ok(Some((account, tokio::task::spawn_blocking(open).await??)))
    }

    async fn sealed(
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
        })
    }

    fn session_end(&self) -> Timestamp {
        let seconds =
            i64::try_from(self.parts().config.auth.refresh_token_seconds).unwrap_or(i64::MAX / 2000);
        Timestamp::from_millis(self.parts().clock.now_ms()) + Millis(seconds.saturating_mul(1000))
    }

    /// A session of its own for each command, the same one when the command comes again.
    async fn start_session(&self, account: AccountId, ask: &Ask) -> Result<(Refresh, Token), Problem> {
        let session = SessionId(ids::created_by(ask.command, "session"));
        let command = Command::StartSession {
            session,
            expires_at: self.session_end(),
        };
        let outcome = self
            .parts()
            .commands
            .give(account.stream(), command, ask.then("session"))
            .await?;
        self.notice_ended_sessions(&outcome.events);
        Ok((
            Refresh {
                account,
                session,
                counter: 0,
            },
            outcome.token,
        ))
    }

    async fn signed_in(&self, refresh: Refresh) -> Result<SignedIn, Problem> {
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

    async fn user(&self, account: AccountId) -> Result<User, Problem> {
        let row = self.account(account).await?;
        self.user_of(row).await
    }

    /// The account's row; waits for the view if it has not heard of the account yet.
    async fn account(&self, account: AccountId) -> Result<AccountRow, Problem> {
        let read =
            move |projections: &spool_projections::Projections| projections.accounts().account(account);
        if let Some(row) = self.query(read).await? {
            return Ok(row);
        }
        let log = &self.parts().log;
        let partition = account.stream().partition(log.partitions());
        self.wait_for("accounts", Some(&Token::at(partition, log.head(partition))))
            .await?;
        self.query(read)
            .await?
            .ok_or_else(|| Problem::not_found("account"))
    }

    async fn user_of(&self, row: AccountRow) -> Result<User, Problem> {
        let gateway = self.clone();
        let open = move || Ok::<_, Problem>((gateway.people().personal(row.id, &row.personal)?, row));
        let (personal, row) = tokio::task::spawn_blocking(open).await??;
        let personal = personal.ok_or_else(|| Problem::not_found("account"))?;
        Ok(User {
            id: row.id.0,
            email: personal.email,
            username: personal.username,
            first_name: personal.first_name,
            last_name: personal.last_name,
            role: row.role,
            created_at: row.created_at,
        })
    }
}

/// A registration whose values may be kept.
struct Checked {
    personal: Personal,
    password: String,
}

impl Registration {
    fn checked(self) -> Result<Checked, Problem> {
        let trimmed = |text: String| text.trim().to_owned();
        let personal = Personal {
            email: trimmed(self.email),
            username: trimmed(self.username),
            first_name: trimmed(self.first_name),
            last_name: trimmed(self.last_name),
        };
        let checks = [
            ("/email", check_email(&personal.email)),
            ("/password", check_password(&self.password)),
            ("/first_name", check_line(&personal.first_name, NAME_MAX_CHARS)),
            ("/last_name", check_line(&personal.last_name, NAME_MAX_CHARS)),
            ("/username", check_username(&personal.username)),
        ];
        let error = |(pointer, checked): (&str, Result<(), String>)| {
            let detail = checked.err()?;
            Some(FieldError {
                pointer: pointer.to_owned(),
                detail,
            })
        };
        let errors: Vec<FieldError> = checks.into_iter().filter_map(error).collect();
        if errors.is_empty() {
            Ok(Checked {
                personal,
                password: self.password,
            })
        } else {
            Err(Problem::all_invalid(errors))
        }
    }
}

/// Only the shape: whether somebody reads it, a message will tell.
fn check_email(email: &str) -> Result<(), String> {
    check_line(email, EMAIL_MAX_CHARS)?;
    let wrong = || Err("must be an e-mail address, such as ada@example.org".to_owned());
    let Some((name, domain)) = email.rsplit_once('@') else {
        return wrong();
    };
    let odd = |letter: char| {
        letter.is_whitespace() || matches!(letter, '@' | '<' | '>' | ',' | ';' | '"' | '(' | ')' | '\\')
    };
    let labels = domain
        .split('.')
        .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    if name.is_empty() || name.len() > 64 || name.contains(odd) || !labels {
        return wrong();
    }
    Ok(())
}

fn check_password(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    if PASSWORD_CHARS.contains(&length) {
        return Ok(());
    }
    Err(format!(
        "must be {} to {} characters long",
        PASSWORD_CHARS.start(),
        PASSWORD_CHARS.end()
    ))
}

fn check_username(username: &str) -> Result<(), String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if USERNAME_CHARS.contains(&username.chars().count()) && username.chars().all(allowed) {
        return Ok(());
    }
    Err("must be 3 to 30 letters (a to z), digits, dots, dashes or underscores".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_by_their_shape() {
        for good in ["ada@example.org", "a.b+c@localhost", "josé@exämple.de"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.org",
            "a@",
            "a b@example.org",
            "a@b@c",
            "a@b..c",
            "<a@b.c>",
            "a\0@b.c",
        ] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }
}
