//! Where the server is, and how it is to be used.
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::TablesError;

/// How to reach the server and what to keep there. Every field has a default but the contact points.
#[derive(Clone, Debug)]
pub struct CqlSettings {
    /// `host:port`, and port 9042 where it is left out. One that answers is enough: the others are found through it.
    pub contact_points: Vec<String>,
    pub keyspace: String,
    /// For a keyspace that this program makes. One that is there stays as it is.
    pub replication: Replication,
    pub credentials: Option<Credentials>,
    /// The data centre whose nodes are asked first.
    pub datacenter: Option<String>,
    pub consistency: Consistency,
    /// After this time a request that was not answered is `TablesError::Unavailable`.
    pub request_timeout: Duration,
}

impl CqlSettings {
    pub fn new(contact_points: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            contact_points: contact_points.into_iter().map(Into::into).collect(),
            keyspace: "spool".to_owned(),
            replication: Replication::Simple(1),
            credentials: None,
            datacenter: None,
            consistency: Consistency::LocalQuorum,
            request_timeout: Duration::from_secs(5),
        }
    }
}

/// How many nodes keep each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// `SimpleStrategy`: so many nodes, wherever they are.
    Simple(u8),
    /// `NetworkTopologyStrategy`: so many nodes in each data centre.
    Datacenters(BTreeMap<String, u8>),
}

impl Replication {
    /// As CQL has it.
    pub(super) fn literal(&self) -> Result<String, TablesError> {
        let of = |name: &str, nodes: u8| format!("'{name}': '{nodes}'");
        let (class, factors) = match self {
            Self::Simple(nodes) => ("SimpleStrategy", vec![of("replication_factor", *nodes)]),
            Self::Datacenters(nodes) => {
                let odd = |name: &&String| name.is_empty() || name.contains('\'');
                if let Some(name) = nodes.keys().find(odd) {
                    return Err(TablesError::Setup(format!(
                        "{name:?} is no name of a data centre"
                    )));
                }
                let factors = nodes.iter().map(|(name, nodes)| of(name, *nodes));
                ("NetworkTopologyStrategy", factors.collect())
            }
        };
        Ok(format!("{{'class': '{class}', {}}}", factors.join(", ")))
    }
}

#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl Credentials {
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Settings are shown to people and written to logs.
        write!(formatter, "{} with a password", self.user)
    }
}

/// How many replicas must have answered. Reads see what was committed only if those of both overlap, which is why a single
/// replica is not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    #[default]
    LocalQuorum,
    Quorum,
    All,
}

impl FromStr for Consistency {
    type Err = TablesError;

    fn from_str(text: &str) -> Result<Self, TablesError> {
        match text {
            "local_quorum" => Ok(Self::LocalQuorum),
            "quorum" => Ok(Self::Quorum),
            "all" => Ok(Self::All),
            _ => Err(TablesError::Setup(format!(
                "{text:?} is no consistency: local_quorum, quorum and all are"
            ))),
        }
    }
}
