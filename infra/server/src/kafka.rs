//! What the configuration says about Kafka, as its clients want it.

use spool_kafka::{Error, Settings};
use spool_platform::config::{Config, Secret};

/// How to reach the brokers; none without `kafka.brokers`.
pub fn settings(config: &Config) -> Result<Option<Settings>, Error> {
    let kafka = &config.kafka;
    let Some(brokers) = &kafka.brokers else {
        return Ok(None);
    };
    let settings = Settings::new(brokers).with_prefix(kafka.topic_prefix.clone().unwrap_or_default());
    let properties = kafka.properties.as_ref().map(Secret::reveal).unwrap_or_default();
    settings.with_properties(properties).map(Some)
}
