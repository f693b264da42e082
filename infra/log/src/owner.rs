//! Who may append to a partition.

/// A node that leads a partition, as its claim in the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub node: String,
    /// Where it takes requests from other nodes.
    pub url: String,
    /// Rises with each claim.
    pub term: u64,
}

/// What this node knows of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// By the last claim in the log, whichever node made it. The embedded log has no claims.
    pub owner: Option<Owner>,
    pub role: Role,
}

/// What this node does in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads what others write.
    Following,
    /// Has asked to lead, or asks again after trouble with the servers. Appends wait for how it ends.
    Claiming,
    /// Appends go through.
    Leading,
}

impl Standing {
    /// Of a log that only one node can have open.
    pub(crate) const fn always_leading() -> Self {
        Self {
            owner: None,
            role: Role::Leading,
        }
    }
}
