//! API keys: what programs show instead of signing in. Shown once; only a hash is kept.

use super::NO_STORE;
use crate::asking::{Asking, consistency_header, done};
use crate::auth::{Credential, Means, Scopes};
use crate::body::{Id, Json};
use crate::gateway::Gateway;
use crate::problem::{FieldError, Problem, ProblemBody};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use spool_commands::ids;
use spool_domain::accounts::{Account, ApiKey, Command, Scope};
use spool_domain::actors::Role;
use spool_domain::ids::{AccountId, ApiKeyId};
use spool_domain::sealed::Sealed;
use spool_domain::text::check_line;
use spool_domain::time::{Millis, Timestamp};
use spool_platform::keys::hash_token;
use utoipa::ToSchema;
use uuid::Uuid;

const PREFIX: &str = "spool_";
const SECRET_BYTES: usize = 32;
const NAME_MAX_CHARS: usize = 100;
const DAYS_MAX: u32 = 3_650;
const DAY_MS: i64 = 86_400_000;
pub const NAME: &[u8] = b"accounts/api-key";

/// What a key says before anybody has checked it.
pub struct Presented {
    account: AccountId,
    key: ApiKeyId,
    hash: String,
}

/// Whether the text looks like one of our keys.
pub fn is_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// `spool_` and, in URL-safe Base64, the account, the key's id and its secret.
pub fn read(text: &str) -> Option<Presented> {
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
    if bytes.len() != 32 + SECRET_BYTES {
        return None;
    }
    Some(Presented {
        account: AccountId(Uuid::from_slice(&bytes[..16]).ok()?),
        key: ApiKeyId(Uuid::from_slice(&bytes[16..32]).ok()?),
        hash: hash_token(text),
    })
}

impl Gateway {
    /// 401 unless the account may be used and has this key, not past its time.
    pub(crate) async fn check_key(&self, presented: Presented) -> Result<Credential, Problem> {
        let (account, key) = (presented.account, presented.key);
        let now = Timestamp::from_millis(self.parts().clock.now_ms());
        let (state, _) = self.parts().commands.state::<Account>(account.stream()).await?;
        let found = state
            .usable_key(key, now)
            .filter(|(_, found)| found.hash == presented.hash);
        let (role, found) = found.ok_or_else(Problem::sign_in_needed)?;
        let scopes = Scopes::of(&found.scopes);
        // Whoever does not need to rule with a key rules nobody with it.
        let role = match role {
            Role::Admin if !scopes.has(Scope::Admin) => Role::Creator,
            role => role,
        };
        Ok(Credential {
            account,
            role,
            means: Means::ApiKey(key, scopes),
            expires_at_ms: found.expires_at.map_or(i64::MAX, Timestamp::as_millis),
        })
    }

    /// The same for the same id, so that a repeated request is answered as the first was.
    fn key_text(&self, account: AccountId, key: ApiKeyId) -> String {
        let secret = self.parts().keys.mac("api-keys", key.0.as_bytes());
        let bytes = [&account.0.as_bytes()[..], key.0.as_bytes(), &secret].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    async fn shown_key(
        &self,
        account: AccountId,
        key: ApiKeyId,
        known: ApiKey,
    ) -> Result<ApiKeyInfo, Problem> {
        let name = self.opened(account, known.name, NAME).await?;
        Ok(ApiKeyInfo {
            id: key.0,
            name: name
                .and_then(|name| String::from_utf8(name).ok())
                .unwrap_or_default(),
            scopes: known.scopes,
            created_at: known.created_at,
            expires_at: known.expires_at,
        })
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct NewApiKey {
    /// What you call it; 1 to 100 characters.
    #[schema(example = "nightly import")]
    name: String,
    /// What it may be used for.
    #[schema(value_type = Vec<crate::words::ScopeWord>, example = json!(["videos:read", "videos:write"]))]
    scopes: Vec<String>,
    /// In how many days it ends, 1 to 3650; left out, it does not end by itself.
    #[schema(example = 90)]
    expires_in_days: Option<u32>,
}

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyInfo {
    id: Uuid,
    #[schema(example = "nightly import")]
    name: String,
    #[schema(value_type = Vec<crate::words::ScopeWord>, example = json!(["videos:read", "videos:write"]))]
    scopes: Vec<Scope>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct CreatedApiKey {
    #[serde(flatten)]
    shown: ApiKeyInfo,
    /// Send it as `X-Api-Key`. It is not shown again.
    key: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeys {
    items: Vec<ApiKeyInfo>,
    /// Always nothing: an account has at most 50.
    next_cursor: Option<String>,
}

impl NewApiKey {
    fn checked(self) -> Result<(String, Vec<Scope>, Option<Millis>), Problem> {
        let mut errors = vec![];
        let mut wrong = |pointer: &str, detail: String| {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                detail,
            });
        };
        let name = self.name.trim().to_owned();
        if let Err(detail) = check_line(&name, NAME_MAX_CHARS) {
            wrong("/name", detail);
        }
        let read = |text: &String| serde_json::from_value::<Scope>(text.as_str().into()).ok();
        let mut scopes: Vec<Scope> = self.scopes.iter().filter_map(read).collect();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() || self.scopes.iter().any(|text| read(text).is_none()) {
            let known =
                "must be one or more of videos:read, videos:write, account:read, account:write, admin";
            wrong("/scopes", known.to_owned());
        }
        let days = self.expires_in_days;
        if days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
            wrong("/expires_in_days", format!("must be 1 to {DAYS_MAX}"));
        }
        if errors.is_empty() {
            let life = days.map(|days| Millis(i64::from(days) * DAY_MS));
            Ok((name, scopes, life))
        } else {
            Err(Problem::all_invalid(errors))
        }
    }
}

/// Makes a key for programs. The answer is the only one that has it; asked again with the same Idempotency-Key, it is the same.
#[utoipa::path(post, path = "/api/auth/api-keys", operation_id = "create_api_key", tag = "accounts", request_body = NewApiKey, responses(
    (status = 201, description = "The key, to be kept safe: it is not shown again", body = CreatedApiKey),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "A key cannot make keys", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "Too many", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<NewApiKey>,
) -> Result<Response, Problem> {
    let (account, _) = asking.caller.session()?;
    let (name, scopes, life) = value.checked()?;
    let ask = asking.ask(&gateway, "create-api-key", &bytes);
    let key = ApiKeyId(ids::created_by(ask.command, "api-key"));
    let text = gateway.key_text(account, key);
    let now = Timestamp::from_millis(gateway.parts().clock.now_ms());
    let command = Command::CreateApiKey {
        key,
        name: gateway.sealed_text(account, name.into_bytes(), NAME).await?,
        hash: hash_token(&text),
        scopes,
        expires_at: life.map(|life| now + life),
    };
    let commands = &gateway.parts().commands;
    let outcome = commands.give(account.stream(), command, ask).await?;
    let (state, _) = commands.state::<Account>(account.stream()).await?;
    let known = state.usable_key(key, now).map(|(_, known)| known.clone());
    let known = known.ok_or_else(|| Problem::not_found("API key"))?;
    let created = CreatedApiKey {
        shown: gateway.shown_key(account, key, known).await?,
        key: text,
    };
    let headers = AppendHeaders([consistency_header(&outcome), NO_STORE]);
    Ok((StatusCode::CREATED, headers, axum::Json(created)).into_response())
}

/// The keys that are good, oldest first.
#[utoipa::path(get, path = "/api/auth/api-keys", operation_id = "list_api_keys", tag = "accounts", responses(
    (status = 200, description = "Without their secrets", body = ApiKeys),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not for keys", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(gateway): State<Gateway>, asking: Asking) -> Result<Response, Problem> {
    let (account, _) = asking.caller.session()?;
    let now = Timestamp::from_millis(gateway.parts().clock.now_ms());
    let active = gateway.active(account).await?;
    let mut items = vec![];
    for (key, known) in active.api_keys {
        if known.is_good(now) {
            items.push(gateway.shown_key(account, key, known).await?);
        }
    }
    items.sort_by_key(|shown| shown.created_at);
    let keys = ApiKeys {
        items,
        next_cursor: None,
    };
    Ok((AppendHeaders([NO_STORE]), axum::Json(keys)).into_response())
}

/// Ends a key: whoever shows it is nobody any more.
#[utoipa::path(delete, path = "/api/auth/api-keys/{id}", operation_id = "revoke_api_key", tag = "accounts", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "It is worth nothing now"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not for keys", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn revoke(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
) -> Result<Response, Problem> {
    let (account, _) = asking.caller.session()?;
    let ask = asking.ask(&gateway, "revoke-api-key", id.as_bytes());
    let command = Command::RevokeApiKey { key: ApiKeyId(id) };
    let outcome = gateway.give_account(account, command, ask).await?;
    Ok(done(&outcome))
}

impl Gateway {
    /// Sealed with the person's key.
    pub(crate) async fn sealed_text(
        &self,
        account: AccountId,
        text: Vec<u8>,
        purpose: &'static [u8],
    ) -> Result<Sealed, Problem> {
        let keys = self.parts().keys.clone();
        let seal = move || keys.seal(account.0, &text, purpose);
        Ok(Sealed(tokio::task::spawn_blocking(seal).await??))
    }

    /// What was sealed with the person's key; nothing when the person was erased.
    pub(crate) async fn opened(
        &self,
        account: AccountId,
        sealed: Sealed,
        purpose: &'static [u8],
    ) -> Result<Option<Vec<u8>>, Problem> {
        let gateway = self.clone();
        let open = move || gateway.people().opened(account, &sealed, purpose);
        tokio::task::spawn_blocking(open).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_key_is_read() {
        let bytes = [7_u8; 64];
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let read_again = read(&text).expect("it is a key");
        assert_eq!(read_again.account.0.as_bytes(), &[7; 16]);
        assert_eq!(read_again.hash, hash_token(&text));
        for wrong in [&text[..text.len() - 1], "spool_", "spool_%%", &text[1..]] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
