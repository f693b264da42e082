//! Persons over HTTP: who there is, and what is shown of them.

mod arranging;
mod audit;
mod avatars;
mod client;
mod directory;
mod export;
mod governing;
mod opened;
mod shown;

use crate::asking::Asking;
use crate::body::{Id, Parameters};
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::paging::{self, Page};
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use directory::Search;
use serde::{Deserialize, Serialize};
pub(crate) use shown::RoleWord;
use shown::{Person, StatusWord};
pub(crate) use shown::{avatar_url, version_of, version_of_row};
use spool_domain::accounts::{Account, Active};
use spool_domain::ids::AccountId;
use spool_domain::text::check_line;
use spool_projections::accounts::List;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub use directory::Directory;
pub use export::exports;

const WORDS_MAX_CHARS: usize = 100;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, governing::change, governing::delete))
        .routes(routes!(profile, arranging::change_profile))
        .routes(routes!(arranging::preferences, arranging::set_preferences))
        .routes(routes!(avatars::avatar, avatars::change, avatars::remove))
        .routes(routes!(stats))
        .routes(routes!(audit::audit))
        .routes(routes!(export::export))
        .routes(routes!(governing::restore))
        .routes(routes!(governing::toggle_status))
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
    #[param(value_type = Option<RoleWord>, inline)]
    role: Option<String>,
    #[param(value_type = Option<StatusWord>, inline)]
    status: Option<String>,
    /// `newest`, which is also the order if it is left out.
    #[param(example = "newest")]
    sort: Option<String>,
}

/// What a person has here, in figures.
#[derive(Serialize, ToSchema)]
#[schema(as = UserStats)]
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
#[utoipa::path(get, path = "/api/users", operation_id = "list_users", tag = "users", params(Listing), responses(
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
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
    asking.caller.admin()?;
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
#[utoipa::path(get, path = "/api/users/{id}", operation_id = "get_user", tag = "users", params(("id" = Uuid, Path)), security((), ("bearer" = [])), responses(
    (status = 200, description = "The person", body = Person),
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
    let is_whole = asking.caller.self_or_admin(id).is_ok();
    gateway.wait_for("accounts", asking.token()).await?;
    let found = gateway.person(id, is_whole).await?;
    let (person, tag) = found.ok_or_else(|| Problem::not_found("user"))?;
    Ok(Encoded::json(&person, &tag, Caching::Private).answer(&headers))
}

/// A person's profile.
#[utoipa::path(get, path = "/api/users/{id}/profile", operation_id = "get_user_profile", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The profile", body = Person),
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
    asking.caller.self_or_admin(id)?;
    gateway.wait_for("accounts", asking.token()).await?;
    let found = gateway.person(id, true).await?;
    let (person, tag) = found.ok_or_else(|| Problem::not_found("user"))?;
    Ok(Encoded::json(&person, &tag, Caching::Private).answer(&headers))
}

/// What a person has here, in figures.
#[utoipa::path(get, path = "/api/users/{id}/stats", operation_id = "get_user_stats", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The figures", body = Stats),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
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
    asking.caller.self_or_admin(AccountId(id))?;
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

impl Gateway {
    /// The account, or 404.
    async fn there(&self, account: AccountId) -> Result<Active, Problem> {
        let (state, _) = self.parts().commands.state::<Account>(account.stream()).await?;
        match state {
            Account::Active(active) => Ok(*active),
            Account::Unregistered | Account::Void | Account::Erased => Err(Problem::not_found("user")),
        }
    }

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
}
