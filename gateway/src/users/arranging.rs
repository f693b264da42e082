//! What a person, or an administrator for the person, arranges: names and preferences.

use crate::accounts::arranging::Preferences;
use crate::accounts::registration::ProfileChange;
use crate::accounts::sessions::User;
use crate::asking::Asking;
use crate::body::{Id, Json};
use crate::gateway::Gateway;
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use spool_domain::ids::AccountId;

/// Changes how a person is called; see `PUT /api/auth/profile`. Administrators need no password for it.
#[utoipa::path(put, path = "/api/users/{id}/profile", operation_id = "change_user_profile", tag = "users", params(("id" = Uuid, Path)), request_body = ProfileChange, responses(
    (status = 200, description = "The account as changed", body = User, headers(("ETag" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's, or the current password is wrong", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The e-mail address or username is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change_profile(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    Json { value, bytes }: Json<ProfileChange>,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    asking.caller.self_or_admin(account)?;
    gateway.change_profile(&asking, account, value, &bytes).await
}

/// What a person prefers.
#[utoipa::path(get, path = "/api/users/{id}/preferences", operation_id = "get_user_preferences", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 200, description = "The preferences", body = Preferences),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn preferences(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    asking.caller.self_or_admin(account)?;
    gateway.there(account).await?;
    Ok(axum::Json(gateway.preferences(account).await?).into_response())
}

/// Changes what a person prefers, whole.
#[utoipa::path(put, path = "/api/users/{id}/preferences", operation_id = "set_user_preferences", tag = "users", params(("id" = Uuid, Path)), request_body = Preferences, responses(
    (status = 200, description = "The preferences", body = Preferences),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn set_preferences(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    Json { value, bytes }: Json<Preferences>,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    asking.caller.self_or_admin(account)?;
    gateway.there(account).await?;
    gateway.set_preferences(&asking, account, value, &bytes).await
}
