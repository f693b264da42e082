//! An account: a person registers, starts sessions, and may do what the role allows.

use crate::actors::Role;
use crate::decider::Decider;
use crate::ids::{ReservationId, SessionId};
use crate::sealed::Sealed;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A refresh whose answer was lost may be repeated for this long and gets the same answer.
pub const REFRESH_GRACE: Millis = Millis(30_000);
/// More than anybody needs; the oldest session gives way.
pub const SESSIONS_MAX: usize = 100;

/// What may be asked of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The account comes to be, once.
    Register(Registered),
    /// Makes sure that this account never comes to be, because its reservations timed out.
    VoidRegistration,
    /// A person has signed in. Quiet when this session is known; past [`SESSIONS_MAX`] the oldest gives way.
    StartSession {
        /// A new id.
        session: SessionId,
        /// When the session is over unless it is refreshed.
        expires_at: Timestamp,
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
    /// A person signs out. Quiet when there is no such session.
    EndSession {
        /// The session to end.
        session: SessionId,
    },
}

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
}

/// A person registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// E-mail address, names and username: JSON, sealed with the person's key.
    pub personal: Sealed,
    /// The argon2id hash in PHC format, sealed likewise.
    pub password_hash: Sealed,
    /// The place of the e-mail address.
    pub email: ReservationId,
    /// The place of the username.
    pub username: ReservationId,
    /// What the person may do.
    pub role: Role,
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
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It is not registered.
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
}

/// What is known of an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Account {
    /// Nothing yet.
    #[default]
    Unregistered,
    /// It will never come to be.
    Void,
    /// It is registered.
    Active(Box<Active>),
}

/// A registered account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// What the person registered with.
    pub registered: Registered,
    /// The sessions that have not been ended; some may be past their time.
    pub sessions: BTreeMap<SessionId, Session>,
}

/// A session that was not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The number of the refresh token that counts.
    pub counter: u32,
    /// When that token was given, if it is not the first.
    pub refreshed_at: Option<Timestamp>,
    /// When the session is over.
    pub expires_at: Timestamp,
}

impl Account {
    fn active(&self) -> Result<&Active, Refusal> {
        match self {
            Self::Active(active) => Ok(active),
            Self::Unregistered | Self::Void => Err(Refusal::NoSuchAccount),
        }
    }
}

impl Active {
    /// Whether the session may still be used at `now`.
    pub fn has_session(&self, session: SessionId, now: Timestamp) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|session| session.expires_at > now)
    }

    fn start_session(&self, session: SessionId, expires_at: Timestamp) -> Vec<Event> {
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
            events.push(Event::SessionEnded(SessionEnded {
                session,
                reason: SessionEnd::Displaced,
            }));
        }
        events.push(Event::SessionStarted(SessionStarted { session, expires_at }));
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
        Ok(vec![Event::SessionEnded(SessionEnded {
            session: id,
            reason: SessionEnd::RefreshTokenReused,
        })])
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
                Self::Active(_) => Err(Refusal::AlreadyRegistered),
            },
            Command::VoidRegistration => match self {
                Self::Unregistered => Ok(vec![Event::RegistrationVoided(RegistrationVoided {})]),
                Self::Void | Self::Active(_) => Ok(vec![]),
            },
            Command::StartSession { session, expires_at } => {
                Ok(self.active()?.start_session(*session, *expires_at))
            }
            Command::Refresh {
                session,
                counter,
                expires_at,
            } => self.active()?.refresh(*session, *counter, *expires_at, now),
            Command::EndSession { session } => {
                let known = self.active()?.sessions.contains_key(session);
                let ended = SessionEnded {
                    session: *session,
                    reason: SessionEnd::LoggedOut,
                };
                Ok(if known {
                    vec![Event::SessionEnded(ended)]
                } else {
                    vec![]
                })
            }
        }
    }

    fn evolve(mut self, event: &Event) -> Self {
        match (event, &mut self) {
            (Event::Registered(registered), _) => {
                return Self::Active(Box::new(Active {
                    registered: registered.clone(),
                    sessions: BTreeMap::new(),
                }));
            }
            (Event::RegistrationVoided(_), _) => return Self::Void,
            (Event::SessionStarted(started), Self::Active(active)) => {
                let session = Session {
                    counter: 0,
                    refreshed_at: None,
                    expires_at: started.expires_at,
                };
                active.sessions.insert(started.session, session);
            }
            (Event::SessionRefreshed(refreshed), Self::Active(active)) => {
                if let Some(session) = active.sessions.get_mut(&refreshed.session) {
                    session.counter = refreshed.counter;
                    session.refreshed_at = Some(refreshed.at);
                    session.expires_at = refreshed.expires_at;
                }
            }
            (Event::SessionEnded(ended), Self::Active(active)) => {
                active.sessions.remove(&ended.session);
            }
            (
                Event::SessionStarted(_) | Event::SessionRefreshed(_) | Event::SessionEnded(_),
                Self::Unregistered | Self::Void,
            ) => {}
        }
        self
    }
}
