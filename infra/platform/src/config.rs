//! Settings: one TOML file, the environment (`SPOOL_UPLOADS_MAX_BYTES`) over it, flags over both.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

mod edge;
mod fields;
mod layers;
mod named;
mod needs;
mod print;
mod providers;
mod secret;
mod servers;

pub use edge::{AccessLog, Edge, Limits, Networks, Origins, Preset, ProxyHeader, Rate};
pub use layers::ConfigError;
pub use providers::{ExternalIssuer, Oidc};
pub use secret::Secret;
pub use servers::{Cluster, Consistency, Cql, Kafka, Mail, S3};

/// What the process runs with. What each field means, its unit and its default are written once, in
/// `config/fields.rs` and `config/named.rs`, and printed by `--print-config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data_dir: PathBuf,
    /// See [`Config::keys_dir`] for the folder that is really used.
    pub keys_dir: Option<PathBuf>,
    pub listen: SocketAddr,
    pub public_url: Option<String>,
    pub log: Log,
    pub tables: Tables,
    pub blobs: Blobs,
    pub uploads: Uploads,
    pub media: Media,
    pub auth: Auth,
    pub mail: Mail,
    pub edge: Edge,
    pub limits: Limits,
    pub jobs: Jobs,
    pub telemetry: Telemetry,
    pub catalogue: Catalogue,
    pub cluster: Cluster,
    pub kafka: Kafka,
    pub cql: Cql,
    pub s3: S3,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub backend: LogBackend,
    pub partitions: u16,
    pub segment_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogBackend {
    Embedded,
    Kafka,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tables {
    pub backend: TablesBackend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TablesBackend {
    Embedded,
    Cql,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    pub backend: BlobsBackend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlobsBackend {
    Local,
    S3,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    pub max_bytes: u64,
    pub min_free_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// As configured, 0 meaning by cores; see [`Media::concurrent_jobs`].
    pub concurrency: u32,
    pub spool_media: Option<PathBuf>,
    pub cpu_seconds: u64,
    pub memory_bytes: u64,
    pub stall_seconds: u64,
    pub max_duration_seconds: u64,
    pub unsafe_no_sandbox: bool,
    pub max_height: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub access_token_seconds: u64,
    pub refresh_token_seconds: u64,
    pub signing_key_days: u32,
    pub open_registration: bool,
    pub default_role: String,
    pub confirm_email_first: bool,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub oidc: BTreeMap<String, Oidc>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub external_issuers: BTreeMap<String, ExternalIssuer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    pub lease_seconds: u64,
    /// How many attempts may fail before a job is given up. Those that only their worker's end cut off do not
    /// count.
    pub max_attempts: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A filter as `tracing_subscriber::EnvFilter` reads it.
    pub log: String,
    pub format: Format,
}

/// How a line of the application log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pretty,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    pub signed_url_seconds: u64,
}

impl Config {
    /// Reads `file` if given, the process's `SPOOL_…` variables over it, and `flags` (dotted key, value) over both.
    pub fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<Self, ConfigError> {
        let text = file.map(layers::read).transpose()?;
        // A variable that is not text cannot be one of ours with a good value; `vars()` would panic on it.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_layers(text.as_deref(), environment, flags)
    }

    /// The same from given layers, reading nothing.
    pub fn from_layers(
        file_text: Option<&str>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        layers::merge(file_text, environment, flags)
    }

    /// TOML that gives this configuration again, every field with its meaning and its variable. Secrets are replaced
    /// by `"redacted"`.
    pub fn print(&self) -> String {
        print::annotated(fields::FIELDS, self)
    }

    /// Where the keys live: as configured, or `keys` in the data directory.
    pub fn keys_dir(&self) -> PathBuf {
        self.keys_dir
            .clone()
            .unwrap_or_else(|| self.data_dir.join("keys"))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::from_layers(None, [], &[]).expect("a test reads the defaults")
    }
}

impl Media {
    /// How many jobs one worker runs at once: as configured, or one per core and at most five.
    pub fn concurrent_jobs(&self) -> usize {
        const MOST_BY_DEFAULT: usize = 5;
        match self.concurrency {
            0 => std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(MOST_BY_DEFAULT),
            configured => configured as usize,
        }
    }
}

#[cfg(test)]
mod tests;
