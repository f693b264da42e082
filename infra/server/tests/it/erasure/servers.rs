//! Everything that Kafka, Cassandra and an S3 server have of one installation, as bytes with a name.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{Message, Offset, TopicPartitionList};
use spool_blobs::{Access, Blobs, S3Settings};
use tokio::task::block_in_place;

use crate::cluster::Servers;
use crate::server::Setup;

const WITHIN: Duration = Duration::from_secs(30);

pub async fn everything(servers: Servers<'_>, setup: &Setup) -> Result<Vec<(String, Vec<u8>)>> {
    let setting = |name| setup.setting(name).with_context(|| format!("{name} is set"));
    let mut all = block_in_place(|| records(servers.kafka.bootstrap(), setting("KAFKA_TOPIC_PREFIX")?))?;
    all.extend(block_in_place(|| rows(servers, setting("CQL_KEYSPACE")?))?);
    all.extend(objects(servers, setting("S3_BUCKET")?).await?);
    Ok(all)
}

/// Every record of every topic of the installation: key, headers and payload.
fn records(brokers: &str, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(None, WITHIN)?;
    let mut all = vec![];
    for topic in metadata
        .topics()
        .iter()
        .filter(|topic| topic.name().starts_with(prefix))
    {
        for partition in topic.partitions() {
            let (low, high) = consumer.fetch_watermarks(topic.name(), partition.id(), WITHIN)?;
            let mut assignment = TopicPartitionList::new();
            assignment.add_partition_offset(topic.name(), partition.id(), Offset::Offset(low))?;
            consumer.assign(&assignment)?;
            let mut next = low;
            while next < high {
                let record = consumer.poll(WITHIN).context("the record is there")??;
                next = record.offset() + 1;
                let mut bytes = record.key().unwrap_or_default().to_vec();
                for header in record.headers().into_iter().flat_map(|headers| headers.iter()) {
                    bytes.extend_from_slice(header.value.unwrap_or_default());
                    bytes.push(b' ');
                }
                bytes.extend_from_slice(record.payload().unwrap_or_default());
                all.push((
                    format!("{}/{}@{}", topic.name(), partition.id(), record.offset()),
                    bytes,
                ));
            }
        }
    }
    Ok(all)
}

/// Every table of every keyspace of the installation, whole.
fn rows(servers: Servers<'_>, keyspace: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let cassandra = servers.cassandra;
    let named = |name: &str, cql: &str| -> Result<Vec<String>> {
        let answer = cassandra.say(cql)?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let begins = format!("{{\"{name}\": \"");
        let found = text.split(&begins).skip(1);
        Ok(found
            .filter_map(|rest| rest.split('"').next())
            .map(str::to_owned)
            .collect())
    };
    let mut all = vec![];
    let keyspaces = named(
        "keyspace_name",
        "SELECT JSON keyspace_name FROM system_schema.keyspaces",
    )?;
    for keyspace in keyspaces.iter().filter(|name| name.starts_with(keyspace)) {
        let tables =
            format!("SELECT JSON table_name FROM system_schema.tables WHERE keyspace_name = '{keyspace}'");
        for table in named("table_name", &tables)? {
            let rows = cassandra.say(&format!("SELECT * FROM {keyspace}.{table}"))?;
            all.push((format!("{keyspace}.{table}"), rows));
        }
    }
    Ok(all)
}

async fn objects(servers: Servers<'_>, bucket: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let s3 = servers.s3;
    let access = Access::keys(s3.access_key(), s3.secret_key());
    let settings = S3Settings {
        region: s3.region().to_owned(),
        ..S3Settings::new(s3.endpoint(), bucket, access)
    };
    let blobs = Blobs::s3(settings).await?;
    let mut all = vec![];
    for object in blobs.list("", None, 10_000).await? {
        let bytes = blobs.read(&object.key, None).await?;
        all.push((object.key.clone(), [object.key.as_bytes(), &bytes].concat()));
    }
    Ok(all)
}
