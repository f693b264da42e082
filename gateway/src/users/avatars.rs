//! Pictures of persons over HTTP. They are in the log, sealed: what is erased is gone, whoever has a copy.

use crate::accounts::sessions::Client;
use crate::asking::{Asking, done};
use crate::body::{Id, Whole};
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::problem::{Problem, ProblemBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use spool_domain::accounts::{Account, Command};
use spool_domain::ids::AccountId;
use spool_projections::accounts::Status;

/// What a picture is sealed as.
pub const AVATAR: &[u8] = b"accounts/avatar";
/// The largest file that is taken; what phones make has 2 to 8 MB.
const SENT_MAX_BYTES: usize = 10 * 1024 * 1024;
const JPEG: HeaderValue = HeaderValue::from_static("image/jpeg");

/// A person's picture: a square JPEG of 256 by 256 pixels, for everybody.
#[utoipa::path(get, path = "/api/users/{id}/avatar", operation_id = "get_avatar", tag = "users", params(("id" = Uuid, Path)), security((), ("bearer" = [])), responses(
    (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg"),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn avatar(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    gateway.wait_for("accounts", asking.token()).await?;
    let read = move || gateway.picture(AccountId(id));
    let picture = tokio::task::spawn_blocking(read).await??;
    let picture = picture.ok_or_else(|| Problem::not_found("picture"))?;
    Ok(Encoded::new(picture.into(), JPEG, "", Caching::Revalidate).answer(&headers))
}

/// Sets a person's picture: a JPEG, PNG, WebP or GIF file of at most 10 MiB as the body.
///
/// The middle of it is shown, in 256 by 256 pixels; of one that moves, its beginning. Nothing else that is in the file is kept,
/// such as where it was taken.
#[utoipa::path(put, path = "/api/users/{id}/avatar", operation_id = "set_avatar", tag = "users", params(("id" = Uuid, Path)),
    request_body(description = "The file", content(
        (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"), (Vec<u8> = "image/gif"),
    )), responses(
    (status = 200, description = "The person, with the address of the picture", body = super::Person, headers(("ETag" = String))),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, description = "The file is too large", body = ProblemBody, content_type = "application/problem+json"),
    (status = 415, description = "Not a picture of these kinds", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "The picture is broken, or has too many pixels", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "Too many are made at the moment", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    client: Client,
    Whole(sent): Whole<SENT_MAX_BYTES>,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    asking.caller.self_or_admin(account)?;
    let expected = asking.expected_version()?;
    let ask = asking.ask(&gateway, &format!("set-avatar/{account}"), &sent);
    // Before a key is made for somebody who is not there.
    gateway.there(account).await?;
    let picture = gateway.pictures().square(sent).await?;
    let ask = gateway.ask_from(client, &asking, ask).await?;
    let version = gateway.avatar_version(account, &picture);
    let image = gateway.sealed_text(account, picture, AVATAR).await?;
    let change = |_: &Account| Command::ChangeAvatar {
        version: version.clone(),
        image: image.clone(),
    };
    let outcome = gateway.decide(account, expected, ask, change).await?;
    gateway.answer_person(account, &outcome).await
}

/// Removes a person's picture. Quiet when there is none.
#[utoipa::path(delete, path = "/api/users/{id}/avatar", operation_id = "remove_avatar", tag = "users", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "There is none any more"),
    (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is no such person", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn remove(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    client: Client,
) -> Result<Response, Problem> {
    let account = AccountId(id);
    asking.caller.self_or_admin(account)?;
    let expected = asking.expected_version()?;
    let ask = asking.ask(&gateway, &format!("remove-avatar/{account}"), &[]);
    let ask = gateway.ask_from(client, &asking, ask).await?;
    let outcome = gateway
        .decide(account, expected, ask, |_| Command::RemoveAvatar)
        .await?;
    Ok(done(&outcome))
}

impl Gateway {
    /// A name for this picture of this person that nobody without the keys can make from the picture.
    fn avatar_version(&self, account: AccountId, picture: &[u8]) -> String {
        let named = [account.0.as_bytes(), picture].concat();
        let mac = self.parts().keys.mac("avatars", &named);
        mac[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The picture that is shown of a person; nothing when there is none, or the person is deleted. Blocking.
    pub(super) fn picture(&self, account: AccountId) -> Result<Option<Vec<u8>>, Problem> {
        let accounts = self.parts().projections.accounts();
        let row = accounts.account(account)?;
        let is_shown = row.is_some_and(|row| row.avatar.is_some() && row.status != Status::Deleted);
        let avatar = is_shown.then(|| accounts.avatar(account)).transpose()?.flatten();
        let opened = avatar.map(|avatar| self.people().opened(account, &avatar.image, AVATAR));
        Ok(opened.transpose()?.flatten())
    }
}
