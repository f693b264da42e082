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

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Register(Registered),
    /// Makes sure that this account never comes to be, because its reservations timed out.
    VoidRegistration,
    StartSession {
        session: SessionId,
        expires_at: Timestamp,
    },
    /// Exchanges the session's refresh token number `counter` for the next one.
    Refresh {
        session: SessionId,
        counter: u32,
        expires_at: Timestamp,
    },
    EndSession {
        session: SessionId,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Registered(Registered),
    RegistrationVoided(RegistrationVoided),
    SessionStarted(SessionStarted),
    SessionRefreshed(SessionRefreshed),
    SessionEnded(SessionEnded),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// E-mail address, names and username: JSON, sealed with the person's key.
    pub personal: Sealed,
    /// The argon2id hash in PHC format, sealed likewise.
    pub password_hash: Sealed,
    pub email: ReservationId,
    pub username: ReservationId,
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegistrationVoided {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStarted {
    pub session: SessionId,
    pub expires_at: Timestamp,
}

/// The refresh token number `counter` is the one that counts now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRefreshed {
    pub session: SessionId,
    pub counter: u32,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionEnded {
    pub session: SessionId,
    pub reason: SessionEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    LoggedOut,
    /// An old refresh token came back: somebody has a copy.
    RefreshTokenReused,
    /// The account has too many sessions and this was the oldest.
    Displaced,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such account")]
    NoSuchAccount,
    #[error("this account is already registered")]
    AlreadyRegistered,
    #[error("the registration took too long and was given up; please register again")]
    RegistrationVoid,
    #[error("the session has ended; please sign in again")]
    SessionOver,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Account {
    #[default]
    Unregistered,
    Void,
    Active(Box<Active>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Active {
    pub registered: Registered,
    pub sessions: BTreeMap<SessionId, Session>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub counter: u32,
    pub refreshed_at: Option<Timestamp>,
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
