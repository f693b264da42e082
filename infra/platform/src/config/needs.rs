//! Settings that need each other: what one of them says, another one must be there for.
use super::fields::variable_of;
use super::{BlobsBackend, Config, ConfigError, ExternalIssuer, LogBackend, Oidc, TablesBackend};

/// What an account may be, as `auth.external_issuers.NAME.roles` names it.
const ROLES: [&str; 4] = ["viewer", "creator", "admin", "service"];

/// Refuses the first setting that is missing, or that another one makes void.
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
        (
            config.auth.confirm_email_first && !config.mail.is_sent(),
            "mail.smtp_url",
            "auth.confirm_email_first is true",
        ),
    ];
    let missing = needs.into_iter().find(|(is_missing, ..)| *is_missing);
    if let Some((_, key, because)) = missing {
        return Err(is_missing(key.to_owned(), because.to_owned()));
    }
    for (name, provider) in &config.auth.oidc {
        check_provider(&format!("auth.oidc.{name}"), provider)?;
    }
    for (name, issuer) in &config.auth.external_issuers {
        check_issuer(&format!("auth.external_issuers.{name}"), issuer)?;
    }
    Ok(())
}

fn check_provider(table: &str, provider: &Oidc) -> Result<(), ConfigError> {
    if provider.client_id.is_none() {
        return Err(is_missing(
            format!("{table}.client_id"),
            format!("{table} is a provider to sign in with"),
        ));
    }
    let addresses = [
        ("authorize_url", &provider.authorize_url),
        ("token_url", &provider.token_url),
        ("userinfo_url", &provider.userinfo_url),
    ];
    for (name, value) in addresses {
        let key = format!("{table}.{name}");
        match (value, &provider.issuer) {
            (None, None) => {
                return Err(is_missing(
                    key,
                    format!("{table}.issuer is not, which would tell it"),
                ));
            }
            (Some(value), Some(_)) => {
                let reason = "the issuer's discovery document tells it; leave out one of the two";
                return Err(is_void(key, value, reason));
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
    }
    let all = [("issuer", &provider.issuer), ("emails_url", &provider.emails_url)];
    for (name, value) in all.into_iter().chain(addresses) {
        check_address(&format!("{table}.{name}"), value.as_deref())?;
    }
    Ok(())
}

fn check_issuer(table: &str, issuer: &ExternalIssuer) -> Result<(), ConfigError> {
    for (name, value) in [("issuer", &issuer.issuer), ("audience", &issuer.audience)] {
        if value.is_none() {
            let because = format!("{table} is an issuer whose tokens are accepted");
            return Err(is_missing(format!("{table}.{name}"), because));
        }
    }
    check_address(&format!("{table}.issuer"), issuer.issuer.as_deref())?;
    let because = || format!("{table} has the other one of the two");
    match (&issuer.role_claim, &issuer.roles) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(is_missing(format!("{table}.roles"), because())),
        (None, Some(_)) => Err(is_missing(format!("{table}.role_claim"), because())),
        (Some(_), Some(roles)) => {
            let is_good = |pair: &str| {
                let role = pair.split_once('=').map(|(_, role)| role.trim());
                role.is_some_and(|role| ROLES.contains(&role))
            };
            if roles.split(',').all(is_good) {
                return Ok(());
            }
            let reason = "pairs such as staff=creator,ops=admin are expected, of roles viewer, creator, admin and service";
            Err(is_void(format!("{table}.roles"), roles, reason))
        }
    }
}

fn check_address(key: &str, address: Option<&str>) -> Result<(), ConfigError> {
    match address {
        Some(address) if !(address.starts_with("https://") || address.starts_with("http://")) => Err(
            is_void(key.to_owned(), address, "it must start with https:// or http://"),
        ),
        Some(_) | None => Ok(()),
    }
}

fn is_missing(key: String, because: String) -> ConfigError {
    let variable = variable_of(&key);
    ConfigError::Missing {
        key,
        variable,
        because,
    }
}

fn is_void(key: String, value: &str, reason: &str) -> ConfigError {
    ConfigError::Value {
        origin: "configuration".to_owned(),
        key,
        value: format!("{value:?}"),
        reason: reason.to_owned(),
    }
}
