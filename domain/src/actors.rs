//! Who asks: a person, one of our own parts, or nobody known.

use crate::ids::AccountId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a person may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Watches.
    Viewer,
    /// Also uploads.
    #[default]
    Creator,
    /// Also decides about what belongs to others.
    Admin,
    /// Another program with an account.
    Service,
}

/// Who gave a command. Kept in the envelope of every commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Nobody known.
    Anonymous,
    /// A person, with the role held when asking.
    Person {
        /// The person's account.
        account: AccountId,
        /// The role held when asking.
        role: Role,
    },
    /// A worker, timer or process manager of this system.
    System,
}

impl Actor {
    /// The account, if it is a person.
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Person { account, .. } => Some(*account),
            Self::Anonymous | Self::System => None,
        }
    }

    /// Whether this actor may do what only administrators may.
    pub const fn is_admin(&self) -> bool {
        match self {
            Self::Person { role, .. } => matches!(role, Role::Admin),
            Self::Anonymous => false,
            Self::System => true,
        }
    }

    /// Whether this actor may do what only the owner may: the owner, an admin or the system.
    pub fn may_act_for(&self, owner: AccountId) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Person { account, role } => {
                *account == owner || matches!(role, Role::Admin | Role::Service)
            }
            Self::System => true,
        }
    }

    /// Whether this actor may upload.
    pub const fn may_create(&self) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Person { role, .. } => !matches!(role, Role::Viewer),
            Self::System => true,
        }
    }
}
