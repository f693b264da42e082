//! What persons arrange for themselves: how they are called, and what they prefer.

use super::NO_STORE;
use super::registration::ProfileChange;
use crate::asking::{Asking, consistency_header, etag_header};
use crate::body::Json;
use crate::gateway::Gateway;
use crate::people::Personal;
use crate::problem::{FieldError, Kind, Problem, ProblemBody};
use crate::users::version_of;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use spool_commands::accounts::{Named, email_place, username_place};
use spool_commands::{Ask, CommandError, Outcome};
use spool_domain::accounts::{Account, Active, Command};
use spool_domain::ids::AccountId;
use utoipa::ToSchema;

pub const PREFERENCES: &[u8] = b"accounts/preferences";
const LANGUAGE_MAX_CHARS: usize = 35;
const TIME_ZONE_MAX_CHARS: usize = 64;
/// How often a change is tried again when something else happens to the account at the same time.
const TRIES: usize = 8;

/// How the pages look and what is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Preferences {
    theme: Theme,
    /// BCP 47, such as `de-AT`; nothing for the browser's.
    #[schema(example = "de-AT")]
    language: Option<String>,
    /// A name of the IANA database; nothing for the browser's.
    #[schema(example = "Europe/Vienna")]
    time_zone: Option<String>,
    /// Whether films begin by themselves.
    #[schema(example = true)]
    autoplay: bool,
    /// Whether mail is sent about what happens to one's films. Mail about the account itself is always sent.
    #[schema(example = false)]
    email_notifications: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Preferences {
    fn check(&self) -> Result<(), Problem> {
        let tag = |text: &String, allowed: fn(char) -> bool, max: usize| {
            !text.is_empty() && text.len() <= max && text.chars().all(allowed)
        };
        let of_language = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        let of_zone =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '/' | '_' | '-' | '+');
        let language = self.language.as_ref();
        let zone = self.time_zone.as_ref();
        let mut errors = vec![];
        if language.is_some_and(|text| !tag(text, of_language, LANGUAGE_MAX_CHARS)) {
            errors.push(FieldError {
                pointer: "/language".to_owned(),
                detail: "must be a language tag, such as de-AT".to_owned(),
            });
        }
        if zone.is_some_and(|text| !tag(text, of_zone, TIME_ZONE_MAX_CHARS)) {
            errors.push(FieldError {
                pointer: "/time_zone".to_owned(),
                detail: "must be the name of a time zone, such as Europe/Vienna".to_owned(),
            });
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::all_invalid(errors))
        }
    }
}

/// Changes how one is called. What is left out stays.
///
/// Another e-mail address needs the current password, and has to be confirmed anew.
#[utoipa::path(put, path = "/api/auth/profile", operation_id = "change_profile", tag = "accounts", request_body = ProfileChange, responses(
    (status = 200, description = "The account as changed", body = super::sessions::User, headers(("ETag" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "The current password is wrong", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The e-mail address or username is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change_profile(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<ProfileChange>,
) -> Result<Response, Problem> {
    let account = asking.caller.account()?;
    gateway.change_profile(&asking, account, value, &bytes).await
}

/// The same as `/api/auth/profile`.
#[utoipa::path(put, path = "/api/auth/user", operation_id = "change_profile_as_user", tag = "accounts", request_body = ProfileChange, responses(
    (status = 200, description = "The account as changed", body = super::sessions::User, headers(("ETag" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "The current password is wrong", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The e-mail address or username is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change_user(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<ProfileChange>,
) -> Result<Response, Problem> {
    let account = asking.caller.account()?;
    gateway.change_profile(&asking, account, value, &bytes).await
}

/// What one prefers.
#[utoipa::path(get, path = "/api/auth/preferences", operation_id = "get_preferences", tag = "accounts", responses(
    (status = 200, description = "The preferences", body = Preferences),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn preferences(State(gateway): State<Gateway>, asking: Asking) -> Result<Response, Problem> {
    let account = asking.caller.account()?;
    let preferences = gateway.preferences(account).await?;
    Ok((AppendHeaders([NO_STORE]), axum::Json(preferences)).into_response())
}

/// Changes what one prefers, whole: what is left out is as at first.
#[utoipa::path(put, path = "/api/auth/preferences", operation_id = "set_preferences", tag = "accounts", request_body = Preferences, responses(
    (status = 200, description = "The preferences", body = Preferences),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn set_preferences(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<Preferences>,
) -> Result<Response, Problem> {
    let account = asking.caller.account()?;
    gateway.set_preferences(&asking, account, value, &bytes).await
}

impl Gateway {
    /// Calls the person otherwise, in the name of whoever asks.
    pub(crate) async fn change_profile(
        &self,
        asking: &Asking,
        account: AccountId,
        change: ProfileChange,
        bytes: &[u8],
    ) -> Result<Response, Problem> {
        let expected = asking.expected_version()?;
        let route = format!("change-profile/{account}");
        let ask = asking.ask(self, &route, bytes);
        let mut checked = None;
        for _ in 0..TRIES {
            let commands = &self.parts().commands;
            let (state, version) = commands.state::<Account>(account.stream()).await?;
            let seen = version_of(&state).ok_or_else(|| Problem::not_found("account"))?;
            let Account::Active(active) = state else {
                return Err(Problem::not_found("account"));
            };
            if expected.is_some_and(|expected| expected != seen) {
                let detail = "it was changed meanwhile; read it again before changing it";
                return Err(Problem::new(Kind::Stale, detail));
            }
            let personal = self.personal(account, &active).await?;
            let next = change.on(personal.clone())?;
            let email = email_place(&self.parts().keys, &next.email);
            let own = asking.caller.account()? == account;
            if email != active.email && own && checked.as_ref() != Some(&active.password_hash) {
                let current = change.current_password.clone();
                self.check_current(account, &active, current).await?;
                checked = Some(active.password_hash.clone());
            }
            let named = Named {
                email,
                username: username_place(&self.parts().keys, &next.username),
                // Sealed anew, the same text is another one.
                personal: if next == personal {
                    active.personal
                } else {
                    self.sealed_personal(account, next).await?
                },
            };
            let ask = Ask {
                expected_version: Some(version),
                ..ask.clone()
            };
            match commands.change_profile(account, named, &ask).await {
                Err(spool_commands::accounts::RegisterError::Command(CommandError::Stale { .. })) => {}
                changed => {
                    let outcome = changed.map_err(super::not_registered)?;
                    return self.answer_profile(account, &outcome).await;
                }
            }
        }
        Err(Problem::unavailable("too much happens to this account at once"))
    }

    async fn answer_profile(&self, account: AccountId, outcome: &Outcome) -> Result<Response, Problem> {
        self.wait_for("accounts", Some(&outcome.token)).await?;
        let (user, tag) = self.user(account).await?;
        let headers = [consistency_header(outcome), etag_header(&tag), NO_STORE];
        Ok((AppendHeaders(headers), axum::Json(user)).into_response())
    }

    async fn personal(&self, account: AccountId, active: &Active) -> Result<Personal, Problem> {
        let (gateway, sealed) = (self.clone(), active.personal.clone());
        let open = move || gateway.people().personal(account, &sealed);
        let personal = tokio::task::spawn_blocking(open).await??;
        personal.ok_or_else(|| Problem::not_found("account"))
    }

    /// What the person prefers, as at first unless something was said.
    pub(crate) async fn preferences(&self, account: AccountId) -> Result<Preferences, Problem> {
        match self.active(account).await?.preferences {
            None => Ok(Preferences::default()),
            Some(sealed) => {
                let text = self.opened(account, sealed, PREFERENCES).await?;
                let text = text.ok_or_else(|| Problem::not_found("account"))?;
                serde_json::from_slice(&text).map_err(Problem::defect)
            }
        }
    }

    /// Sets them in the name of whoever asks.
    pub(crate) async fn set_preferences(
        &self,
        asking: &Asking,
        account: AccountId,
        preferences: Preferences,
        bytes: &[u8],
    ) -> Result<Response, Problem> {
        preferences.check()?;
        let ask = asking.ask(self, &format!("set-preferences/{account}"), bytes);
        let before = self.active(account).await?.preferences;
        let same = self.preferences(account).await? == preferences;
        let sealed = match before {
            Some(before) if same => before,
            _ => {
                let text = serde_json::to_vec(&preferences).expect("flags and texts become JSON");
                self.sealed_text(account, text, PREFERENCES).await?
            }
        };
        let command = Command::ChangePreferences { preferences: sealed };
        let outcome = self.parts().commands.give(account.stream(), command, ask).await?;
        let headers = AppendHeaders([consistency_header(&outcome), NO_STORE]);
        // Asked again with its key, it is the first answer that counts.
        let preferences = self.preferences(account).await?;
        Ok((headers, axum::Json(preferences)).into_response())
    }
}
