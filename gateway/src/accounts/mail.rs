//! Accounts and mail over HTTP: a forgotten password, and whether somebody reads what is sent to an e-mail address.

use super::registration::{check_email, check_password};
use crate::asking::{Asking, consistency_header, done};
use crate::body::Json;
use crate::gateway::Gateway;
use crate::problem::{Kind, Problem, ProblemBody};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use spool_commands::accounts::email_place;
use spool_commands::links::{ConfirmationLink, ResetLink};
use spool_commands::{AnyRefusal, Ask, CommandError, Outcome};
use spool_domain::accounts::{Account, Command, Refusal};
use spool_domain::ids::AccountId;
use spool_domain::reservations;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(forgot_password))
        .routes(routes!(reset_password))
        .routes(routes!(confirm_email))
        .routes(routes!(resend_confirmation))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ForgottenPassword)]
struct Forgotten {
    #[schema(example = "ada@example.org")]
    email: String,
}

#[derive(Deserialize, ToSchema)]
struct PasswordReset {
    /// What stands behind `#token=` in the link.
    token: String,
    /// 8 to 200 characters.
    #[schema(example = "correct horse battery staple")]
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = EmailConfirmation)]
struct Confirmation {
    /// What stands behind `#token=` in the link.
    token: String,
}

/// A mail was asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct MailAsked {
    #[schema(example = "if an account has this e-mail address, a mail with a link is on its way")]
    detail: &'static str,
}

/// Has a link for a new password sent to an e-mail address.
///
/// Neither the answer nor the time it takes tells whether there is an account with this address. An address gets one mail
/// a minute; the link is good for an hour unless configured otherwise, once, and until a newer one was sent.
#[utoipa::path(post, path = "/api/auth/forgot-password", tag = "accounts", request_body = Forgotten, security(()), responses(
    (status = 202, description = "Asked for", body = MailAsked),
    (status = 403, description = "This installation sends no mail", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "This is no e-mail address", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn forgot_password(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<Forgotten>,
) -> Result<Response, Problem> {
    gateway.sends_mail()?;
    check_email(value.email.trim()).map_err(|detail| Problem::invalid("/email", detail))?;
    let parts = gateway.parts();
    // Whoever has the address is found by a process manager, later: here, the same is done for every address.
    let place = email_place(&parts.keys, &value.email);
    let wanted = reservations::Command::WantPasswordReset;
    let ask = asking.ask(&gateway, "forgot-password", &bytes);
    parts.commands.give(place.stream(), wanted, ask).await?;
    // No Consistency-Token: it would help to watch what else is written.
    let detail = "if an account has this e-mail address, a mail with a link is on its way";
    Ok((StatusCode::ACCEPTED, axum::Json(MailAsked { detail })).into_response())
}

/// Sets a new password with the link from a mail. All sessions end.
#[utoipa::path(post, path = "/api/auth/reset-password", tag = "accounts", request_body = PasswordReset, security(()), responses(
    (status = 204, description = "The new password counts"),
    (status = 403, description = "The account is locked", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The link was used, a newer one was sent, its time is over, or it is none of ours", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The password cannot be taken", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn reset_password(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<PasswordReset>,
) -> Result<Response, Problem> {
    let parts = gateway.parts();
    // Before the work of hashing: only who has a link of ours makes us do it.
    let link = ResetLink::read(&parts.keys, &value.token).ok_or_else(no_link)?;
    check_password(&value.password).map_err(|detail| Problem::invalid("/password", detail))?;
    let hash = gateway.passwords().hash(value.password).await?;
    let people = gateway.clone();
    let seal = move || people.people().seal_hash(link.account, &hash);
    let sealed = tokio::task::spawn_blocking(seal).await?;
    // Whoever was erased has no key any more.
    let password_hash = sealed.map_err(|problem| match problem.kind() {
        Kind::NotFound => link_over(),
        _ => problem,
    })?;
    let reset = Command::ResetPassword {
        number: link.number,
        password_hash,
    };
    let ask = asking.ask(&gateway, "reset-password", &bytes);
    let given = gateway.give_account(link.account, reset, ask).await;
    let outcome = given.map_err(gone_is_over)?;
    Ok(done(&outcome))
}

/// Confirms an e-mail address with the link that was sent there. Doing so again changes nothing.
#[utoipa::path(post, path = "/api/auth/confirm-email", tag = "accounts", request_body = Confirmation, security(()), responses(
    (status = 204, description = "The e-mail address is confirmed"),
    (status = 403, description = "The account is locked", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The account has another e-mail address now, or is gone, or it is no link of ours", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn confirm_email(
    State(gateway): State<Gateway>,
    asking: Asking,
    Json { value, bytes }: Json<Confirmation>,
) -> Result<Response, Problem> {
    let parts = gateway.parts();
    let link = ConfirmationLink::read(&parts.keys, &value.token).ok_or_else(no_link)?;
    let confirm = Command::ConfirmEmail { email: link.email };
    let ask = asking.ask(&gateway, "confirm-email", &bytes);
    let given = parts.commands.give(link.account.stream(), confirm, ask).await;
    let outcome = given.map_err(gone_is_over)?;
    Ok(done(&outcome))
}

/// Has the link to confirm one's e-mail address sent again, once a minute at most.
#[utoipa::path(post, path = "/api/auth/resend-confirmation", tag = "accounts", responses(
    (status = 202, description = "Asked for; nothing is sent when the address is confirmed already", body = MailAsked),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "This installation sends no mail", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn resend_confirmation(State(gateway): State<Gateway>, asking: Asking) -> Result<Response, Problem> {
    let account = asking.caller.account()?;
    gateway.sends_mail()?;
    let ask = asking.ask(&gateway, "resend-confirmation", b"");
    let outcome = gateway.ask_to_confirm(account, ask).await?;
    let detail = "a mail with a link is on its way, unless the e-mail address is confirmed already";
    Ok(asked(detail, &outcome))
}

impl Gateway {
    /// Refuses to promise a mail that nobody would send.
    fn sends_mail(&self) -> Result<(), Problem> {
        match self.parts().config.mail.is_sent() {
            true => Ok(()),
            false => Err(Problem::not_allowed(
                "this installation sends no mail; ask an administrator",
            )),
        }
    }

    /// Refuses whoever has to confirm their e-mail address before they sign in, and has another mail sent to them. To be asked
    /// when the password was right: it tells that there is an account.
    pub(crate) async fn check_confirmed(&self, account: AccountId, ask: &Ask) -> Result<(), Problem> {
        if !self.parts().config.auth.confirm_email_first {
            return Ok(());
        }
        let (state, _) = self.parts().commands.state::<Account>(account.stream()).await?;
        if matches!(&state, Account::Active(active) if !active.email_confirmed) {
            self.ask_to_confirm(account, ask.then("confirmation")).await?;
            return Err(Problem::not_allowed(
                "confirm your e-mail address first, by the link in the mail that was sent to it",
            ));
        }
        Ok(())
    }

    /// The answer to a registration after which the e-mail address has to be confirmed before anybody signs in; nothing where
    /// one may do so at once.
    pub(super) fn to_be_confirmed(&self, registered: &Outcome) -> Option<Response> {
        let has_to = self.parts().config.auth.confirm_email_first;
        let detail = "the account is there; confirm the e-mail address by the link in the mail, then sign in";
        has_to.then(|| asked(detail, registered))
    }

    async fn ask_to_confirm(&self, account: AccountId, ask: Ask) -> Result<Outcome, Problem> {
        let request = Command::RequestEmailConfirmation;
        Ok(self.parts().commands.give(account.stream(), request, ask).await?)
    }
}

fn asked(detail: &'static str, outcome: &Outcome) -> Response {
    let headers = AppendHeaders([consistency_header(outcome)]);
    (StatusCode::ACCEPTED, headers, axum::Json(MailAsked { detail })).into_response()
}

fn no_link() -> Problem {
    let detail = "this is not a link that was sent from here; open it as it stands in the mail, or ask for another one";
    Problem::new(Kind::Conflict, detail)
}

fn link_over() -> Problem {
    Problem::new(Kind::Conflict, Refusal::LinkOver.to_string())
}

/// Who has a link of an account that is gone is not asked to sign in.
fn gone_is_over(error: CommandError) -> Problem {
    match error {
        CommandError::Refused(AnyRefusal::Accounts(Refusal::NoSuchAccount)) => link_over(),
        error => error.into(),
    }
}
