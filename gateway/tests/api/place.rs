//! Where a world keeps what it knows: in its folder, or, with `SPOOL_TEST_WORLD=servers`, on Kafka, Cassandra and S3. The
//! stories are the same.

use spool_blobs::{Access, Blobs, S3Settings, Settings as BlobSettings};
use spool_kafka::Connection;
use spool_kafka::topics::{TopicSpec, ensure};
use spool_log::{KafkaConfig, Log};
use spool_platform::config::Config;
use spool_services::{Cassandra, Kafka, S3, fresh_name};
use spool_tables::{CqlSettings, Tables};
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
            Self::in_folder(config)
        }
    }

    fn in_folder(config: &Config) -> Self {
        let data = &config.data_dir;
        let log = Log::open(spool_log::Config {
            partitions: config.log.partitions,
            segment_bytes: 1 << 20,
            ..spool_log::Config::new(data.join("log"))
        });
        let tables = Tables::open(data.join("tables")).expect("the tables open");
        let blobs = Blobs::open(BlobSettings {
            dir: data.join("blobs"),
            min_free_bytes: config.uploads.min_free_bytes,
        });
        Self {
            log: log.expect("the log opens"),
            own_tables: tables.clone(),
            tables,
            blobs: blobs.expect("the blobs open"),
        }
    }

    async fn on_servers(config: &Config) -> Self {
        let servers = || (Kafka::shared(), Cassandra::shared(), S3::shared());
        let started = tokio::task::spawn_blocking(servers).await;
        let (kafka, cassandra, s3) = started.expect("the servers start");
        let data = &config.data_dir;
        Self {
            log: kafka_log(kafka, config).await,
            tables: cql_tables(cassandra),
            own_tables: Tables::open(data.join("tables")).expect("the tables open"),
            blobs: bucket(s3).await,
        }
    }
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

fn cql_tables(cassandra: &Cassandra) -> Tables {
    let mut settings = CqlSettings::new([cassandra.contact_point()]);
    settings.keyspace = fresh_name("api_");
    settings.request_timeout = PATIENCE;
    Tables::cql(settings).expect("the server answers")
}

async fn bucket(s3: &S3) -> Blobs {
    let access = Access::Keys {
        access_key: s3.access_key().to_owned(),
        secret_key: s3.secret_key().to_owned(),
    };
    let settings = S3Settings {
        region: s3.region().to_owned(),
        create_bucket: true,
        ..S3Settings::new(s3.endpoint(), &fresh_name("api-"), access)
    };
    Blobs::s3(settings).await.expect("the bucket is made")
}
