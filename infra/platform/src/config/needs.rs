//! Settings that need each other: what one of them says, another one must be there for.
use super::fields::FIELDS;
use super::{BlobsBackend, Config, ConfigError, LogBackend, TablesBackend};

/// Refuses the first setting that is missing.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let Config {
        kafka, cql, s3, edge, ..
    } = config;
    let keys = (s3.access_key.is_some(), s3.secret_key.is_some());
    let login = (cql.user.is_some(), cql.password.is_some());
    let tls = (edge.tls_cert.is_some(), edge.tls_key.is_some());
    let needs = [
        (
            config.log.backend == LogBackend::Kafka && kafka.brokers.is_none(),
            "kafka.brokers",
            "log.backend is kafka",
        ),
        (
            config.tables.backend == TablesBackend::Cql && cql.contact_points.is_none(),
            "cql.contact_points",
            "tables.backend is cql",
        ),
        (
            config.blobs.backend == BlobsBackend::S3 && s3.bucket.is_none(),
            "s3.bucket",
            "blobs.backend is s3",
        ),
        (login == (true, false), "cql.password", "cql.user is set"),
        (login == (false, true), "cql.user", "cql.password is set"),
        (keys == (true, false), "s3.secret_key", "s3.access_key is set"),
        (keys == (false, true), "s3.access_key", "s3.secret_key is set"),
        (tls == (true, false), "edge.tls_key", "edge.tls_cert is set"),
        (tls == (false, true), "edge.tls_cert", "edge.tls_key is set"),
        (
            edge.tls_cert.is_some()
                && config.log.backend == LogBackend::Kafka
                && config.cluster.url.is_none(),
            "cluster.url",
            "edge.tls_cert is set, and the other nodes have to find this one by a name in the certificate",
        ),
    ];
    let missing = needs.into_iter().find(|(is_missing, ..)| *is_missing);
    missing.map_or(Ok(()), |(_, key, because)| {
        let field = FIELDS.iter().find(|field| field.key == key);
        Err(ConfigError::Missing {
            key,
            variable: field.map(super::fields::Field::variable).unwrap_or_default(),
            because,
        })
    })
}
