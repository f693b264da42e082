//! Servers that a node works with, and what it is to the other nodes. See `config/fields.rs` for what each field means.
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub node: Option<String>,
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Unset: there is no Kafka.
    pub brokers: Option<String>,
    pub topic_prefix: Option<String>,
    pub replication: u16,
    pub public_topics: bool,
    /// Properties of librdkafka; may hold secrets.
    pub properties: Option<Secret>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cql {
    pub contact_points: Option<String>,
    pub keyspace: String,
    pub replication: String,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub datacenter: Option<String>,
    pub consistency: Consistency,
    pub request_timeout_ms: u64,
}

/// How many replicas must have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    LocalQuorum,
    Quorum,
    All,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    pub endpoint: Option<String>,
    pub region: String,
    pub bucket: Option<String>,
    pub prefix: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<Secret>,
    pub anonymous: bool,
    pub path_style: bool,
    pub create_bucket: bool,
    pub browser_endpoint: Option<String>,
    pub cdn_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// With the password of whoever sends.
    pub smtp_url: Option<Secret>,
    pub from: String,
    pub file: Option<PathBuf>,
    pub reset_link_seconds: u64,
}

impl Mail {
    /// Whether mail goes anywhere, be it a file.
    pub const fn is_sent(&self) -> bool {
        self.smtp_url.is_some() || self.file.is_some()
    }
}
