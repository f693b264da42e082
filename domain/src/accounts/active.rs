//! A registered account, and what it answers.

use super::commands::Command;
use super::events::{
    ApiKeyCreated, ApiKeyRevoked, AvatarChanged, AvatarRemoved, Disabled, EmailConfirmationRequested,
    EmailConfirmed, Enabled, Event, Identity, IdentityLinked, IdentityUnlinked, PasswordChange,
    PasswordChanged, PasswordResetRequested, PreferencesChanged, ProfileChanged, Registered, RoleChanged,
    Scope, SessionEnd, SessionEnded, SessionRefreshed, SessionStarted,
};
use super::{API_KEYS_MAX, IDENTITIES_MAX, MAIL_PAUSE, REFRESH_GRACE, Refusal, SESSIONS_MAX};
use crate::actors::{Actor, Role};
use crate::ids::{AccountId, ApiKeyId, ReservationId, SessionId};
use crate::sealed::Sealed;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A registered account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// E-mail address, names and username: JSON, sealed with the person's key.
    pub personal: Sealed,
    /// The argon2id hash, sealed; of the empty text when there is no password.
    pub password_hash: Sealed,
    /// Whether the person can sign in by a password.
    pub has_password: bool,
    /// The place of the e-mail address.
    pub email: ReservationId,
    /// The place of the username.
    pub username: ReservationId,
    /// Whether somebody reads what is sent to the e-mail address.
    pub email_confirmed: bool,
    /// What the person may do.
    pub role: Role,
    /// Whether the account may be used.
    pub standing: Standing,
    /// What the person wants: JSON, sealed; nothing when it is as at first.
    pub preferences: Option<Sealed>,
    /// Which picture of the person is shown, if any.
    pub avatar: Option<String>,
    /// The sessions that have not been ended; some may be past their time.
    pub sessions: BTreeMap<SessionId, Session>,
    /// The keys for programs that have not been revoked; some may be past their time.
    pub api_keys: BTreeMap<ApiKeyId, ApiKey>,
    /// Who the person is at other providers, by place.
    pub identities: BTreeMap<ReservationId, Identity>,
    /// The last link for a new password, unless it was used.
    pub reset: Option<Reset>,
    /// How many links for a new password there have been.
    pub resets: u32,
    /// When a link to confirm the e-mail address was last asked for.
    pub confirmation_at: Option<Timestamp>,
    /// How often a place was given up before the account took it.
    pub given_up: u32,
    /// The place of the secret that the first administrator registered with.
    pub bootstrap: Option<ReservationId>,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It may.
    Good,
    /// An administrator locked it.
    Disabled,
    /// It is gone.
    Deleted {
        /// When nobody can bring it back any more.
        erase_at: Timestamp,
        /// Whether it was locked before, and will be when it is brought back.
        was_disabled: bool,
    },
}

/// A session that was not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The number of the refresh token that counts.
    pub counter: u32,
    /// When it began, if that is known.
    pub started_at: Option<Timestamp>,
    /// When that token was given, if it is not the first.
    pub refreshed_at: Option<Timestamp>,
    /// When the session is over.
    pub expires_at: Timestamp,
    /// Address and program of the client, sealed.
    pub client: Option<Sealed>,
}

/// A key for programs that was not revoked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What its owner calls it, sealed.
    pub name: Sealed,
    /// SHA-256 of its secret.
    pub hash: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is worth nothing any more, if ever.
    pub expires_at: Option<Timestamp>,
}

/// A link for a new password that was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// The number in it.
    pub number: u32,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it is worth nothing any more.
    pub expires_at: Timestamp,
}

impl Active {
    pub(super) fn new(registered: &Registered) -> Self {
        let identity = registered.identity.iter();
        Self {
            personal: registered.personal.clone(),
            password_hash: registered.password_hash.clone(),
            has_password: registered.identity.is_none(),
            email: registered.email,
            username: registered.username,
            email_confirmed: registered.email_confirmed,
            role: registered.role,
            standing: Standing::Good,
            preferences: None,
            avatar: None,
            sessions: BTreeMap::new(),
            api_keys: BTreeMap::new(),
            identities: identity
                .map(|identity| (identity.place, identity.clone()))
                .collect(),
            reset: None,
            resets: 0,
            confirmation_at: None,
            given_up: 0,
            bootstrap: registered.bootstrap,
        }
    }

    /// Whether it was deleted and can still be brought back.
    pub const fn is_deleted(&self) -> bool {
        matches!(self.standing, Standing::Deleted { .. })
    }

    /// Whether a name, an identity or the bootstrap secret at this place is the account's own.
    pub fn holds(&self, place: ReservationId) -> bool {
        self.places().chain(self.bootstrap).any(|own| own == place)
    }

    /// What others may have once the account has no use for it.
    pub(super) fn places(&self) -> impl Iterator<Item = ReservationId> {
        let names = [self.email, self.username].into_iter();
        names.chain(self.identities.keys().copied())
    }

    /// Whether the session may still be used at `now`.
    pub fn has_session(&self, session: SessionId, now: Timestamp) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|session| session.expires_at > now)
    }

    pub(super) fn sign_in(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::StartSession {
                session,
                expires_at,
                client,
            } => Ok(self.start_session(*session, *expires_at, client.clone(), now)),
            Command::Refresh {
                session,
                counter,
                expires_at,
            } => self.refresh(*session, *counter, *expires_at, now),
            _ => Ok(vec![]),
        }
    }

    fn start_session(
        &self,
        session: SessionId,
        expires_at: Timestamp,
        client: Option<Sealed>,
        now: Timestamp,
    ) -> Vec<Event> {
        if self.sessions.contains_key(&session) {
            return vec![];
        }
        let displaced = self
            .sessions
            .iter()
            .min_by_key(|(_, session)| session.expires_at)
            .map(|(id, _)| *id);
        let mut events = vec![];
        if let (true, Some(session)) = (self.sessions.len() >= SESSIONS_MAX, displaced) {
            events.push(ended(session, SessionEnd::Displaced));
        }
        events.push(Event::SessionStarted(SessionStarted {
            session,
            expires_at,
            at: Some(now),
            client,
        }));
        events
    }

    fn refresh(
        &self,
        id: SessionId,
        counter: u32,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let session = self
            .sessions
            .get(&id)
            .filter(|session| session.expires_at > now)
            .ok_or(Refusal::SessionOver)?;
        let just_refreshed = session.refreshed_at.is_some_and(|at| now - at <= REFRESH_GRACE);
        if counter == session.counter {
            let counter = counter.checked_add(1).ok_or(Refusal::SessionOver)?;
            return Ok(vec![Event::SessionRefreshed(SessionRefreshed {
                session: id,
                counter,
                at: now,
                expires_at,
            })]);
        }
        let one_before = counter.checked_add(1) == Some(session.counter);
        if one_before && just_refreshed {
            return Ok(vec![]);
        }
        Ok(vec![ended(id, SessionEnd::RefreshTokenReused)])
    }

    pub(super) fn end_session(&self, session: SessionId, reason: SessionEnd) -> Vec<Event> {
        let known = self.sessions.contains_key(&session);
        known.then(|| ended(session, reason)).into_iter().collect()
    }

    /// The ends of all sessions but one.
    pub(super) fn end_sessions(&self, reason: SessionEnd, keep: Option<SessionId>) -> Vec<Event> {
        let others = self.sessions.keys().filter(|session| Some(**session) != keep);
        others.map(|session| ended(*session, reason)).collect()
    }

    /// What is about passwords and the e-mail address.
    pub(super) fn secure(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::ChangePassword {
                seen,
                password_hash,
                keep,
            } => {
                if *seen != self.password_hash {
                    return Err(Refusal::PasswordChangedMeanwhile);
                }
                Ok(self.with_password(password_hash, PasswordChange::ByOwner, *keep))
            }
            Command::RequestPasswordReset { expires_at } => {
                let just_asked = self.reset.is_some_and(|reset| now - reset.at < MAIL_PAUSE);
                if just_asked {
                    return Ok(vec![]);
                }
                let number = self.resets.checked_add(1).ok_or(Refusal::LinkOver)?;
                Ok(vec![Event::PasswordResetRequested(PasswordResetRequested {
                    number,
                    at: now,
                    expires_at: *expires_at,
                })])
            }
            Command::ResetPassword {
                number,
                password_hash,
            } => {
                let good = |reset: &Reset| reset.number == *number && reset.expires_at > now;
                if !self.reset.as_ref().is_some_and(good) {
                    return Err(Refusal::LinkOver);
                }
                let mut events = self.with_password(password_hash, PasswordChange::ByLink, None);
                if !self.email_confirmed {
                    // The link was sent to no other address, and another address makes it void.
                    events.push(Event::EmailConfirmed(EmailConfirmed { email: self.email }));
                }
                Ok(events)
            }
            Command::RequestEmailConfirmation => {
                let just_asked = self.confirmation_at.is_some_and(|at| now - at < MAIL_PAUSE);
                if self.email_confirmed || just_asked {
                    return Ok(vec![]);
                }
                let email = self.email;
                let asked = EmailConfirmationRequested { email, at: now };
                Ok(vec![Event::EmailConfirmationRequested(asked)])
            }
            Command::ConfirmEmail { email } => match *email == self.email {
                true if self.email_confirmed => Ok(vec![]),
                true => Ok(vec![Event::EmailConfirmed(EmailConfirmed { email: *email })]),
                false => Err(Refusal::OtherAddress),
            },
            _ => Ok(vec![]),
        }
    }

    fn with_password(&self, hash: &Sealed, how: PasswordChange, keep: Option<SessionId>) -> Vec<Event> {
        let mut events = vec![Event::PasswordChanged(PasswordChanged {
            password_hash: hash.clone(),
            how,
        })];
        events.extend(self.end_sessions(SessionEnd::PasswordChanged, keep));
        events
    }

    /// What persons arrange for themselves.
    pub(super) fn arrange(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::ChangeProfile {
                personal,
                email,
                username,
                given_up,
            } => self.change_profile(personal, [*email, *username], *given_up),
            Command::LinkIdentity { identity, given_up } => self.link(identity, *given_up, now),
            Command::UnlinkIdentity { place } => {
                if !self.identities.contains_key(place) {
                    return Ok(vec![]);
                }
                if !self.has_password && self.identities.len() == 1 {
                    return Err(Refusal::LastWayIn);
                }
                let unlinked = IdentityUnlinked { place: *place };
                Ok(vec![Event::IdentityUnlinked(unlinked)])
            }
            Command::ChangePreferences { preferences } => {
                let same = self.preferences.as_ref() == Some(preferences);
                let changed = PreferencesChanged {
                    preferences: preferences.clone(),
                };
                let events = (!same).then_some(Event::PreferencesChanged(changed));
                Ok(events.into_iter().collect())
            }
            Command::ChangeAvatar { version, image } => {
                let same = self.avatar.as_ref() == Some(version);
                let changed = AvatarChanged {
                    version: version.clone(),
                    image: image.clone(),
                };
                let events = (!same).then_some(Event::AvatarChanged(changed));
                Ok(events.into_iter().collect())
            }
            Command::RemoveAvatar => {
                let removed = Event::AvatarRemoved(AvatarRemoved {});
                let events = self.avatar.is_some().then_some(removed);
                Ok(events.into_iter().collect())
            }
            Command::CreateApiKey {
                key,
                name,
                hash,
                scopes,
                expires_at,
            } => {
                if self.api_keys.contains_key(key) {
                    return Ok(vec![]);
                }
                let in_use = self.api_keys.values().filter(|key| key.is_good(now));
                if in_use.count() >= API_KEYS_MAX {
                    return Err(Refusal::TooManyApiKeys);
                }
                Ok(vec![Event::ApiKeyCreated(ApiKeyCreated {
                    key: *key,
                    name: name.clone(),
                    hash: hash.clone(),
                    scopes: scopes.clone(),
                    at: now,
                    expires_at: *expires_at,
                })])
            }
            Command::RevokeApiKey { key } => {
                let known = self.api_keys.contains_key(key);
                let revoked = Event::ApiKeyRevoked(ApiKeyRevoked { key: *key });
                Ok(known.then_some(revoked).into_iter().collect())
            }
            _ => Ok(vec![]),
        }
    }

    fn change_profile(
        &self,
        personal: &Sealed,
        places: [ReservationId; 2],
        given_up: u32,
    ) -> Result<Vec<Event>, Refusal> {
        let before = [self.email, self.username];
        if places == before && *personal == self.personal {
            return Ok(vec![]);
        }
        if places != before && given_up != self.given_up {
            return Err(Refusal::NameGivenUp);
        }
        let gone = before.into_iter().filter(|place| !places.contains(place));
        Ok(vec![Event::ProfileChanged(ProfileChanged {
            personal: personal.clone(),
            email: places[0],
            username: places[1],
            given_up: gone.collect(),
        })])
    }

    fn link(&self, identity: &Identity, given_up: u32, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        if self.identities.contains_key(&identity.place) {
            return Ok(vec![]);
        }
        if given_up != self.given_up {
            return Err(Refusal::NameGivenUp);
        }
        if self.identities.len() >= IDENTITIES_MAX {
            return Err(Refusal::TooManyIdentities);
        }
        let identity = identity.clone();
        Ok(vec![Event::IdentityLinked(IdentityLinked { identity, at: now })])
    }

    /// What administrators decide.
    pub(super) fn govern(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::ChangeRole { account, role, by } => {
                check_governs(by, *account)?;
                let changed = RoleChanged { role: *role, by: *by };
                let events = (*role != self.role).then_some(Event::RoleChanged(changed));
                Ok(events.into_iter().collect())
            }
            Command::Disable { account, by } => {
                check_governs(by, *account)?;
                if self.standing == Standing::Disabled {
                    return Ok(vec![]);
                }
                let mut events = vec![Event::Disabled(Disabled { by: *by })];
                events.extend(self.end_sessions(SessionEnd::Disabled, None));
                Ok(events)
            }
            Command::Enable { account, by } => {
                check_governs(by, *account)?;
                let is_locked = self.standing == Standing::Disabled;
                let enabled = Event::Enabled(Enabled { by: *by });
                Ok(is_locked.then_some(enabled).into_iter().collect())
            }
            _ => Ok(vec![]),
        }
    }
}

fn ended(session: SessionId, reason: SessionEnd) -> Event {
    Event::SessionEnded(SessionEnded { session, reason })
}

/// Administrators decide about others only, so that one of them is always left.
pub(super) fn check_governs(by: &Actor, account: AccountId) -> Result<(), Refusal> {
    if !by.is_admin() {
        return Err(Refusal::NotAllowed);
    }
    if by.account() == Some(account) {
        return Err(Refusal::OwnAdministrator);
    }
    Ok(())
}
