//! The layers, their errors, and printing.
use super::fields::{FIELDS, Field, Kind};
use super::*;

mod named;

fn flags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn check_refused(file: &str, environment: &[(&str, &str)], flag: &[(&str, &str)], expected: &str) {
    let refused = Config::from_layers(Some(file), flags(environment), &flags(flag));
    let message = refused.expect_err("this must be refused").to_string();
    assert!(message.contains(expected), "{message:?} should say {expected:?}");
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = Config::default();
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.keys_dir(), PathBuf::from("./data/keys"));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((config.log.partitions, config.log.segment_bytes), (16, 64 << 20));
    assert_eq!(
        (config.uploads.max_bytes, config.uploads.min_free_bytes),
        (4 << 30, 64 << 20)
    );
    assert_eq!(config.auth.refresh_token_seconds, 30 * 86_400);
    assert_eq!(config.telemetry.format, Format::Pretty);
    assert!((1..=5).contains(&config.media.concurrent_jobs()));
}

#[test]
fn the_environment_goes_over_the_file_and_flags_over_both() {
    let file =
        "data_dir = '/file'\n[uploads]\nmax_bytes = \"1GiB\"\nmin_free_bytes = 7\n[log]\npartitions = 4\n";
    let environment = flags(&[
        ("SPOOL_UPLOADS_MAX_BYTES", "2GiB"),
        ("SPOOL_LOG_PARTITIONS", "5"),
        ("OTHER", "x"),
    ]);
    let flags = flags(&[("log.partitions", "6"), ("media.unsafe_no_sandbox", "true")]);
    let config = Config::from_layers(Some(file), environment, &flags).expect("all of it is good");
    assert_eq!(config.data_dir, PathBuf::from("/file"));
    assert_eq!(
        (config.uploads.max_bytes, config.uploads.min_free_bytes),
        (2 << 30, 7)
    );
    assert_eq!(config.log.partitions, 6);
    assert!(config.media.unsafe_no_sandbox);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    check_refused(
        "[uploads]\nmax_byte = 1\n",
        &[],
        &[],
        "unknown setting uploads.max_byte; did you mean uploads.max_bytes?",
    );
    check_refused("partitions = 1\n", &[], &[], "did you mean log.partitions?");
    check_refused(
        "",
        &[],
        &[("jobs.leaseseconds", "1")],
        "did you mean jobs.lease_seconds?",
    );
    check_refused("[log.inner]\nx = 1\n", &[], &[], "unknown setting log.inner");
    check_refused("log = 3\n", &[], &[], "unknown setting log;");
}

#[test]
fn a_bad_value_is_refused_with_its_origin_and_reason() {
    check_refused(
        "[log]\npartitions = 0\n",
        &[],
        &[],
        "log.partitions cannot be 0: it must be at least 1",
    );
    check_refused(
        "",
        &[("SPOOL_LOG_PARTITIONS", "many")],
        &[],
        "environment variable SPOOL_LOG_PARTITIONS",
    );
    check_refused(
        "",
        &[],
        &[("uploads.max_bytes", "4 parsecs")],
        "a number of bytes is expected",
    );
    check_refused(
        "",
        &[],
        &[("listen", "here")],
        "flag for listen: listen cannot be \"here\"",
    );
    check_refused(
        "[telemetry]\nformat = 'xml'\n",
        &[],
        &[],
        "telemetry.format cannot be \"xml\"",
    );
    check_refused(
        "[log]\npartitions = 1.5\n",
        &[],
        &[],
        "a whole number is expected",
    );
    check_refused("not toml at all", &[], &[], "not TOML");
}

#[test]
fn printing_gives_a_file_that_reads_back_to_the_same() {
    let config = Config::from_layers(
        None,
        [],
        &flags(&[
            ("public_url", "https://a.example"),
            ("log.partitions", "3"),
            ("limits.sign_in", "5/15m"),
            ("limits.media", "off"),
            ("edge.trusted_proxies", "10.0.0.0/8, 192.0.2.7"),
            ("edge.cors_origins", "https://b.example,http://localhost:5173"),
        ]),
    )
    .expect("both flags are good");
    let printed = config.print();
    assert!(printed.contains("SPOOL_UPLOADS_MAX_BYTES"));
    assert_eq!(
        Config::from_layers(Some(&printed), [], &[]).expect("what is printed is good"),
        config
    );
}

#[test]
fn settings_of_the_edge_are_refused_with_what_is_expected() {
    let check = |flag, expected| check_refused("", &[], &[flag], expected);
    check(
        ("limits.queries", "100 an hour"),
        "limits.queries cannot be \"100 an hour\": a rate is expected, such as 600/1m",
    );
    check(("limits.preset", "loose"), "limits.preset cannot be \"loose\"");
    check(
        ("edge.trusted_proxies", "10.0.0.0/8,proxy"),
        "\"proxy\" is no network",
    );
    check(
        ("edge.cors_origins", "https://a.example/"),
        "\"https://a.example/\" is no origin",
    );
    check(
        ("edge.proxy_header", "via"),
        "edge.proxy_header cannot be \"via\"",
    );
    check(
        ("edge.tls_cert", "a.pem"),
        "edge.tls_key must be set (SPOOL_EDGE_TLS_KEY",
    );
}

#[test]
fn every_field_of_the_struct_is_in_the_table_and_explained() {
    let mut config = Config {
        public_url: Some("x".into()),
        keys_dir: Some("x".into()),
        ..Config::default()
    };
    config.media.spool_media = Some("x".into());
    config.mail.file = Some("x".into());
    (config.edge.tls_cert, config.edge.tls_key) = (Some("x".into()), Some("x".into()));
    config.edge.trusted_proxies = Some(Networks::default());
    config.edge.cors_origins = Some(Origins::Any);
    let rates = [
        &mut config.limits.sign_in,
        &mut config.limits.commands,
        &mut config.limits.queries,
        &mut config.limits.media,
        &mut config.limits.sockets,
    ];
    rates.into_iter().for_each(|rate| *rate = Some(Rate::Off));
    let texts = [
        &mut config.cluster.node,
        &mut config.cluster.url,
        &mut config.kafka.brokers,
        &mut config.kafka.topic_prefix,
        &mut config.cql.contact_points,
        &mut config.cql.user,
        &mut config.cql.datacenter,
        &mut config.s3.endpoint,
        &mut config.s3.bucket,
        &mut config.s3.prefix,
        &mut config.s3.access_key,
        &mut config.s3.browser_endpoint,
        &mut config.s3.cdn_url,
    ];
    texts.into_iter().for_each(|text| *text = Some("x".into()));
    let secrets = [
        &mut config.mail.smtp_url,
        &mut config.kafka.properties,
        &mut config.cql.password,
        &mut config.s3.secret_key,
    ];
    secrets
        .into_iter()
        .for_each(|secret| *secret = Some(toml::Value::from("x").try_into().expect("a secret is text")));
    let all = toml::Table::try_from(config).expect("settings are plain values");
    let count: usize = all
        .values()
        .map(|value| value.as_table().map_or(1, toml::Table::len))
        .sum();
    assert_eq!(count, FIELDS.len());
    assert!(FIELDS.iter().all(|field| field.meaning.ends_with(['.', ')'])));
}

#[test]
fn secrets_are_not_printed() {
    let secret = Field {
        key: "listen",
        kind: Kind::Text,
        default: None,
        secret: true,
        meaning: "A secret.",
    };
    let printed = print::annotated(&[secret], &Config::default());
    assert!(printed.contains("listen = \"redacted\"") && !printed.contains("127.0.0.1"));
}

#[test]
fn what_servers_are_asked_with_is_shown_nowhere() {
    let given = [
        ("kafka.properties", "sasl.password=hush-hush"),
        ("cql.user", "anna"),
        ("cql.password", "hush-hush"),
        ("s3.access_key", "anna"),
        ("s3.secret_key", "hush-hush"),
    ];
    let config = Config::from_layers(None, [], &flags(&given)).expect("all flags are good");
    let printed = config.print();
    for name in ["properties", "password", "secret_key"] {
        assert!(printed.contains(&format!("\n{name} = \"redacted\"")), "{printed}");
    }
    assert!(!printed.contains("hush-hush") && !format!("{config:?}").contains("hush-hush"));
    let secret = config.s3.secret_key.as_ref().map(Secret::reveal);
    assert_eq!(secret, Some("hush-hush"), "who it is meant for gets it");
}

#[test]
fn a_server_that_is_chosen_must_be_named() {
    let chosen = [
        (
            "log.backend",
            "kafka",
            "kafka.brokers must be set (SPOOL_KAFKA_BROKERS, ",
        ),
        (
            "tables.backend",
            "cql",
            "cql.contact_points must be set (SPOOL_CQL_CONTACT_POINTS, ",
        ),
        ("blobs.backend", "s3", "s3.bucket must be set (SPOOL_S3_BUCKET, "),
        (
            "s3.access_key",
            "anna",
            "s3.secret_key must be set (SPOOL_S3_SECRET_KEY, ",
        ),
        (
            "cql.user",
            "anna",
            "cql.password must be set (SPOOL_CQL_PASSWORD, ",
        ),
        (
            "cql.password",
            "hush-hush",
            "cql.user must be set (SPOOL_CQL_USER, ",
        ),
    ];
    for (key, value, expected) in chosen {
        check_refused("", &[], &[(key, value)], expected);
    }
    check_refused(
        "[log]\nbackend = 'paper'\n",
        &[],
        &[],
        "log.backend cannot be \"paper\"",
    );
    check_refused(
        "[cql]\nconsistency = 'one'\n",
        &[],
        &[],
        "cql.consistency cannot be \"one\"",
    );
}

#[test]
fn the_example_of_a_cluster_is_good_and_finds_the_servers_of_the_compose_file() {
    let example = include_str!("../../../deploy/cluster.toml");
    let compose = include_str!("../../../deploy/compose.yaml");
    let config = Config::from_layers(Some(example), [], &[]).expect("the example is good");
    assert_eq!(config.log.backend, LogBackend::Kafka);
    assert_eq!(config.tables.backend, TablesBackend::Cql);
    assert_eq!(config.blobs.backend, BlobsBackend::S3);
    let secret = config.s3.secret_key.as_ref().map(Secret::reveal);
    let said = [
        config.kafka.brokers.as_deref(),
        config.cql.contact_points.as_deref(),
        config
            .s3
            .endpoint
            .as_deref()
            .and_then(|endpoint| endpoint.strip_prefix("http://")),
        config.s3.access_key.as_deref(),
        secret,
    ];
    for said in said {
        let said = said.expect("it is said");
        assert!(compose.contains(said), "{said} is not in compose.yaml");
    }
}
