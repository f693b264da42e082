//! What may be asked of an account.

use super::events::{Identity, Registered, Scope, SessionEnd};
use crate::actors::{Actor, Role};
use crate::ids::{AccountId, ApiKeyId, ReservationId, SessionId};
use crate::sealed::Sealed;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What may be asked of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The account comes to be, once.
    Register(Registered),
    /// Makes sure that this account never comes to be, because its reservations timed out.
    VoidRegistration,
    /// A person has signed in. Quiet when this session is known; past [`SESSIONS_MAX`](super::SESSIONS_MAX) the oldest
    /// gives way.
    StartSession {
        /// A new id.
        session: SessionId,
        /// When the session is over unless it is refreshed.
        expires_at: Timestamp,
        /// Address and program of the client: JSON, sealed with the person's key.
        client: Option<Sealed>,
    },
    /// Exchanges the session's refresh token number `counter` for the next one.
    Refresh {
        /// The session the token belongs to.
        session: SessionId,
        /// The number in the token.
        counter: u32,
        /// When the session is over unless it is refreshed again.
        expires_at: Timestamp,
    },
    /// A person signs out, or ends a session from another. Quiet when there is no such session.
    EndSession {
        /// The session to end.
        session: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// Ends all sessions but one.
    EndOtherSessions {
        /// The one that goes on.
        keep: SessionId,
    },
    /// The person knew the password. All sessions but `keep` end.
    ChangePassword {
        /// The sealed hash that the password was checked with.
        seen: Sealed,
        /// The new one.
        password_hash: Sealed,
        /// The session that goes on.
        keep: Option<SessionId>,
    },
    /// A one-time link is wanted. Quiet within [`MAIL_PAUSE`](super::MAIL_PAUSE) of the last.
    RequestPasswordReset {
        /// When the link is worth nothing any more.
        expires_at: Timestamp,
    },
    /// Somebody came by the one-time link, and so reads what is sent to the e-mail address. All sessions end.
    ResetPassword {
        /// The number in the link.
        number: u32,
        /// The new password's hash.
        password_hash: Sealed,
    },
    /// A link to confirm the e-mail address is wanted. Quiet when it is confirmed, and within
    /// [`MAIL_PAUSE`](super::MAIL_PAUSE) of the last.
    RequestEmailConfirmation,
    /// Somebody came by that link. Quiet when it is confirmed already.
    ConfirmEmail {
        /// The place of the address that the link was sent to.
        email: ReservationId,
    },
    /// The person is to be called otherwise. New places must be reserved. Quiet when nothing would change.
    ChangeProfile {
        /// E-mail address, names and username, sealed.
        personal: Sealed,
        /// The place of the e-mail address.
        email: ReservationId,
        /// The place of the username.
        username: ReservationId,
        /// [`Active::given_up`](super::Active::given_up) as it was before the places were reserved.
        given_up: u32,
    },
    /// Makes sure that the account does not take a place that it does not hold yet. Quiet when it holds it.
    GiveUpName {
        /// The place.
        place: ReservationId,
    },
    /// Another provider's identity is to be a way in; its place must be reserved. Quiet when it is so already.
    LinkIdentity {
        /// The identity.
        identity: Identity,
        /// [`Active::given_up`](super::Active::given_up) as it was before the place was reserved.
        given_up: u32,
    },
    /// It is not to be a way in any more. Quiet when it is none.
    UnlinkIdentity {
        /// The place of the identity.
        place: ReservationId,
    },
    /// The person wants things otherwise. Quiet when nothing would change.
    ChangePreferences {
        /// JSON, sealed with the person's key.
        preferences: Sealed,
    },
    /// The person wants to be shown by this picture. Quiet when it is that one.
    ChangeAvatar {
        /// Another one for each picture.
        version: String,
        /// A square JPEG, sealed with the person's key.
        image: Sealed,
    },
    /// The person wants no picture any more. Quiet when there is none.
    RemoveAvatar,
    /// A key for programs is wanted. Quiet when this one is there.
    CreateApiKey {
        /// A new id.
        key: ApiKeyId,
        /// What its owner calls it, sealed.
        name: Sealed,
        /// SHA-256 of its secret.
        hash: String,
        /// What it may be used for.
        scopes: Vec<Scope>,
        /// When it is worth nothing any more, if ever.
        expires_at: Option<Timestamp>,
    },
    /// A key for programs is to be worth nothing. Quiet when there is none such.
    RevokeApiKey {
        /// The key.
        key: ApiKeyId,
    },
    /// The person is to have another role. Quiet when it is that one.
    ChangeRole {
        /// Whose account this is: the stream's own id.
        account: AccountId,
        /// The role.
        role: Role,
        /// Who asks: an administrator or the system.
        by: Actor,
    },
    /// The account is to be locked: no way in, and all sessions end. Quiet when it is.
    Disable {
        /// Whose account this is: the stream's own id.
        account: AccountId,
        /// Who asks: an administrator or the system.
        by: Actor,
    },
    /// The account is to be unlocked. Quiet when it is not locked.
    Enable {
        /// Whose account this is: the stream's own id.
        account: AccountId,
        /// Who asks: an administrator or the system.
        by: Actor,
    },
    /// The account is to be gone. Nobody can use it any more, and from `erase_at` on nobody can read anything about the
    /// person; until then an administrator can bring it back. Asked again, an earlier `erase_at` counts.
    Delete {
        /// Whose account this is: the stream's own id.
        account: AccountId,
        /// Who asks: the owner, an administrator or the system.
        by: Actor,
        /// When it is erased; not in the future means at once.
        erase_at: Timestamp,
    },
    /// A deleted account that is not erased is to be back.
    Restore {
        /// Whose account this is: the stream's own id.
        account: AccountId,
        /// Who asks: an administrator or the system.
        by: Actor,
    },
    /// The timer: the time to bring the account back is over.
    Erase,
}
