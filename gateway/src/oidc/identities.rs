//! By which providers somebody signs in: the list, and taking one away. One is added by signing in there with `link=true`.

use crate::asking::{Asking, done};
use crate::body::Id;
use crate::gateway::Gateway;
use crate::paging::Page;
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Serialize;
use spool_commands::Ask;
use spool_domain::accounts::Command;
use spool_domain::ids::ReservationId;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(unlink))
}

/// An identity that the account can be signed in by.
#[derive(Serialize, ToSchema)]
struct IdentityShown {
    id: Uuid,
    #[schema(example = "google")]
    provider: String,
    /// For people; the name when the provider is not configured any more.
    #[schema(example = "Google")]
    label: String,
    /// As the provider told it when it was linked.
    email: Option<String>,
    username: Option<String>,
}

/// By which providers one's own account is signed in.
#[utoipa::path(get, path = "/api/auth/identities", operation_id = "list_identities", tag = "accounts", responses(
    (status = 200, description = "All of them", body = Page<IdentityShown>),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn list(State(gateway): State<Gateway>, asking: Asking) -> Result<Response, Problem> {
    let account = asking.caller.account()?;
    let active = gateway.active(account).await?;
    let opening = gateway.clone();
    let open = move || {
        let shown = active.identities.into_values().map(|identity| {
            let provider = opening.providers().get(&identity.provider).ok();
            let shown = opening.identity_shown(account, &identity);
            IdentityShown {
                id: identity.place.0,
                label: provider.map_or_else(|| identity.provider.clone(), |provider| provider.label.clone()),
                provider: identity.provider,
                email: shown.email,
                username: shown.username,
            }
        });
        shown.collect()
    };
    let page = Page {
        items: tokio::task::spawn_blocking(open).await?,
        next_cursor: None,
    };
    Ok((AppendHeaders([super::NO_STORE]), axum::Json(page)).into_response())
}

/// Takes away a provider to sign in by.
#[utoipa::path(delete, path = "/api/auth/identities/{id}", operation_id = "unlink_identity", tag = "accounts", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "It is none any more, or was none"),
    (status = 401, description = "Not signed in, or not by a session", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "The id is no UUID", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "There would be no way left to sign in", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn unlink(State(gateway): State<Gateway>, Id(id): Id, asking: Asking) -> Result<Response, Problem> {
    let (account, _) = gateway.linking(&asking).await?;
    let command = Command::UnlinkIdentity {
        place: ReservationId(id),
    };
    let ask = Ask {
        expected_version: asking.expected_version()?,
        ..asking.ask(&gateway, "unlink-identity", id.as_bytes())
    };
    let outcome = gateway.give_account(account, command, ask).await?;
    Ok(done(&outcome))
}
