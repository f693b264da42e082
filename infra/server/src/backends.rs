//! The log, the tables and the blobs that the configuration names: in the data directory, or on servers.
//!
//! Whatever cannot be used is told in one line that says what to do.

use crate::kafka;
use anyhow::{Context, anyhow, bail};
use spool_blobs::{Access, Blobs, S3Settings};
use spool_kafka::Connection;
use spool_kafka::topics::{self, TopicSpec};
use spool_log::{KafkaConfig, Log};
use spool_platform::config::{BlobsBackend, Config, Consistency, Cql, LogBackend, S3, Secret, TablesBackend};
use spool_platform::keys::Keys;
use spool_tables::{CqlSettings, Credentials, Registers, Replication, Tables, TablesError};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long the brokers have to say what the log's topic is like.
const BROKERS_WITHIN: Duration = Duration::from_secs(10);

/// What this node is called where others see it.
#[derive(Clone, Debug)]
pub struct Name {
    pub node: String,
    /// Where other nodes reach it.
    pub url: String,
}

/// The log, and what keeps a second process off the data directory for as long as it is held.
pub struct OpenLog {
    pub log: Log,
    /// Not needed beside the embedded log, which has a lock of its own.
    pub lock: Option<File>,
}

/// Blocking; inside a runtime.
pub fn open_log(config: &Config, name: &Name) -> anyhow::Result<OpenLog> {
    match config.log.backend {
        LogBackend::Embedded => {
            let log = Log::open(spool_log::Config {
                partitions: config.log.partitions,
                segment_bytes: config.log.segment_bytes,
                ..spool_log::Config::new(config.data_dir.join("log"))
            })
            .context("opening the log")?;
            Ok(OpenLog { log, lock: None })
        }
        LogBackend::Kafka => {
            let lock = Some(lock(&config.data_dir)?);
            Ok(OpenLog {
                log: kafka_log(config, name)?,
                lock,
            })
        }
    }
}

fn kafka_log(config: &Config, name: &Name) -> anyhow::Result<Log> {
    let settings = kafka::settings(config)?.context("kafka.brokers must be set")?;
    Handle::current().block_on(check_topic(config, &settings))?;
    let log = Log::kafka(KafkaConfig {
        partitions: config.log.partitions,
        ..KafkaConfig::new(settings, config.data_dir.join("kafka-log"), &name.node, &name.url)
    });
    Ok(log?)
}

/// A topic whose settings would break a promise is refused before anything is written to it.
async fn check_topic(config: &Config, settings: &spool_kafka::Settings) -> anyhow::Result<()> {
    let connection = Connection::open(settings, BROKERS_WITHIN).await?;
    let spec = TopicSpec::log(config.log.partitions, config.kafka.replication);
    let report = topics::check(&connection, &[spec]).await?;
    match report.findings.as_slice() {
        [] => Ok(()),
        [finding] => Err(anyhow!("the log cannot be kept in this topic: {finding}")),
        [first, rest @ ..] => Err(anyhow!(
            "the log cannot be kept in this topic: {first} ({} more: `spool topics check` lists them)",
            rest.len()
        )),
    }
}

/// One process has a data directory at a time.
fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use by another process: only one may work on a data directory; stop the other one first, or choose \
             another data_dir",
            data.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// The tables of the views. Blocking.
pub fn open_tables(config: &Config) -> anyhow::Result<Tables> {
    match config.tables.backend {
        TablesBackend::Embedded => local_tables(config),
        TablesBackend::Cql => Tables::cql(cql_settings(&config.cql)?).map_err(cql_trouble),
    }
}

/// What all nodes of a cluster keep together that is in no log: their keys. It has a keyspace of its own, so that a backup of
/// the tables does not hold it. Blocking.
pub fn open_registers(config: &Config) -> anyhow::Result<Registers> {
    let tables = cql_settings(&config.cql)?;
    let settings = CqlSettings {
        keyspace: format!("{}_keys", tables.keyspace),
        ..tables
    };
    Registers::cql(settings).map_err(cql_trouble)
}

/// The keys: those that all nodes of a cluster share, or those in a folder of this node. Blocking.
pub fn open_keys(config: &Config) -> anyhow::Result<Keys> {
    let dir = config.keys_dir();
    let keys = match (config.log.backend, config.tables.backend) {
        (LogBackend::Kafka, TablesBackend::Cql) => Keys::shared(&dir, &open_registers(config)?),
        _ => Keys::open(&dir),
    };
    keys.context("opening the keys")
}

fn cql_trouble(error: TablesError) -> anyhow::Error {
    match error {
        TablesError::Unavailable { .. } => {
            anyhow!("{error}; check cql.contact_points, and that a server runs there")
        }
        TablesError::BadKeyspace(_) => anyhow!("cql.keyspace: {error}"),
        error => error.into(),
    }
}

/// Tables of this node alone, for what it can lose. Blocking.
pub fn local_tables(config: &Config) -> anyhow::Result<Tables> {
    Tables::open(config.data_dir.join("tables")).context("opening the tables")
}

fn cql_settings(cql: &Cql) -> anyhow::Result<CqlSettings> {
    let contact_points = cql.contact_points.as_deref().unwrap_or_default();
    let contact_points = contact_points
        .split(',')
        .map(str::trim)
        .filter(|at| !at.is_empty());
    let credentials = cql.user.as_ref().zip(cql.password.as_ref());
    Ok(CqlSettings {
        keyspace: cql.keyspace.clone(),
        replication: replication(&cql.replication)?,
        credentials: credentials.map(|(user, password)| Credentials::new(user, password.reveal())),
        datacenter: cql.datacenter.clone(),
        consistency: match cql.consistency {
            Consistency::LocalQuorum => spool_tables::Consistency::LocalQuorum,
            Consistency::Quorum => spool_tables::Consistency::Quorum,
            Consistency::All => spool_tables::Consistency::All,
        },
        request_timeout: Duration::from_millis(cql.request_timeout_ms),
        ..CqlSettings::new(contact_points)
    })
}

/// `3`, or `east:3,west:2`.
fn replication(text: &str) -> anyhow::Result<Replication> {
    if let Ok(nodes) = text.trim().parse() {
        return Ok(Replication::Simple(nodes));
    }
    let nodes_of = |part: &str| {
        let (datacenter, nodes) = part.split_once(':')?;
        Some((datacenter.trim().to_owned(), nodes.trim().parse().ok()?))
    };
    let all: Option<BTreeMap<String, u8>> = text.split(',').map(nodes_of).collect();
    all.map(Replication::Datacenters).with_context(|| {
        format!(
            "cql.replication cannot be {text:?}: write a number of nodes, or DATACENTRE:NODES separated by commas"
        )
    })
}

/// Blocking; inside a runtime.
pub fn open_blobs(config: &Config) -> anyhow::Result<Blobs> {
    match config.blobs.backend {
        BlobsBackend::Local => Blobs::open(spool_blobs::Settings {
            dir: config.data_dir.join("blobs"),
            min_free_bytes: config.uploads.min_free_bytes,
        })
        .context("opening the blobs"),
        BlobsBackend::S3 => {
            let scratch = config.data_dir.join("scratch");
            std::fs::create_dir_all(&scratch).with_context(|| format!("creating {}", scratch.display()))?;
            let settings = s3_settings(&config.s3, &scratch);
            Ok(Handle::current().block_on(Blobs::s3(settings))?)
        }
    }
}

fn s3_settings(s3: &S3, scratch: &Path) -> S3Settings {
    let keys = s3
        .access_key
        .as_ref()
        .zip(s3.secret_key.as_ref().map(Secret::reveal));
    S3Settings {
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        bucket: s3.bucket.clone().unwrap_or_default(),
        prefix: s3.prefix.clone().unwrap_or_default(),
        access: match keys {
            _ if s3.anonymous => Access::Anonymous,
            Some((access_key, secret_key)) => Access::keys(access_key, secret_key),
            None => Access::Environment,
        },
        path_style: s3.path_style,
        create_bucket: s3.create_bucket,
        browser_endpoint: s3.browser_endpoint.clone(),
        cdn_url: s3.cdn_url.clone(),
        scratch_dir: scratch.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replication_is_a_number_or_one_for_each_data_centre() {
        let read = |text: &str| replication(text).map_err(|error| error.to_string());
        assert_eq!(read("3"), Ok(Replication::Simple(3)));
        let east_and_west = BTreeMap::from([("east".to_owned(), 3), ("west".to_owned(), 2)]);
        assert_eq!(
            read("east:3, west:2"),
            Ok(Replication::Datacenters(east_and_west))
        );
        for odd in ["", "many", "east", "east:3,", "300"] {
            let refused = read(odd).expect_err(odd);
            assert!(refused.contains("cql.replication"), "{refused}");
        }
    }
}
