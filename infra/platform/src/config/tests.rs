//! The layers, their errors, and printing.
use super::fields::{FIELDS, Field, Kind};
use super::*;

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
        &flags(&[("public_url", "https://a.example"), ("log.partitions", "3")]),
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
fn every_field_of_the_struct_is_in_the_table_and_explained() {
    let all = toml::Table::try_from(Config {
        public_url: Some("x".into()),
        keys_dir: Some("x".into()),
        kafka: Kafka {
            brokers: Some("x".into()),
            topic_prefix: Some("x".into()),
            properties: Some("x".into()),
            ..Config::default().kafka
        },
        ..Config::default()
    })
    .expect("settings are plain values");
    let count: usize = all
        .values()
        .map(|value| value.as_table().map_or(1, toml::Table::len))
        .sum();
    // media.spool_media is unset.
    assert_eq!(count + 1, FIELDS.len());
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
fn what_kafka_is_configured_with_is_shown_nowhere() {
    let secret = [
        ("kafka.brokers", "a:9092"),
        ("kafka.properties", "sasl.password=hush-hush"),
    ];
    let config = Config::from_layers(None, [], &flags(&secret)).expect("both flags are good");
    assert!(config.print().contains("properties = \"redacted\""));
    assert!(!config.print().contains("hush-hush") && !format!("{config:?}").contains("hush-hush"));
}
