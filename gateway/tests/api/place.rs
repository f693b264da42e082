//! Where a world keeps what it knows: in its folder, or, with `SPOOL_TEST_WORLD=servers`, on Kafka, Cassandra and S3. The
//! stories are the same.

use spool_blobs::{Access, Blobs, S3Settings, Settings as BlobSettings};
use spool_kafka::Connection;
use spool_kafka::topics::{TopicSpec, ensure};
use spool_log::{KafkaConfig, Log};
use spool_platform::config::{BlobsBackend, Config};
use spool_services::{Cassandra, Kafka, Keyspace, S3, fresh_name};
use spool_tables::{CqlSettings, Credentials, Tables};
use std::time::Duration;

/// All tests load a few small servers at once, and none of them is about time.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Place {
    pub log: Log,
    /// Of the views.
    pub tables: Tables,
    /// Of the snapshots, which are the node's own.
    pub own_tables: Tables,
    pub blobs: Blobs,
    /// To be dropped when all of the above is.
    pub keyspace: Option<Keyspace>,
}

pub fn is_on_servers() -> bool {
    match std::env::var("SPOOL_TEST_WORLD") {
        Err(_) => false,
        Ok(place) => {
            assert_eq!(place, "servers", "SPOOL_TEST_WORLD can be left out or be servers");
            true
        }
    }
}

impl Place {
    pub async fn open(config: &Config) -> Self {
        if is_on_servers() {
            Self::on_servers(config).await
        } else {
            Self::in_folder(config).await
        }
    }

    async fn in_folder(config: &Config) -> Self {
        let data = &config.data_dir;
        let log = Log::open(spool_log::Config {
            partitions: config.log.partitions,
            segment_bytes: 1 << 20,
            ..spool_log::Config::new(data.join("log"))
        });
        let tables = Tables::open(data.join("tables")).expect("the tables open");
        let blobs = match config.blobs.backend {
            BlobsBackend::Local => Blobs::open(BlobSettings {
                dir: data.join("blobs"),
                min_free_bytes: config.uploads.min_free_bytes,
            })
            .expect("the blobs open"),
            // Some stories are about a bucket, wherever the rest is.
            BlobsBackend::S3 => bucket(started(S3::shared).await, config).await,
        };
        Self {
            log: log.expect("the log opens"),
            own_tables: tables.clone(),
            tables,
            blobs,
            keyspace: None,
        }
    }

    async fn on_servers(config: &Config) -> Self {
        let servers = || (Kafka::shared(), Cassandra::shared(), S3::shared());
        let (kafka, cassandra, s3) = started(servers).await;
        let data = &config.data_dir;
        let keyspace = cassandra.keyspace("api_");
        Self {
            log: kafka_log(kafka, config).await,
            tables: cql_tables(cassandra, &keyspace),
            own_tables: Tables::open(data.join("tables")).expect("the tables open"),
            blobs: bucket(s3, config).await,
            keyspace: Some(keyspace),
        }
    }
}

/// Starting takes a while, the first time.
async fn started<T: Send + 'static>(servers: fn() -> T) -> T {
    tokio::task::spawn_blocking(servers)
        .await
        .expect("the servers start")
}

async fn kafka_log(kafka: &Kafka, config: &Config) -> Log {
    let settings = spool_kafka::Settings::new(kafka.bootstrap()).with_prefix(fresh_name("api-"));
    let connection = Connection::open(&settings, PATIENCE)
        .await
        .expect("the broker answers");
    ensure(&connection, &[TopicSpec::log(config.log.partitions, 1)])
        .await
        .expect("the topic is made");
    let opening = KafkaConfig {
        partitions: config.log.partitions,
        ..KafkaConfig::new(settings, config.data_dir.join("log"), "world", "http://world")
    };
    let opened = tokio::task::spawn_blocking(move || Log::kafka(opening)).await;
    let log = opened.expect("opening does not panic").expect("the log opens");
    for partition in 0..log.partitions() {
        log.claim(partition);
        let mut standing = log.standing(partition);
        let leads = standing.wait_for(|standing| standing.role == spool_log::Role::Leading);
        let led = tokio::time::timeout(PATIENCE, leads).await;
        led.expect("nobody else claims it").expect("the log is open");
    }
    log
}

fn cql_tables(cassandra: &Cassandra, keyspace: &Keyspace) -> Tables {
    let mut settings = CqlSettings::new([cassandra.contact_point()]);
    settings.credentials = Some(Credentials::new(cassandra.user(), cassandra.password()));
    settings.keyspace = keyspace.name().to_owned();
    settings.request_timeout = PATIENCE;
    Tables::cql(settings).expect("the server answers")
}

async fn bucket(s3: &S3, config: &Config) -> Blobs {
    let access = Access::keys(s3.access_key(), s3.secret_key());
    let settings = S3Settings {
        region: s3.region().to_owned(),
        create_bucket: true,
        cdn_url: config.s3.cdn_url.clone(),
        ..S3Settings::new(s3.endpoint(), &fresh_name("api-"), access)
    };
    Blobs::s3(settings).await.expect("the bucket is made")
}
