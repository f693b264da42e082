//! Accounts over HTTP: register, sign in, renew, sign out, and who one is.

mod administrators;
pub(crate) mod api_keys;
pub(crate) mod arranging;
mod mail;
pub(crate) mod registration;
pub(crate) mod sessions;
mod ways_in;

use crate::asking::{Asking, CONSISTENCY_TOKEN, consistency_header, done, idempotency_key};
use crate::auth::Caller;
use crate::body::{Json, JsonOrNothing};
use crate::edge::address::ClientAddress;
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::tokens::{KeySet, Refresh};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use mail::MailAsked;
use registration::{EMAIL_MAX_CHARS, PASSWORD_CHARS, Registration};
use serde::Deserialize;
use sessions::{Client, SignedIn, User};
use spool_commands::accounts::{RegisterError, email_place};
use spool_commands::{Ask, Outcome, Token, ids};
use spool_domain::accounts::{Command, Event, SessionEnd};
use spool_domain::actors::Actor;
use spool_domain::ids::AccountId;
use spool_schemas::AnyEvent;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh_token))
        .routes(routes!(logout, logout_by_delete))
        .routes(routes!(profile, arranging::change_profile))
        .routes(routes!(profile_as_user, arranging::change_user))
        .routes(routes!(arranging::preferences, arranging::set_preferences))
        .routes(routes!(administrators::register_admin))
        .routes(routes!(ways_in::change_password))
        .routes(routes!(ways_in::list_sessions, ways_in::end_other_sessions))
        .routes(routes!(ways_in::end_session))
        .routes(routes!(ways_in::validate_token))
        .routes(routes!(ways_in::verify))
        .routes(routes!(api_keys::create, api_keys::list))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(key_set))
        .merge(mail::routes())
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

/// Creates an account and signs in.
#[utoipa::path(post, path = "/api/auth/register", tag = "accounts", request_body = Registration, security(()), responses(
    (status = 201, description = "The account, signed in", body = SignedIn),
    (status = 202, description = "The account; its e-mail address has to be confirmed before one can sign in", body = MailAsked),
    (status = 403, description = "Registration is closed", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The e-mail address or username is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn register(
    State(gateway): State<Gateway>,
    asking: Asking,
    client: Client,
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
    if let Some(answer) = gateway.to_be_confirmed(&outcome) {
        return Ok(answer);
    }
    let (session, mut token) = gateway.start_session(account, &ask, &client).await?;
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
    (status = 403, description = "The account is locked, or its e-mail address has to be confirmed first", body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn login(
    State(gateway): State<Gateway>,
    asking: Asking,
    address: ClientAddress,
    client: Client,
    Json { value, bytes }: Json<Credentials>,
) -> Result<Response, Problem> {
    let wrong = || Problem::new(Kind::SignInNeeded, "the e-mail address or the password is wrong");
    if value.password.chars().count() > *PASSWORD_CHARS.end() || value.email.len() > 4 * EMAIL_MAX_CHARS {
        return Err(wrong());
    }
    let place = email_place(&gateway.parts().keys, &value.email);
    let attempt = gateway.edge().throttle().attempt(place, address)?;
    let known = gateway.credentials(&value.email).await?;
    let (account, hash) = known.unzip();
    let right = gateway.passwords().verify(value.password, hash.flatten()).await?;
    attempt.judge(right);
    let account = account.filter(|_| right).ok_or_else(wrong)?;
    let ask = asking.ask(&gateway, "login", &bytes);
    gateway.check_confirmed(account, &ask).await?;
    let (session, token) = gateway.start_session(account, &ask, &client).await?;
    let token = (CONSISTENCY_TOKEN, token_header(&token));
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
    let outcome = gateway.give_account(refresh.account, command, ask).await?;
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
#[utoipa::path(post, path = "/api/auth/logout", tag = "accounts", request_body = Option<Leaving>, security((), ("bearer" = [])), responses(
    (status = 204, description = "Signed out"),
    (status = 401, description = "Neither token is good", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn logout(
    state: State<Gateway>,
    headers: HeaderMap,
    body: JsonOrNothing<Leaving>,
) -> Result<Response, Problem> {
    leave(state.0, &headers, body.value).await
}

/// The same as `POST`.
#[utoipa::path(delete, path = "/api/auth/logout", tag = "accounts", request_body = Option<Leaving>, security((), ("bearer" = [])), responses(
    (status = 204, description = "Signed out"),
    (status = 401, description = "Neither token is good", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn logout_by_delete(
    state: State<Gateway>,
    headers: HeaderMap,
    body: JsonOrNothing<Leaving>,
) -> Result<Response, Problem> {
    leave(state.0, &headers, body.value).await
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/auth/profile", tag = "accounts", responses(
    (status = 200, description = "The account", body = User, headers(("ETag" = String, description = "Send it back as If-Match to change this version and no other"))),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn profile(
    State(gateway): State<Gateway>,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    gateway.own_profile(&asking, &headers).await
}

/// The same as `/api/auth/profile`.
#[utoipa::path(get, path = "/api/auth/user", operation_id = "get_profile_as_user", tag = "accounts", responses(
    (status = 200, description = "The account", body = User, headers(("ETag" = String, description = "Send it back as If-Match to change this version and no other"))),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn profile_as_user(
    State(gateway): State<Gateway>,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    gateway.own_profile(&asking, &headers).await
}

impl Gateway {
    async fn own_profile(&self, asking: &Asking, headers: &HeaderMap) -> Result<Response, Problem> {
        let account = asking.caller.account()?;
        self.wait_for("accounts", asking.token()).await?;
        let (user, tag) = self.user(account).await?;
        Ok(Encoded::json(&user, &tag, Caching::Private).answer(headers))
    }
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

const NO_STORE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

fn token_header(token: &Token) -> HeaderValue {
    HeaderValue::try_from(token.to_string()).expect("a token is digits, colons and commas")
}

/// An expired access token is no reason to stay: the refresh token says enough.
async fn leave(gateway: Gateway, headers: &HeaderMap, leaving: Leaving) -> Result<Response, Problem> {
    // Leaving twice is quiet in any case; but what is no key is said to be none, as everywhere.
    idempotency_key(headers)?;
    let keys = &gateway.parts().keys;
    let refresh = leaving
        .refresh_token
        .and_then(|token| Refresh::read(keys, &token));
    let (account, session) = match refresh {
        Some(refresh) => (refresh.account, refresh.session),
        None => {
            let caller = Caller::of(headers, &gateway).await?;
            caller.session()?
        }
    };
    let ask = gateway.as_person(account, Ask::fresh(Actor::Anonymous)).await?;
    let command = Command::EndSession {
        session,
        reason: SessionEnd::LoggedOut,
    };
    let outcome = gateway.give_account(account, command, ask).await?;
    Ok(done(&outcome))
}

fn not_registered(error: RegisterError) -> Problem {
    let sentence = error.to_string();
    match error {
        RegisterError::EmailTaken => Problem::taken("/email", sentence),
        RegisterError::UsernameTaken => Problem::taken("/username", sentence),
        RegisterError::IdentityTaken => Problem::new(Kind::Conflict, sentence),
        RegisterError::NotTheFirst => Problem::not_allowed(sentence),
        RegisterError::Command(error) => error.into(),
    }
}
