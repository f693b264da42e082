//! Where the brokers are, and how clients of them are configured.

use crate::{Error, RECORD_BYTES_MAX};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use std::collections::BTreeMap;
use std::fmt;

/// Properties that promises rest on, or that have a setting of their own. Nobody may set them otherwise.
const OURS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "metadata.broker.list",
    "request.required.acks",
    "retries",
    "transactional.id",
];

/// How to reach a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, separated by commas. Any broker will do; it names the others.
    pub brokers: String,
    /// What the brokers call this program in their own figures and lines.
    pub client_id: String,
    /// Stands before every topic's name, so that several installations can share a cluster.
    pub topic_prefix: String,
    /// Properties of librdkafka, for TLS and SASL. May hold secrets.
    properties: BTreeMap<String, String>,
}

impl Settings {
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            client_id: "spool".to_owned(),
            topic_prefix: String::new(),
            properties: BTreeMap::new(),
        }
    }

    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.topic_prefix = prefix.into();
        self
    }

    /// Adds properties written as `name=value`, one a line, or on one line separated by `;`.
    pub fn with_properties(mut self, text: &str) -> Result<Self, Error> {
        let separator = if text.contains('\n') { '\n' } else { ';' };
        for pair in text
            .split(separator)
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            // The value may be a password: what is said about it names the property only.
            let refuse = |problem: String| Err(Error::Settings { problem });
            let Some((name, value)) = pair.split_once('=') else {
                return refuse("kafka.properties has an entry without `=`; write name=value".to_owned());
            };
            let name = name.trim();
            if OURS.contains(&name) {
                return refuse(format!(
                    "kafka.properties may not change {name}, on which promises rest; leave it out"
                ));
            }
            self.properties.insert(name.to_owned(), value.trim().to_owned());
        }
        // Names and values that librdkafka does not know are found here rather than at the first use.
        let known = self.consumer().create_native_config();
        known.map_err(|error| Error::Settings {
            problem: format!("kafka.properties: {}", without_value(&error)),
        })?;
        Ok(self)
    }

    /// The full name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    /// A producer that neither loses, doubles nor reorders what it was given, and stops with a fatal error rather than
    /// leave a gap. It gives up on a record after `message.timeout.ms`, which is 30 s here: change it where another
    /// patience is right (0 never gives up).
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("linger.ms", "1")
            .set("message.timeout.ms", "30000")
            .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
            // A leader that moves is found again at once.
            .set("retry.backoff.ms", "50")
            .set("retry.backoff.max.ms", "500");
        config
    }

    /// A consumer for `assign`: it joins no group, commits nothing, and never jumps to another offset than asked for.
    pub fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            // rdkafka delivers nothing without a group's name. It is never joined.
            .set("group.id", &self.client_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            .set("fetch.min.bytes", "1")
            .set("fetch.error.backoff.ms", "50");
        config
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set_log_level(RDKafkaLogLevel::Info)
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }
}

/// Shows no property: it may be a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settings")
            .field("brokers", &self.brokers)
            .field("client_id", &self.client_id)
            .field("topic_prefix", &self.topic_prefix)
            .field("properties", &self.properties.keys())
            .finish()
    }
}

fn without_value(error: &rdkafka::error::KafkaError) -> String {
    match error {
        rdkafka::error::KafkaError::ClientConfig(_, _, name, _) => {
            format!("librdkafka knows no property {name} with such a value")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, expected: &str) {
        let refused = Settings::new("x:1").with_properties(text);
        let message = refused.expect_err("this must be refused").to_string();
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    }

    #[test]
    fn properties_are_read_from_lines_and_from_one_line() {
        let lines = "security.protocol = SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\nsasl.username=anna\nsasl.password=a;b=c";
        let read = Settings::new("x:1")
            .with_properties(lines)
            .expect("they are good");
        assert_eq!(read.producer().get("sasl.password"), Some("a;b=c"));
        let line =
            "security.protocol=SASL_PLAINTEXT; sasl.mechanism=PLAIN;sasl.username=anna;sasl.password=x";
        let read = Settings::new("x:1").with_properties(line).expect("they are good");
        assert_eq!(read.consumer().get("sasl.username"), Some("anna"));
    }

    #[test]
    fn what_promises_rest_on_cannot_be_changed() {
        check_refused("acks=1", "may not change acks");
        check_refused("auto.offset.reset=latest", "may not change auto.offset.reset");
    }

    #[test]
    fn what_librdkafka_does_not_know_is_refused_without_showing_the_value() {
        check_refused("sasl.pasword=secret", "no property sasl.pasword");
        check_refused("security.protocol=quiet", "no property security.protocol");
        check_refused("nonsense", "write name=value");
        let refused = Settings::new("x:1")
            .with_properties("sasl.pasword=hush-hush")
            .expect_err("nobody knows it");
        assert!(!refused.to_string().contains("hush-hush"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = "sasl.mechanism=PLAIN;sasl.password=hush-hush";
        let settings = Settings::new("x:1").with_properties(text).expect("they are good");
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("sasl.password") && !shown.contains("hush-hush"),
            "{shown}"
        );
    }
}
