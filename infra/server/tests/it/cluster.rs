//! `spool serve` on Kafka, Cassandra and an S3 server: how it is set up there, and what only happens there.

mod brokers;
mod example;
pub mod fleet;
mod outages;
mod several;
mod starting;

use anyhow::{Result, ensure};
use spool_services::{Cassandra, Kafka, S3, fresh_name};

use crate::server::Setup;

/// As many as small tests need.
const PARTITIONS: &str = "4";

/// Servers to work with.
#[derive(Clone, Copy)]
pub struct Servers<'a> {
    pub kafka: &'a Kafka,
    pub cassandra: &'a Cassandra,
    pub s3: &'a S3,
}

impl Servers<'static> {
    /// Those that all tests share.
    pub async fn shared() -> Self {
        let start = || Self {
            kafka: Kafka::shared(),
            cassandra: Cassandra::shared(),
            s3: S3::shared(),
        };
        tokio::task::spawn_blocking(start)
            .await
            .expect("the servers start")
    }
}

impl Servers<'_> {
    /// An installation that nobody used yet. Its topics are made, and its master key.
    pub async fn install(&self, setup: Setup) -> Result<Setup> {
        self.install_with(setup, |setup| setup).await
    }

    /// The same with some settings changed before.
    async fn install_with(&self, setup: Setup, change: impl FnOnce(Setup) -> Setup) -> Result<Setup> {
        let setup = change(self.configure(setup));
        let made = setup.run(&["topics", "ensure"]).await?;
        ensure!(made.status.success(), "{made:?}");
        let made = setup.run(&["keys", "new"]).await?;
        ensure!(made.status.success(), "{made:?}");
        Ok(setup)
    }

    /// The same without either.
    fn configure(&self, setup: Setup) -> Setup {
        let keys = setup.data().with_file_name("keys");
        setup
            .with("KEYS_DIR", &keys.display().to_string())
            .with("LOG_BACKEND", "kafka")
            .with("LOG_PARTITIONS", PARTITIONS)
            .with("KAFKA_BROKERS", self.kafka.bootstrap())
            .with("KAFKA_TOPIC_PREFIX", &fresh_name("it-"))
            .with("KAFKA_REPLICATION", "1")
            .with("TABLES_BACKEND", "cql")
            .with("CQL_CONTACT_POINTS", self.cassandra.contact_point())
            .with("CQL_USER", self.cassandra.user())
            .with("CQL_PASSWORD", self.cassandra.password())
            .with("CQL_KEYSPACE", &fresh_name("spool_it_"))
            // One small server for all tests, and most of them are not about time.
            .with("CQL_REQUEST_TIMEOUT_MS", "20000")
            .with("BLOBS_BACKEND", "s3")
            .with("S3_ENDPOINT", self.s3.endpoint())
            .with("S3_REGION", self.s3.region())
            .with("S3_BUCKET", &fresh_name("it-"))
            .with("S3_ACCESS_KEY", self.s3.access_key())
            .with("S3_SECRET_KEY", self.s3.secret_key())
            .with("S3_CREATE_BUCKET", "true")
    }
}
