//! A reservation: one e-mail address or username belongs to one account, also when two ask at once.

use crate::accounts::MAIL_PAUSE;
use crate::decider::Decider;
use crate::ids::AccountId;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a registration may take from its first reservation to the account's own event.
pub const PENDING_FOR: Millis = Millis(60_000);

/// What may be asked of a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The place is wanted. Quiet when the account holds it already.
    Reserve {
        /// For whom.
        account: AccountId,
    },
    /// An account that exists wants the place anew. As `Reserve`, but a place that the account has confirmed and does not
    /// hold any more waits again to be confirmed, so that a late `GiveBack` does not take it away.
    Retake {
        /// For whom.
        account: AccountId,
    },
    /// The account is registered, so the place is its own. Quiet when it is so already.
    Confirm {
        /// Whose.
        account: AccountId,
    },
    /// Only given once the account's stream says that its registration is void, or by the registration
    /// that holds the place and gives up.
    Release {
        /// Whose; a place that another holds, or a confirmed one, stays as it is.
        account: AccountId,
    },
    /// The account has no use for a place that it had confirmed. Only given once the account's stream says so. Quiet when the
    /// place is not confirmed or another's.
    GiveBack {
        /// Whose.
        account: AccountId,
    },
    /// Somebody who says that this is their e-mail address wants a link for a new password. Whether anybody holds the place
    /// makes no difference here. Quiet within [`MAIL_PAUSE`] of the last.
    WantPasswordReset,
    /// The timer: a pending place has waited long enough.
    Lapse,
}

/// What can have happened to a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It was taken for a while.
    Reserved(Reserved),
    /// It was taken for good.
    Confirmed(Confirmed),
    /// Nobody confirmed it in time.
    Lapsed(Lapsed),
    /// It is free again.
    Released(Released),
    /// Somebody wants a link for a new password to be sent there.
    PasswordResetWanted(PasswordResetWanted),
}

/// The place is taken until the registration is through, or its time is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reserved {
    /// For whom.
    pub account: AccountId,
    /// When it lapses if nobody confirms it.
    pub until: Timestamp,
}

/// The place belongs to the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// Whose it is.
    pub account: AccountId,
}

/// Nobody confirmed in time. The place stays taken until the account's stream has said whether the
/// registration happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lapsed {
    /// Who holds it still.
    pub account: AccountId,
}

/// The place is free again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// Who held it.
    pub account: AccountId,
}

/// Somebody wants a link for a new password to be sent to this address, whether there is an account with it or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordResetWanted {
    /// When it was asked for.
    pub at: Timestamp,
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Another account holds the place, or nobody does and there is nothing to confirm.
    #[error("it is already taken")]
    Taken,
}

/// What is known of a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// Whether somebody has it.
    pub holding: Holding,
    /// When a link for a new password was last wanted.
    pub reset_wanted_at: Option<Timestamp>,
}

/// Whether somebody has a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Holding {
    /// Nobody has it.
    #[default]
    Free,
    /// A registration is under way.
    Pending {
        /// Whose.
        account: AccountId,
        /// When it lapses.
        until: Timestamp,
    },
    /// Nobody confirmed in time; the account's stream has the last word.
    Lapsed {
        /// Who holds it still.
        account: AccountId,
    },
    /// It belongs to an account.
    Confirmed {
        /// Whose it is.
        account: AccountId,
    },
}

impl Reservation {
    /// The account that holds the place, confirmed or not.
    pub const fn holder(&self) -> Option<AccountId> {
        match self.holding {
            Holding::Free => None,
            Holding::Pending { account, .. }
            | Holding::Lapsed { account }
            | Holding::Confirmed { account } => Some(account),
        }
    }

    fn is_free_for(&self, account: AccountId) -> bool {
        self.holder().is_none_or(|holder| holder == account)
    }
}

impl Decider for Reservation {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let held_by = |account: &AccountId| self.holder() == Some(*account);
        match command {
            Command::Reserve { account } => match &self.holding {
                Holding::Free => Ok(vec![Event::Reserved(Reserved {
                    account: *account,
                    until: now + PENDING_FOR,
                })]),
                _ if held_by(account) => Ok(vec![]),
                Holding::Pending { .. } | Holding::Lapsed { .. } | Holding::Confirmed { .. } => {
                    Err(Refusal::Taken)
                }
            },
            Command::Retake { account } => match &self.holding {
                Holding::Free | Holding::Confirmed { .. } if self.is_free_for(*account) => {
                    Ok(vec![Event::Reserved(Reserved {
                        account: *account,
                        until: now + PENDING_FOR,
                    })])
                }
                _ if held_by(account) => Ok(vec![]),
                Holding::Free
                | Holding::Pending { .. }
                | Holding::Lapsed { .. }
                | Holding::Confirmed { .. } => Err(Refusal::Taken),
            },
            Command::Confirm { account } => match &self.holding {
                Holding::Confirmed { .. } if held_by(account) => Ok(vec![]),
                Holding::Pending { .. } | Holding::Lapsed { .. } if held_by(account) => {
                    Ok(vec![Event::Confirmed(Confirmed { account: *account })])
                }
                Holding::Free
                | Holding::Pending { .. }
                | Holding::Lapsed { .. }
                | Holding::Confirmed { .. } => Err(Refusal::Taken),
            },
            Command::Release { account } => match &self.holding {
                Holding::Pending { .. } | Holding::Lapsed { .. } if held_by(account) => {
                    Ok(vec![Event::Released(Released { account: *account })])
                }
                // A confirmed place belongs to an account that exists. A release that comes this late is
                // left over from a registration that was given up and then repeated with success.
                Holding::Free
                | Holding::Pending { .. }
                | Holding::Lapsed { .. }
                | Holding::Confirmed { .. } => Ok(vec![]),
            },
            Command::GiveBack { account } => match &self.holding {
                Holding::Confirmed { .. } if held_by(account) => {
                    Ok(vec![Event::Released(Released { account: *account })])
                }
                Holding::Free
                | Holding::Pending { .. }
                | Holding::Lapsed { .. }
                | Holding::Confirmed { .. } => Ok(vec![]),
            },
            Command::WantPasswordReset => {
                let just_wanted = self.reset_wanted_at.is_some_and(|at| now - at < MAIL_PAUSE);
                let wanted = Event::PasswordResetWanted(PasswordResetWanted { at: now });
                Ok((!just_wanted).then_some(wanted).into_iter().collect())
            }
            Command::Lapse => match &self.holding {
                Holding::Pending { account, until } if *until <= now => {
                    Ok(vec![Event::Lapsed(Lapsed { account: *account })])
                }
                Holding::Free
                | Holding::Pending { .. }
                | Holding::Lapsed { .. }
                | Holding::Confirmed { .. } => Ok(vec![]),
            },
        }
    }

    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::Reserved(Reserved { account, until }) => {
                self.holding = Holding::Pending {
                    account: *account,
                    until: *until,
                };
            }
            Event::Confirmed(Confirmed { account }) => {
                self.holding = Holding::Confirmed { account: *account }
            }
            Event::Lapsed(Lapsed { account }) => self.holding = Holding::Lapsed { account: *account },
            Event::Released(Released { .. }) => self.holding = Holding::Free,
            Event::PasswordResetWanted(PasswordResetWanted { at }) => self.reset_wanted_at = Some(*at),
        }
        self
    }

    fn due(&self) -> Option<(Timestamp, Command)> {
        match &self.holding {
            Holding::Pending { until, .. } => Some((*until, Command::Lapse)),
            Holding::Free | Holding::Lapsed { .. } | Holding::Confirmed { .. } => None,
        }
    }
}
