//! What can have happened to an account.

use crate::actors::{Actor, Role};
use crate::ids::{ApiKeyId, ReservationId, SessionId};
use crate::sealed::Sealed;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can have happened to an account.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It came to be.
    Registered(Registered),
    /// It never will come to be.
    RegistrationVoided(RegistrationVoided),
    /// A person signed in.
    SessionStarted(SessionStarted),
    /// A session got its next refresh token.
    SessionRefreshed(SessionRefreshed),
    /// A session is over.
    SessionEnded(SessionEnded),
    /// The password is another one.
    PasswordChanged(PasswordChanged),
    /// A one-time link for a new password was asked for.
    PasswordResetRequested(PasswordResetRequested),
    /// A link to confirm the e-mail address was asked for.
    EmailConfirmationRequested(EmailConfirmationRequested),
    /// Somebody reads what is sent to the e-mail address.
    EmailConfirmed(EmailConfirmed),
    /// The person is called otherwise.
    ProfileChanged(ProfileChanged),
    /// A place was given up before the account took it.
    NameGivenUp(NameGivenUp),
    /// The person wants things otherwise.
    PreferencesChanged(PreferencesChanged),
    /// The person has another picture.
    AvatarChanged(AvatarChanged),
    /// The person has no picture any more.
    AvatarRemoved(AvatarRemoved),
    /// The person may do something else.
    RoleChanged(RoleChanged),
    /// An administrator locked the account.
    Disabled(Disabled),
    /// An administrator unlocked the account.
    Enabled(Enabled),
    /// The account is gone, and will be erased.
    Deleted(Deleted),
    /// The account is back before it was erased.
    Restored(Restored),
    /// Nothing about the person can be read any more.
    Erased(Erased),
    /// A key for programs was made.
    ApiKeyCreated(ApiKeyCreated),
    /// A key for programs is worth nothing any more.
    ApiKeyRevoked(ApiKeyRevoked),
    /// The person may sign in by another provider.
    IdentityLinked(IdentityLinked),
    /// The person may not any more.
    IdentityUnlinked(IdentityUnlinked),
}

/// A person registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// E-mail address, names and username: JSON, sealed with the person's key.
    pub personal: Sealed,
    /// The argon2id hash in PHC format, sealed likewise. Of whoever signs in by another provider, the empty text, sealed.
    pub password_hash: Sealed,
    /// The place of the e-mail address.
    pub email: ReservationId,
    /// The place of the username.
    pub username: ReservationId,
    /// What the person may do.
    pub role: Role,
    /// An identity at another provider that the person signs in by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The place of the secret that the first administrator registered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<ReservationId>,
    /// Whether a provider vouches for the e-mail address.
    #[serde(default, skip_serializing_if = "is_false")]
    pub email_confirmed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Who somebody is at another provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// The place of issuer and subject.
    pub place: ReservationId,
    /// The provider's name in the configuration.
    pub provider: String,
    /// What to show of it: JSON, sealed with the person's key.
    pub shown: Sealed,
}

/// The registration took too long; this account will never come to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegistrationVoided {}

/// A person signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStarted {
    /// The new session.
    pub session: SessionId,
    /// When it is over unless it is refreshed.
    pub expires_at: Timestamp,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Address and program of the client: JSON, sealed with the person's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Sealed>,
}

/// The refresh token number `counter` is the one that counts now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRefreshed {
    /// The session.
    pub session: SessionId,
    /// The number of its new token; the first one, of the sign-in, is 0.
    pub counter: u32,
    /// When; a repeat within 30 seconds from then on gets the same answer.
    pub at: Timestamp,
    /// When the session is over unless it is refreshed again.
    pub expires_at: Timestamp,
}

/// A session is over; its tokens are worth nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionEnded {
    /// The session.
    pub session: SessionId,
    /// Why.
    pub reason: SessionEnd,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The person signed out.
    LoggedOut,
    /// An old refresh token came back: somebody has a copy.
    RefreshTokenReused,
    /// The account has too many sessions and this was the oldest.
    Displaced,
    /// The person ended it from another session.
    Revoked,
    /// The password is another one now.
    PasswordChanged,
    /// The account was locked.
    Disabled,
    /// The account was deleted.
    Deleted,
}

/// The password is another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordChanged {
    /// The argon2id hash in PHC format, sealed with the person's key.
    pub password_hash: Sealed,
    /// How.
    pub how: PasswordChange,
}

/// How a password was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordChange {
    /// By the person, who knew the one before.
    ByOwner,
    /// By a one-time link.
    ByLink,
}

/// A one-time link for a new password is wanted. It is sent by mail and not kept: it is made again from `number`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordResetRequested {
    /// The number in the link, from 1; only the last one counts.
    pub number: u32,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it is worth nothing any more.
    pub expires_at: Timestamp,
}

/// A link to confirm the e-mail address is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EmailConfirmationRequested {
    /// The place of the address it is sent to.
    pub email: ReservationId,
    /// When it was asked for.
    pub at: Timestamp,
}

/// The link sent to the e-mail address came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EmailConfirmed {
    /// The place of the address.
    pub email: ReservationId,
}

/// The person is called otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileChanged {
    /// E-mail address, names and username: JSON, sealed with the person's key.
    pub personal: Sealed,
    /// The place of the e-mail address.
    pub email: ReservationId,
    /// The place of the username.
    pub username: ReservationId,
    /// Places that the account has no use for any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<ReservationId>,
}

/// A place was reserved for the account and given up again: whoever still wants to take it has to reserve it anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NameGivenUp {
    /// The place.
    pub place: ReservationId,
}

/// The person wants things otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PreferencesChanged {
    /// JSON, sealed with the person's key.
    pub preferences: Sealed,
}

/// The person has another picture. It is as small as it is shown, so it is here and not beside the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AvatarChanged {
    /// Another one for each picture of a person; says nothing to whoever has not the keys.
    pub version: String,
    /// A square JPEG, sealed with the person's key.
    pub image: Sealed,
}

/// The person has no picture any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AvatarRemoved {}

/// The person may do something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoleChanged {
    /// What the person may do now.
    pub role: Role,
    /// Who says so.
    pub by: Actor,
}

/// The account was locked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disabled {
    /// By whom.
    pub by: Actor,
}

/// The account was unlocked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Enabled {
    /// By whom.
    pub by: Actor,
}

/// The account is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// By whom.
    pub by: Actor,
    /// When nobody can bring it back any more.
    pub erase_at: Timestamp,
}

/// The account is back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Restored {
    /// By whom.
    pub by: Actor,
}

/// The person's key is to be destroyed: nothing sealed with it can be read again, wherever a copy of it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Erased {
    /// The places of the person's names and identities, which are free now.
    pub places: Vec<ReservationId>,
}

/// A key for programs was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeyCreated {
    /// The key.
    pub key: ApiKeyId,
    /// What its owner calls it, sealed with the person's key.
    pub name: Sealed,
    /// SHA-256 of its secret, URL-safe Base64.
    pub hash: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub at: Timestamp,
    /// When it is worth nothing any more, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A key for programs is worth nothing any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeyRevoked {
    /// The key.
    pub key: ApiKeyId,
}

/// What an API key may be used for, within what its owner's role allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// Looking at videos, jobs and media.
    #[serde(rename = "videos:read")]
    VideosRead,
    /// Uploading, changing and deleting videos, and what is made of them.
    #[serde(rename = "videos:write")]
    VideosWrite,
    /// Looking at the account.
    #[serde(rename = "account:read")]
    AccountRead,
    /// Changing the profile and the preferences; never passwords, sessions or keys.
    #[serde(rename = "account:write")]
    AccountWrite,
    /// What only administrators may.
    #[serde(rename = "admin")]
    Admin,
}

/// The person may sign in by another provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityLinked {
    /// Who the person is there.
    pub identity: Identity,
    /// When.
    pub at: Timestamp,
}

/// The person may not sign in by it any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityUnlinked {
    /// The place of issuer and subject.
    pub place: ReservationId,
}
