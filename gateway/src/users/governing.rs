//! What administrators, and persons for themselves, decide about accounts.

use super::shown::{RoleWord, StatusWord, version_of};
use crate::accounts::sessions::Client;
use crate::asking::{Asking, consistency_header, done, etag_header};
use crate::body::{Id, Json, Parameters};
use crate::gateway::Gateway;
use crate::problem::{Kind, Problem, ProblemBody};
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use spool_commands::{AnyRefusal, Ask, CommandError, Outcome};
use spool_domain::accounts::{Account, Command, Event, Refusal, Standing};
use spool_domain::actors::Role;
use spool_domain::ids::AccountId;
use spool_domain::time::{Millis, Timestamp};
use spool_projections::accounts::Status;
use spool_schemas::AnyEvent;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// How often a change is tried anew when something else happened to the account meanwhile.
const TRIES: usize = 8;
const GRACE_DAYS_MAX: i64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Deleting {
    /// For so many days an administrator can bring the account back; 0 to 30. With 0, or left out, it is erased at once.
    #[param(value_type = Option<u32>, example = 0)]
    grace_days: Option<String>,
}

/// What an administrator may change of a person. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = UserChange)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[schema(value_type = Option<RoleWord>)]
    role: Option<Role>,
}

/// Whether an account may be used now.
#[derive(Serialize, ToSchema)]
#[schema(as = ToggledUser)]
pub(super) struct Toggled {
    id: Uuid,
    #[schema(value_type = StatusWord)]
    status: Status,
}

/// Changes a person's role. The person's tokens have the new role at once.
#[utoipa::path(put, path = "/api/users/{id}", operation_id = "change_user", tag = "users", params(
    ("id" = Uuid, Path),
), request_body = Change, responses(
    (status = 200, description = "The person as changed", body = super::Person, headers(("ETag" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator, or one's own account", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    client: Client,
    Json { value, bytes }: Json<Change>,
) -> Result<Response, Problem> {
    let expected = asking.expected_version()?;
    let by = asking.caller.admin()?;
    let account = AccountId(id);
    let role = value
        .role
        .ok_or_else(|| Problem::invalid("/role", "must be given"))?;
    let ask = asking.ask(&gateway, "change-user", &[id.as_bytes(), &bytes[..]].concat());
    let ask = gateway.ask_from(client, &asking, ask).await?;
    let change = |_: &Account| Command::ChangeRole { account, role, by };
    let outcome = gateway.decide(account, expected, ask, change).await?;
    gateway.answer_person(account, &outcome).await
}

/// Deletes a person's account, and erases all that is known of the person.
///
/// Nobody can use the account from then on. What was erased cannot be brought back by anybody: not from the log, a backup, a read
/// model or a topic. The person's videos and films are deleted as well, a few moments later.
#[utoipa::path(delete, path = "/api/users/{id}", operation_id = "delete_user", tag = "users", params(
    ("id" = Uuid, Path),
    Deleting,
), responses(
    (status = 204, description = "Gone"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's, or an administrator's own", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid parameters", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    client: Client,
    Parameters(deleting): Parameters<Deleting>,
) -> Result<Response, Problem> {
    let expected = asking.expected_version()?;
    let account = AccountId(id);
    let by = asking.caller.self_or_admin(account)?;
    let days = grace_days(deleting.grace_days.as_deref())?;
    let erase_at = Timestamp::from_millis(gateway.parts().clock.now_ms()) + Millis(days * DAY_MS);
    let request = [id.as_bytes(), &days.to_be_bytes()[..]].concat();
    let ask = asking.ask(&gateway, "delete-user", &request);
    let ask = gateway.ask_from(client, &asking, ask).await?;
    let delete = |_: &Account| Command::Delete {
        account,
        by,
        erase_at,
    };
    let outcome = gateway.decide(account, expected, ask, delete).await?;
    let is_erased = |event: &AnyEvent| matches!(event, AnyEvent::Accounts(Event::Erased(_)));
    if outcome.events.iter().any(is_erased) {
        // Whoever follows the log does it as well, should this be cut off here.
        let keys = gateway.parts().keys.clone();
        tokio::task::spawn_blocking(move || keys.erase(id)).await??;
    }
    Ok(done(&outcome))
}

/// Brings a deleted account back that is not erased yet.
#[utoipa::path(post, path = "/api/users/{id}/restore", operation_id = "restore_user", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The person, back", body = super::Person, headers(("ETag" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "Not deleted, or erased already", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn restore(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    client: Client,
) -> Result<Response, Problem> {
    let by = asking.caller.admin()?;
    let account = AccountId(id);
    let ask = asking.ask(&gateway, "restore-user", id.as_bytes());
    let ask = gateway.ask_from(client, &asking, ask).await?;
    let restore = |_: &Account| Command::Restore { account, by };
    let outcome = gateway.decide(account, None, ask, restore).await?;
    gateway.answer_person(account, &outcome).await
}

/// Locks an account that can be used, and unlocks one that is locked.
///
/// Who is locked out is out at once, in all sessions.
#[utoipa::path(post, path = "/api/users/{id}/toggle-status", operation_id = "toggle_user_status", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "How it is now", body = Toggled),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator, or one's own account", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn toggle_status(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    client: Client,
) -> Result<Response, Problem> {
    let by = asking.caller.admin()?;
    let account = AccountId(id);
    let ask = asking.ask(&gateway, "toggle-status", id.as_bytes());
    let ask = gateway.ask_from(client, &asking, ask).await?;
    let toggle = |state: &Account| match state {
        Account::Active(active) if active.standing == Standing::Disabled => Command::Enable { account, by },
        Account::Active(_) | Account::Unregistered | Account::Void | Account::Erased => {
            Command::Disable { account, by }
        }
    };
    let outcome = gateway.decide(account, None, ask, toggle).await?;
    // Of the commit, since a repeated request has the first answer.
    let locks = |event: &AnyEvent| matches!(event, AnyEvent::Accounts(Event::Disabled(_)));
    let status = match outcome.events.iter().any(locks) {
        true => Status::Disabled,
        false => Status::Active,
    };
    let token = AppendHeaders([consistency_header(&outcome)]);
    Ok((token, axum::Json(Toggled { id, status })).into_response())
}

fn grace_days(text: Option<&str>) -> Result<i64, Problem> {
    let days = text.map_or(Ok(0), str::parse);
    let days = days.ok().filter(|days| (0..=GRACE_DAYS_MAX).contains(days));
    days.ok_or_else(|| {
        Problem::invalid(
            "/grace_days",
            format!("must be a whole number from 0 to {GRACE_DAYS_MAX}"),
        )
    })
}

impl Gateway {
    /// Gives the account the command that its state calls for, if it is as the caller has seen it.
    pub(super) async fn decide(
        &self,
        account: AccountId,
        expected: Option<u64>,
        ask: Ask,
        command: impl Fn(&Account) -> Command,
    ) -> Result<Outcome, Problem> {
        let commands = &self.parts().commands;
        for _ in 0..TRIES {
            let (state, version) = commands.state::<Account>(account.stream()).await?;
            // Of an account that is gone only a repeated request has an answer.
            let seen = version_of(&state).or(expected);
            if expected.is_some() && expected != seen {
                let detail = "it was changed meanwhile; read it again before changing it";
                return Err(Problem::new(Kind::Stale, detail));
            }
            let ask = Ask {
                expected_version: Some(version),
                ..ask.clone()
            };
            match self.give_account(account, command(&state), ask).await {
                Err(CommandError::Stale { .. }) => {}
                Err(CommandError::Refused(AnyRefusal::Accounts(Refusal::NoSuchAccount))) => {
                    return Err(Problem::not_found("user"));
                }
                given => return Ok(given?),
            }
        }
        Err(Problem::unavailable("too much happens to this account at once"))
    }

    pub(super) async fn answer_person(
        &self,
        account: AccountId,
        outcome: &Outcome,
    ) -> Result<Response, Problem> {
        self.wait_for("accounts", Some(&outcome.token)).await?;
        let person = self.person(account, true).await?;
        let (person, tag) = person.ok_or_else(|| Problem::not_found("user"))?;
        let headers = [consistency_header(outcome), etag_header(&tag)];
        Ok((AppendHeaders(headers), axum::Json(person)).into_response())
    }
}
