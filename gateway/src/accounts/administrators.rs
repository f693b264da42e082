//! Accounts made by administrators, and the first administrator, who has the secret printed at the first start.

use super::registration::Registration;
use super::sessions::User;
use super::{NO_STORE, not_registered};
use crate::asking::{Asking, consistency_header};
use crate::body::Json;
use crate::gateway::Gateway;
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use spool_commands::accounts::bootstrap_place;
use spool_commands::ids;
use spool_domain::accounts::Registered;
use spool_domain::actors::Role;
use spool_domain::ids::AccountId;
use utoipa::ToSchema;

const SECRET_BYTES: usize = 18;

#[derive(Deserialize, ToSchema)]
pub(super) struct ByAdmin {
    #[serde(flatten)]
    registration: Registration,
    /// Printed by the server while there is no administrator; administrators leave it out.
    #[schema(example = "zbGqaw2Rx4Z0yD0bY3Nc1sQ5")]
    secret: Option<String>,
    /// `admin` unless said otherwise; with the secret always `admin`.
    #[schema(value_type = Option<crate::users::RoleWord>, example = "admin")]
    role: Option<Role>,
}

/// Creates an account with any role, by an administrator, or by the one-time secret for the first one.
#[utoipa::path(post, path = "/api/auth/register-admin", operation_id = "register_admin", tag = "accounts", request_body = ByAdmin, security((), ("bearer" = [])), responses(
    (status = 201, description = "The account", body = User),
    (status = 401, description = "Neither signed in nor with the secret", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator, or the secret is wrong or was used before", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The e-mail address or username is taken", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn register_admin(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<ByAdmin>,
) -> Result<Response, Problem> {
    let is_first = match &value.secret {
        Some(secret) if gateway.is_bootstrap_secret(secret) => true,
        Some(_) => return Err(Problem::not_allowed("the secret is wrong")),
        None => {
            asking.caller.admin()?;
            false
        }
    };
    let registration = value.registration.checked()?;
    let ask = asking.ask(&gateway, "register-admin", &bytes);
    let account = AccountId(ids::created_by(ask.command, "account"));
    let hash = gateway.passwords().hash(registration.password).await?;
    let registered = gateway.sealed(account, registration.personal, hash).await?;
    let registered = Registered {
        role: if is_first {
            Role::Admin
        } else {
            value.role.unwrap_or(Role::Admin)
        },
        bootstrap: is_first.then(|| bootstrap_place(&gateway.parts().keys)),
        ..registered
    };
    let registering = gateway.parts().commands.register(account, registered, &ask);
    let outcome = registering.await.map_err(not_registered)?;
    gateway.wait_for("accounts", Some(&outcome.token)).await?;
    let (user, _) = gateway.user(account).await?;
    let headers = AppendHeaders([consistency_header(&outcome), NO_STORE]);
    Ok((StatusCode::CREATED, headers, axum::Json(user)).into_response())
}

impl Gateway {
    /// What to tell whoever starts the server while there is no administrator: nothing once there is one.
    pub async fn bootstrap_secret(&self) -> Option<String> {
        let parts = self.parts();
        let waits = parts.commands.awaits_first_admin(&parts.keys).await;
        waits.unwrap_or(false).then(|| self.secret())
    }

    fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.parts().keys.mac("first-administrator", b"")[..SECRET_BYTES])
    }

    fn is_bootstrap_secret(&self, given: &str) -> bool {
        let keys = &self.parts().keys;
        // Two keyed hashes are compared, so that the time taken says nothing.
        keys.mac("compare", given.as_bytes()) == keys.mac("compare", self.secret().as_bytes())
    }
}
