//! Persons over HTTP: what is shown of them, and what administrators decide about them.

mod arranging;
mod audit;
mod directory;
mod export;
mod opened;
mod shown;

use crate::asking::{Asking, consistency_header};
use crate::body::{Id, Json, Parameters};
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::paging::{self, Page};
use crate::problem::{Kind, Problem, ProblemBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use directory::Search;
use serde::{Deserialize, Serialize};
use shown::Person;
pub(crate) use shown::{tag_of, tag_of_row};
use spool_commands::{AnyRefusal, Ask, CommandError, Outcome};
use spool_domain::accounts::{Account, Command, Event, Refusal, Standing};
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::AccountId;
use spool_domain::text::check_line;
use spool_domain::time::{Millis, Timestamp};
use spool_projections::accounts::{List, Status};
use spool_schemas::AnyEvent;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub use directory::Directory;
pub use export::exports;

/// How often a change is tried anew when something else happened to the account meanwhile.
const TRIES: usize = 8;
const WORDS_MAX_CHARS: usize = 100;
const GRACE_DAYS_MAX: i64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, change, delete))
        .routes(routes!(profile, arranging::change_profile))
        .routes(routes!(arranging::preferences, arranging::set_preferences))
        .routes(routes!(stats))
        .routes(routes!(audit::audit))
        .routes(routes!(export::export))
        .routes(routes!(restore))
        .routes(routes!(toggle_status))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// 1 to 100; 20 if left out.
    #[param(value_type = Option<u32>, example = 20)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// A part of a name, username or e-mail address; upper and lower case are the same.
    #[param(example = "ada")]
    q: Option<String>,
    /// `viewer`, `creator`, `admin` or `service`.
    role: Option<String>,
    /// `active`, `disabled` or `deleted`.
    status: Option<String>,
    /// `newest`, which is also the order if it is left out.
    sort: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Deleting {
    /// For so many days an administrator can bring the account back; 0 to 30. With 0, or left out, it is erased at once.
    #[param(value_type = Option<u32>, example = 0)]
    grace_days: Option<String>,
}

/// What an administrator may change of a person. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    #[schema(value_type = Option<String>, example = "creator")]
    role: Option<Role>,
}

/// Whether an account may be used now.
#[derive(Serialize, ToSchema)]
struct Toggled {
    id: Uuid,
    /// `active` or `disabled`.
    #[schema(value_type = String, example = "disabled")]
    status: Status,
}

/// What a person has here, in figures.
#[derive(Serialize, ToSchema)]
struct Stats {
    id: Uuid,
    /// Videos that are there.
    videos: u64,
    /// Films brought in; those of deleted videos are not counted any more.
    uploads: u64,
    /// Of the films brought in.
    uploaded_bytes: u64,
    /// Of all videos together, as far as they have been measured.
    duration_seconds: f64,
    /// How often others watched; 0 while that is not measured.
    views: u64,
    /// How long others watched; 0 while that is not measured.
    watch_time_seconds: f64,
}

/// All persons, newest first.
#[utoipa::path(get, path = "/api/users", tag = "users", params(Listing), responses(
    (status = 200, description = "A page; with a filter it may be short, or empty, and yet go on", body = Page<Person>),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid parameters", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn list(
    State(gateway): State<Gateway>,
    asking: Asking,
    Parameters(listing): Parameters<Listing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_admin(&asking)?;
    let (limit, cursor) = paging::checked(listing.limit.as_deref(), listing.cursor)?;
    if listing.sort.as_deref().is_some_and(|sort| sort != "newest") {
        return Err(Problem::invalid("/sort", "must be newest"));
    }
    let role = word("/role", "viewer, creator, admin or service", listing.role)?;
    let status = word("/status", "active, disabled or deleted", listing.status)?;
    let words = listing.q.map(|words| words.trim().to_owned()).unwrap_or_default();
    if !words.is_empty() {
        check_line(&words, WORDS_MAX_CHARS).map_err(|complaint| Problem::invalid("/q", complaint))?;
    }
    gateway.wait_for("accounts", asking.token()).await?;
    let find = move || match words.is_empty() {
        true => gateway.listed(&List {
            role,
            status,
            cursor,
            limit,
        }),
        false => gateway.found(&Search {
            words,
            role,
            status,
            cursor,
            limit,
        }),
    };
    let page = tokio::task::spawn_blocking(find).await??;
    Ok(Encoded::json(&page, "", Caching::Private).answer(&headers))
}

/// One person: everything for administrators and the person, for others what is public.
#[utoipa::path(get, path = "/api/users/{id}", tag = "users", params(("id" = Uuid, Path)), security((), ("bearer" = [])), responses(
    (status = 200, description = "The person", body = Person, headers(("ETag" = String, description = "Send it back as If-Match to change this version and no other"))),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn get(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = AccountId(id);
    let is_whole = check_self_or_admin(&asking, id).is_ok();
    gateway.wait_for("accounts", asking.token()).await?;
    let found = gateway.person(id, is_whole).await?;
    let (person, tag) = found.ok_or_else(|| Problem::not_found("user"))?;
    Ok(Encoded::json(&person, &tag, Caching::Private).answer(&headers))
}

/// A person's profile.
#[utoipa::path(get, path = "/api/users/{id}/profile", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The profile", body = Person, headers(("ETag" = String))),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn profile(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = AccountId(id);
    check_self_or_admin(&asking, id)?;
    gateway.wait_for("accounts", asking.token()).await?;
    let found = gateway.person(id, true).await?;
    let (person, tag) = found.ok_or_else(|| Problem::not_found("user"))?;
    Ok(Encoded::json(&person, &tag, Caching::Private).answer(&headers))
}

/// What a person has here, in figures.
#[utoipa::path(get, path = "/api/users/{id}/stats", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The figures", body = Stats),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn stats(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_self_or_admin(&asking, AccountId(id))?;
    gateway.wait_for("accounts", asking.token()).await?;
    gateway.wait_for("catalogue", asking.token()).await?;
    let read = move |projections: &spool_projections::Projections| {
        let account = projections.accounts().account(AccountId(id))?;
        account
            .map(|_| projections.catalogue().owned(AccountId(id)))
            .transpose()
    };
    let owned = gateway.query(read).await?;
    let owned = owned.ok_or_else(|| Problem::not_found("user"))?;
    let stats = Stats {
        id,
        videos: owned.videos,
        uploads: owned.uploads,
        uploaded_bytes: owned.bytes,
        duration_seconds: owned.duration_seconds,
        views: 0,
        watch_time_seconds: 0.0,
    };
    Ok(Encoded::json(&stats, "", Caching::Private).answer(&headers))
}

/// Changes a person's role. The person's tokens have the new role at once.
#[utoipa::path(put, path = "/api/users/{id}", tag = "users", params(
    ("id" = Uuid, Path),
    ("If-Match" = Option<String>, Header, description = "The ETag of the version to change"),
), request_body = Change, responses(
    (status = 200, description = "The person as changed", body = Person, headers(("ETag" = String), ("Consistency-Token" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator, or one's own account", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn change(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    Json { value, bytes }: Json<Change>,
) -> Result<Response, Problem> {
    let by = check_admin(&asking)?;
    let account = AccountId(id);
    let role = value
        .role
        .ok_or_else(|| Problem::invalid("/role", "must be given"))?;
    let ask = asking.ask(&gateway, "change-user", &[id.as_bytes(), &bytes[..]].concat());
    let change = |_: &Account| Ok(Command::ChangeRole { account, role, by });
    let outcome = gateway.decide(&asking, account, ask, change).await?;
    gateway.answer_person(account, &outcome).await
}

/// Deletes a person's account, and erases all that is known of the person.
///
/// Nobody can use the account from then on. What was erased cannot be brought back by anybody: not from the log, a backup, a read
/// model or a topic. The person's videos and films are deleted as well, a few moments later.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users", params(
    ("id" = Uuid, Path),
    Deleting,
    ("If-Match" = Option<String>, Header, description = "The ETag of the version to delete"),
), responses(
    (status = 204, description = "Gone", headers(("Consistency-Token" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's, or an administrator's own", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid parameters", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn delete(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    Parameters(deleting): Parameters<Deleting>,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    let by = check_self_or_admin(&asking, account)?;
    let days = grace_days(deleting.grace_days.as_deref())?;
    let erase_at = Timestamp::from_millis(gateway.parts().clock.now_ms()) + Millis(days * DAY_MS);
    let request = [id.as_bytes(), &days.to_be_bytes()[..]].concat();
    let ask = asking.ask(&gateway, "delete-user", &request);
    let delete = |_: &Account| {
        Ok(Command::Delete {
            account,
            by,
            erase_at,
        })
    };
    let outcome = gateway.decide(&asking, account, ask, delete).await?;
    let is_erased = |event: &AnyEvent| matches!(event, AnyEvent::Accounts(Event::Erased(_)));
    if outcome.events.iter().any(is_erased) {
        // Whoever follows the log does it as well, should this be cut off here.
        let keys = gateway.parts().keys.clone();
        tokio::task::spawn_blocking(move || keys.erase(id)).await??;
    }
    let token = AppendHeaders([consistency_header(&outcome)]);
    Ok((StatusCode::NO_CONTENT, token).into_response())
}

/// Brings a deleted account back that is not erased yet.
#[utoipa::path(post, path = "/api/users/{id}/restore", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The person, back", body = Person, headers(("ETag" = String), ("Consistency-Token" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "Not deleted, or erased already", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn restore(State(gateway): State<Gateway>, Id(id): Id, asking: Asking) -> Result<Response, Problem> {
    let by = check_admin(&asking)?;
    let account = AccountId(id);
    let ask = asking.ask(&gateway, "restore-user", id.as_bytes());
    let restore = |_: &Account| Ok(Command::Restore { account, by });
    let outcome = gateway.decide(&asking, account, ask, restore).await?;
    gateway.answer_person(account, &outcome).await
}

/// Locks an account that can be used, and unlocks one that is locked.
///
/// Who is locked out is out at once, in all sessions.
#[utoipa::path(post, path = "/api/users/{id}/toggle-status", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "How it is now", body = Toggled, headers(("Consistency-Token" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator, or one's own account", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn toggle_status(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
) -> Result<Response, Problem> {
    let by = check_admin(&asking)?;
    let account = AccountId(id);
    let ask = asking.ask(&gateway, "toggle-status", id.as_bytes());
    let toggle = |state: &Account| match state {
        Account::Active(active) if active.standing == Standing::Disabled => {
            Ok(Command::Enable { account, by })
        }
        Account::Active(_) | Account::Unregistered | Account::Void | Account::Erased => {
            Ok(Command::Disable { account, by })
        }
    };
    let outcome = gateway.decide(&asking, account, ask, toggle).await?;
    // Of the commit, since a repeated request has the first answer.
    let locks = |event: &AnyEvent| matches!(event, AnyEvent::Accounts(Event::Disabled(_)));
    let status = match outcome.events.iter().any(locks) {
        true => Status::Disabled,
        false => Status::Active,
    };
    let token = AppendHeaders([consistency_header(&outcome)]);
    Ok((token, axum::Json(Toggled { id, status })).into_response())
}

/// Who asks, if that is an administrator.
fn check_admin(asking: &Asking) -> Result<Actor, Problem> {
    let by = asking.signed_in()?;
    match by.is_admin() {
        true => Ok(by),
        false => Err(Problem::not_allowed("only an administrator may do this")),
    }
}

/// Who asks, if that is the person or an administrator.
fn check_self_or_admin(asking: &Asking, account: AccountId) -> Result<Actor, Problem> {
    let by = asking.signed_in()?;
    match by.account() == Some(account) || by.is_admin() {
        true => Ok(by),
        false => Err(Problem::not_allowed(
            "only the person and administrators may do this",
        )),
    }
}

/// A word of a list of words, as it is written in JSON.
fn word<T: serde::de::DeserializeOwned>(
    pointer: &str,
    words: &str,
    text: Option<String>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let word = serde_json::from_value(serde_json::Value::String(text));
    word.map(Some)
        .map_err(|_| Problem::invalid(pointer, format!("must be {words}")))
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
    /// Blocking.
    fn listed(&self, list: &List) -> Result<Page<Person>, Problem> {
        let page = self.parts().projections.accounts().list(list)?;
        let mut items = vec![];
        for row in &page.items {
            items.extend(self.shown_person(row, true)?);
        }
        Ok(Page {
            items,
            next_cursor: page.next_cursor,
        })
    }

    /// Blocking.
    fn found(&self, search: &Search) -> Result<Page<Person>, Problem> {
        let mut found = self.directory().search(self, search)?;
        let goes_on = found.len() > search.limit;
        found.truncate(search.limit);
        let (mut items, mut last) = (vec![], None);
        for id in found {
            // Erased or changed since: the row is what counts.
            if let Some(row) = self.parts().projections.accounts().account(id)? {
                items.extend(self.shown_person(&row, true)?);
                last = Some(row.cursor());
            }
        }
        Ok(Page {
            items,
            next_cursor: last.filter(|_| goes_on),
        })
    }

    /// Gives the account the command that its state calls for, if it is as the caller has seen it.
    async fn decide(
        &self,
        asking: &Asking,
        account: AccountId,
        ask: Ask,
        command: impl Fn(&Account) -> Result<Command, Problem>,
    ) -> Result<Outcome, Problem> {
        let commands = &self.parts().commands;
        for _ in 0..TRIES {
            let (state, version) = commands.state::<Account>(account.stream()).await?;
            let tag = tag_of(&state).ok_or_else(|| Problem::not_found("user"))?;
            if !asking.allows(&tag) {
                let detail = "it was changed meanwhile; read it again before changing it";
                return Err(Problem::new(Kind::Stale, detail));
            }
            let ask = Ask {
                expected_version: Some(version),
                ..ask.clone()
            };
            match commands.give(account.stream(), command(&state)?, ask).await {
                Err(CommandError::Stale { .. }) => {}
                Err(CommandError::Refused(AnyRefusal::Accounts(Refusal::NoSuchAccount))) => {
                    return Err(Problem::not_found("user"));
                }
                given => {
                    let outcome = given?;
                    self.notice(account, &outcome.events);
                    return Ok(outcome);
                }
            }
        }
        Err(Problem::unavailable("too much happens to this account at once"))
    }

    async fn answer_person(&self, account: AccountId, outcome: &Outcome) -> Result<Response, Problem> {
        self.wait_for("accounts", Some(&outcome.token)).await?;
        let person = self.person(account, true).await?;
        let (person, tag) = person.ok_or_else(|| Problem::not_found("user"))?;
        let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("a tag is visible ASCII");
        let headers = [consistency_header(outcome), (header::ETAG, tag)];
        Ok((AppendHeaders(headers), axum::Json(person)).into_response())
    }
}
