//! A reservation: one e-mail address or username belongs to one account, also when two ask at once.

use crate::decider::Decider;
use crate::ids::AccountId;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a registration may take from its first reservation to the account's own event.
pub const PENDING_FOR: Millis = Millis(60_000);

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Reserve {
        account: AccountId,
    },
    Confirm {
        account: AccountId,
    },
    /// Only given once the account's stream says that its registration is void, or by the registration
    /// that holds the place and gives up.
    Release {
        account: AccountId,
    },
    /// The timer: a pending place has waited long enough.
    Lapse,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Reserved(Reserved),
    Confirmed(Confirmed),
    Lapsed(Lapsed),
    Released(Released),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reserved {
    pub account: AccountId,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    pub account: AccountId,
}

/// Nobody confirmed in time. The place stays taken until the account's stream has said whether the
/// registration happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lapsed {
    pub account: AccountId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    pub account: AccountId,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is already taken")]
    Taken,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Reservation {
    #[default]
    Free,
    Pending {
        account: AccountId,
        until: Timestamp,
    },
    Lapsed {
        account: AccountId,
    },
    Confirmed {
        account: AccountId,
    },
}

impl Reservation {
    /// The account that holds the place, confirmed or not.
    pub const fn holder(&self) -> Option<AccountId> {
        match self {
            Self::Free => None,
            Self::Pending { account, .. } | Self::Lapsed { account } | Self::Confirmed { account } => {
                Some(*account)
            }
        }
    }
}

impl Decider for Reservation {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let held_by = |account: &AccountId| self.holder() == Some(*account);
        match command {
            Command::Reserve { account } => match self {
                Self::Free => Ok(vec![Event::Reserved(Reserved {
                    account: *account,
                    until: now + PENDING_FOR,
                })]),
                _ if held_by(account) => Ok(vec![]),
                Self::Pending { .. } | Self::Lapsed { .. } | Self::Confirmed { .. } => Err(Refusal::Taken),
            },
            Command::Confirm { account } => match self {
                Self::Confirmed { .. } if held_by(account) => Ok(vec![]),
                Self::Pending { .. } | Self::Lapsed { .. } if held_by(account) => {
                    Ok(vec![Event::Confirmed(Confirmed { account: *account })])
                }
                Self::Free | Self::Pending { .. } | Self::Lapsed { .. } | Self::Confirmed { .. } => {
                    Err(Refusal::Taken)
                }
            },
            Command::Release { account } => match self {
                Self::Pending { .. } | Self::Lapsed { .. } if held_by(account) => {
                    Ok(vec![Event::Released(Released { account: *account })])
                }
                // A confirmed place belongs to an account that exists. A release that comes this late is
                // left over from a registration that was given up and then repeated with success.
                Self::Free | Self::Pending { .. } | Self::Lapsed { .. } | Self::Confirmed { .. } => {
                    Ok(vec![])
                }
            },
            Command::Lapse => match self {
                Self::Pending { account, until } if *until <= now => {
                    Ok(vec![Event::Lapsed(Lapsed { account: *account })])
                }
                Self::Free | Self::Pending { .. } | Self::Lapsed { .. } | Self::Confirmed { .. } => {
                    Ok(vec![])
                }
            },
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match event {
            Event::Reserved(Reserved { account, until }) => Self::Pending {
                account: *account,
                until: *until,
            },
            Event::Confirmed(Confirmed { account }) => Self::Confirmed { account: *account },
            Event::Lapsed(Lapsed { account }) => Self::Lapsed { account: *account },
            Event::Released(Released { .. }) => Self::Free,
        }
    }

    fn due(&self) -> Option<(Timestamp, Command)> {
        match self {
            Self::Pending { until, .. } => Some((*until, Command::Lapse)),
            Self::Free | Self::Lapsed { .. } | Self::Confirmed { .. } => None,
        }
    }
}
