//! The trail of a person: what was done to the account, and what the person did, from the log.

use super::shown::RoleWord;
use crate::asking::Asking;
use crate::body::{Id, Parameters};
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::paging::{self, Page};
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::AccountId;
use spool_domain::time::Timestamp;
use spool_projections::audit::Entry;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// 1 to 100; 20 if left out.
    #[param(value_type = Option<u32>, example = 20)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One thing that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct Done {
    /// The fact in the log: stream and version.
    #[schema(example = "accounts-0193b5a2-7f00-7000-8000-000000000000@3")]
    id: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What happened, by its name in the log.
    #[schema(example = "SessionStarted")]
    event: String,
    /// What else there is to say in a word: the new role, why a session ended, how a password was changed, …
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    by: By,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    /// Where from, of a session that began; nothing for anybody else's, or once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<serde_json::Value>,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub(super) struct By {
    /// `person`, `system`, or `anonymous` for somebody who was not signed in.
    #[schema(example = "person")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// Held at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RoleWord>)]
    role: Option<Role>,
}

/// What was done to a person's account and by the person, newest first.
///
/// Administrators find it also of somebody who was erased; nothing in it says then who that was.
#[utoipa::path(get, path = "/api/users/{id}/audit", operation_id = "list_user_audit", tag = "users", params(("id" = Uuid, Path), Listing), responses(
    (status = 200, description = "A page", body = Page<Done>),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There was never such a person", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid parameters", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn audit(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    Parameters(listing): Parameters<Listing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    asking.caller.self_or_admin(account)?;
    let (limit, cursor) = paging::checked(listing.limit.as_deref(), listing.cursor)?;
    gateway.wait_for("audit", asking.token()).await?;
    let read = move || {
        let audit = gateway.parts().projections.audit();
        let trail = audit.trail(account, cursor.as_deref(), limit)?;
        if trail.items.is_empty() && cursor.is_none() {
            return Err(Problem::not_found("user"));
        }
        let done = trail.items.into_iter().map(|entry| gateway.done(account, entry));
        Ok(Page {
            items: done.collect::<Result<_, _>>()?,
            next_cursor: trail.next_cursor,
        })
    };
    let page: Page<Done> = tokio::task::spawn_blocking(read).await??;
    Ok(Encoded::json(&page, "", Caching::Private).answer(&headers))
}

impl Gateway {
    /// Blocking.
    pub(super) fn done(&self, account: AccountId, entry: Entry) -> Result<Done, Problem> {
        let client = match &entry.client {
            Some(sealed) => self.client(account, sealed)?,
            None => None,
        };
        Ok(Done {
            id: format!("{}@{}", entry.stream, entry.version),
            at: entry.at,
            event: entry.event,
            detail: entry.detail,
            by: By::of(entry.by),
            session_id: entry.session.map(|session| session.0),
            client,
        })
    }
}

impl By {
    fn of(actor: Actor) -> Self {
        let (kind, id, role) = match actor {
            Actor::Anonymous => ("anonymous", None, None),
            Actor::Person { account, role } => ("person", Some(account.0), Some(role)),
            Actor::System => ("system", None, None),
        };
        Self { kind, id, role }
    }
}
