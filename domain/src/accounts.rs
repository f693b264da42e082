//! An account: a person registers, starts sessions, and may do what the role allows, until the account is gone.

mod active;
mod commands;
mod events;
mod evolving;
mod leaving;

pub use active::{Active, ApiKey, Reset, Session, Standing};
pub use commands::Command;
pub use events::{
    ApiKeyCreated, ApiKeyRevoked, AvatarChanged, AvatarRemoved, Deleted, Disabled,
    EmailConfirmationRequested, EmailConfirmed, Enabled, Erased, Event, Identity, IdentityLinked,
    IdentityUnlinked, NameGivenUp, PasswordChange, PasswordChanged, PasswordResetRequested,
    PreferencesChanged, ProfileChanged, Registered, RegistrationVoided, Restored, RoleChanged, Scope,
    SessionEnd, SessionEnded, SessionRefreshed, SessionStarted,
};

use crate::actors::Role;
use crate::decider::Decider;
use crate::ids::{ApiKeyId, SessionId};
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// A refresh whose answer was lost may be repeated for this long and gets the same answer.
pub const REFRESH_GRACE: Millis = Millis(30_000);
/// More than anybody needs; the oldest session gives way.
pub const SESSIONS_MAX: usize = 100;
/// More than anybody needs.
pub const API_KEYS_MAX: usize = 50;
/// More than anybody needs.
pub const IDENTITIES_MAX: usize = 20;
/// Mail of one kind is not sent to an account more often than this.
pub const MAIL_PAUSE: Millis = Millis(60_000);

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It is not registered, or gone.
    #[error("there is no such account")]
    NoSuchAccount,
    /// It was registered before.
    #[error("this account is already registered")]
    AlreadyRegistered,
    /// Its registration was given up for good.
    #[error("the registration took too long and was given up; please register again")]
    RegistrationVoid,
    /// The session is not known, or its time is over.
    #[error("the session has ended; please sign in again")]
    SessionOver,
    /// An administrator locked it.
    #[error("this account is locked; ask an administrator")]
    Disabled,
    /// The password is another one than the one that was checked.
    #[error("the password was changed in the meantime; please try again")]
    PasswordChangedMeanwhile,
    /// The link was used before, a newer one was sent, or its time is over.
    #[error("this link is not good any more; ask for another one")]
    LinkOver,
    /// The link was sent to another address than the account has.
    #[error("this link belongs to an e-mail address that the account does not have any more")]
    OtherAddress,
    /// A place was given up before the account took it.
    #[error("the change took too long and was given up; please try again")]
    NameGivenUp,
    /// Not the role for it.
    #[error("only an administrator may do this")]
    NotAllowed,
    /// An administrator must not leave without another one.
    #[error("administrators cannot do this to their own account; ask another administrator")]
    OwnAdministrator,
    /// It is not deleted, or erased already.
    #[error("this account is not deleted, or cannot be brought back any more")]
    NotRestorable,
    /// [`API_KEYS_MAX`].
    #[error("this account has 50 API keys already; revoke one that is not used")]
    TooManyApiKeys,
    /// [`IDENTITIES_MAX`].
    #[error("this account is linked to 20 identities already; unlink one that is not used")]
    TooManyIdentities,
    /// Without a password, the last identity is the only way in.
    #[error("there would be no way left to sign in; set a password first")]
    LastWayIn,
}

/// What is known of an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Account {
    /// Nothing yet.
    #[default]
    Unregistered,
    /// It will never come to be.
    Void,
    /// It is registered; see [`Active::standing`].
    Active(Box<Active>),
    /// It was deleted, and nothing about the person is left.
    Erased,
}

impl Account {
    /// The account unless it is deleted.
    fn there(&self) -> Result<&Active, Refusal> {
        match self {
            Self::Active(active) if !active.is_deleted() => Ok(active),
            Self::Active(_) | Self::Unregistered | Self::Void | Self::Erased => Err(Refusal::NoSuchAccount),
        }
    }

    /// The account unless it is deleted or locked.
    fn usable(&self) -> Result<&Active, Refusal> {
        let active = self.there()?;
        match active.standing {
            Standing::Disabled => Err(Refusal::Disabled),
            Standing::Good | Standing::Deleted { .. } => Ok(active),
        }
    }

    /// The role of whoever holds a token of `session` at `now`; nothing when the token is worth nothing.
    pub fn admits(&self, session: SessionId, now: Timestamp) -> Option<Role> {
        let active = self.usable().ok()?;
        active.has_session(session, now).then_some(active.role)
    }
}

impl Account {
    /// The role of the account and this key of it, if both are good at `now`.
    pub fn usable_key(&self, key: ApiKeyId, now: Timestamp) -> Option<(Role, &ApiKey)> {
        let active = self.usable().ok()?;
        let found = active.api_keys.get(&key).filter(|found| found.is_good(now))?;
        Some((active.role, found))
    }
}

impl ApiKey {
    /// Whether it may be used at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}

impl Decider for Account {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Register(registered) => match self {
                Self::Unregistered => Ok(vec![Event::Registered(registered.clone())]),
                Self::Void => Err(Refusal::RegistrationVoid),
                Self::Active(_) | Self::Erased => Err(Refusal::AlreadyRegistered),
            },
            Command::VoidRegistration => match self {
                Self::Unregistered => Ok(vec![Event::RegistrationVoided(RegistrationVoided {})]),
                Self::Void | Self::Active(_) | Self::Erased => Ok(vec![]),
            },
            Command::StartSession { .. } | Command::Refresh { .. } => self.usable()?.sign_in(command, now),
            Command::EndSession { session, reason } => Ok(self.there()?.end_session(*session, *reason)),
            Command::EndOtherSessions { keep } => {
                Ok(self.there()?.end_sessions(SessionEnd::Revoked, Some(*keep)))
            }
            Command::ChangePassword { .. }
            | Command::RequestPasswordReset { .. }
            | Command::ResetPassword { .. }
            | Command::RequestEmailConfirmation
            | Command::ConfirmEmail { .. } => self.usable()?.secure(command, now),
            Command::ChangeProfile { .. }
            | Command::LinkIdentity { .. }
            | Command::UnlinkIdentity { .. }
            | Command::ChangePreferences { .. }
            | Command::ChangeAvatar { .. }
            | Command::RemoveAvatar
            | Command::CreateApiKey { .. }
            | Command::RevokeApiKey { .. } => self.usable()?.arrange(command, now),
            Command::GiveUpName { place } => match self {
                Self::Active(active) if !active.holds(*place) => {
                    Ok(vec![Event::NameGivenUp(NameGivenUp { place: *place })])
                }
                Self::Active(_) | Self::Unregistered | Self::Void | Self::Erased => Ok(vec![]),
            },
            Command::ChangeRole { .. } | Command::Disable { .. } | Command::Enable { .. } => {
                self.there()?.govern(command)
            }
            Command::Delete {
                account,
                by,
                erase_at,
            } => match self {
                Self::Active(active) => active.delete(*account, by, *erase_at, now),
                Self::Unregistered | Self::Void | Self::Erased => Err(Refusal::NoSuchAccount),
            },
            Command::Restore { account, by } => match self {
                Self::Active(active) => active.restore(*account, by, now),
                Self::Unregistered | Self::Void | Self::Erased => Err(Refusal::NoSuchAccount),
            },
            Command::Erase => match self {
                Self::Active(active) => Ok(active.erase(now)),
                Self::Unregistered | Self::Void | Self::Erased => Ok(vec![]),
            },
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match (event, self) {
            (Event::Registered(registered), _) => Self::Active(Box::new(Active::new(registered))),
            (Event::RegistrationVoided(_), _) => Self::Void,
            (Event::Erased(_), _) => Self::Erased,
            (_, Self::Active(mut active)) => {
                active.evolve(event);
                Self::Active(active)
            }
            (_, unchanged @ (Self::Unregistered | Self::Void | Self::Erased)) => unchanged,
        }
    }

    fn due(&self) -> Option<(Timestamp, Command)> {
        match self {
            Self::Active(active) => match active.standing {
                Standing::Deleted { erase_at, .. } => Some((erase_at, Command::Erase)),
                Standing::Good | Standing::Disabled => None,
            },
            Self::Unregistered | Self::Void | Self::Erased => None,
        }
    }
}
