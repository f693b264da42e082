//! What an operator is told when a server on other servers cannot start: one line that says what to do.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use spool_services::{S3, fresh_name};
use tempfile::TempDir;

use super::Servers;
use crate::server::Setup;

/// The patience with brokers, which is the longest there is, and a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
const SECRET: &str = "hush-hush";

/// A server on the shared servers, which the tests then lead astray.
struct Astray {
    folder: TempDir,
    servers: Servers<'static>,
}

impl Astray {
    async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a directory for the test"),
            servers: Servers::shared().await,
        }
    }

    fn setup(&self) -> Setup {
        let folder = self.folder.path();
        Setup::new(folder.join("data"), folder.join("server.log"))
    }

    async fn installed(&self) -> Setup {
        let setup = self.servers.install(self.setup()).await;
        setup.expect("the topics are made")
    }
}

/// It ends by itself, as a failure, and says why in one line, its last, that has all of `expected`. Before it may come what
/// was done until then, and what clients of the servers log.
async fn check(setup: &Setup, expected: &[&str]) {
    let mut server = setup.spawn().expect("the binary is there");
    let status = server.ended(ENDS_WITHIN).await.expect("it does not go on");
    let said = server.said();
    assert_eq!(status.code(), Some(1), "{said}");
    let why: Vec<_> = said.lines().filter(|line| line.starts_with("spool: ")).collect();
    assert_eq!(
        why.as_slice(),
        [said.lines().last().unwrap_or_default()],
        "{said}"
    );
    for words in expected {
        assert!(why[0].contains(words), "{words:?} is not in: {said}");
    }
    assert!(!said.contains(SECRET), "{said}");
    assert!(!said.contains('\u{1b}'), "colours in a file: {said:?}");
    println!("{said}");
}

/// A port of this machine that nobody listens on.
fn nobody() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it has an address").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_missing_or_has_other_partitions_is_refused() {
    let astray = Astray::new().await;
    let missing = astray.servers.configure(astray.setup());
    check(
        &missing,
        &["spool.log", "the topic is missing", "spool topics ensure"],
    )
    .await;

    let astray = Astray::new().await;
    let few = astray.installed().await.with("LOG_PARTITIONS", "8");
    check(
        &few,
        &[
            "the number of partitions is 4, wanted 8",
            "configure log.partitions",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_away_are_named() {
    let nobody = nobody();
    let astray = Astray::new().await;
    let brokers = astray.servers.configure(astray.setup());
    check(
        &brokers.with("KAFKA_BROKERS", &nobody),
        &["no Kafka broker answers at", &nobody, "kafka.brokers"],
    )
    .await;
    let tables = Astray::new().await;
    let setup = tables.installed().await.with("CQL_CONTACT_POINTS", &nobody);
    check(
        &setup,
        &["the CQL server does not answer", &nobody, "cql.contact_points"],
    )
    .await;
    let blobs = Astray::new().await;
    let endpoint = format!("http://{nobody}");
    let setup = blobs.installed().await.with("S3_ENDPOINT", &endpoint);
    check(&setup, &["no object store answers at", &endpoint, "s3.endpoint"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_are_wrong_are_told_apart() {
    let astray = Astray::new().await;
    let wrong = astray.installed().await.with("S3_SECRET_KEY", SECRET);
    check(&wrong, &["does not accept the signature", "s3.secret_key"]).await;
    let astray = Astray::new().await;
    let nobody = astray.installed().await.with("S3_ACCESS_KEY", "nobody");
    check(&nobody, &["does not know the access key", "s3.access_key"]).await;
    let astray = Astray::new().await;
    let wrong = astray.installed().await.with("CQL_PASSWORD", SECRET);
    check(
        &wrong,
        &["the CQL server at", "refuses the credentials", "cql.password"],
    )
    .await;
    let astray = Astray::new().await;
    let stranger = astray.installed().await;
    check(
        &stranger.without("CQL_USER").without("CQL_PASSWORD"),
        &[
            "refuses the credentials: it wants some, and none are set",
            "cql.user",
        ],
    )
    .await;
    // This broker asks nobody who they are, and refuses whoever wants to say it.
    let astray = Astray::new().await;
    let login = format!(
        "security.protocol=SASL_PLAINTEXT;sasl.mechanism=PLAIN;sasl.username=anna;sasl.password={SECRET}"
    );
    let setup = astray.servers.configure(astray.setup());
    check(
        &setup.with("KAFKA_PROPERTIES", &login),
        &["Kafka refuses these credentials", "kafka.properties"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_missing_or_can_only_be_read_is_refused() {
    let astray = Astray::new().await;
    let missing = astray.installed().await.with("S3_CREATE_BUCKET", "false");
    check(&missing, &["there is no bucket", "s3.create_bucket"]).await;

    let astray = Astray::new().await;
    let bucket = fresh_name("read-only-");
    everybody_may_read(astray.servers.s3, &bucket).await;
    let reader = astray.installed().await.with("S3_BUCKET", &bucket);
    check(
        &reader.with("S3_ANONYMOUS", "true"),
        &["can be read but not written", "s3:PutObject"],
    )
    .await;
}

async fn everybody_may_read(s3: &S3, bucket: &str) {
    let credentials = Credentials::new(s3.access_key(), s3.secret_key(), None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(s3.endpoint())
        .region(Region::new(s3.region().to_owned()))
        .force_path_style(true)
        .credentials_provider(credentials);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let made = client.create_bucket().bucket(bucket).send().await;
    made.expect("the bucket is made");
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": "*",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]}}]}}"#
    );
    let asked = client.put_bucket_policy().bucket(bucket).policy(policy);
    asked.send().await.expect("the policy is taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_a_choice_needs_is_named() {
    let astray = Astray::new().await;
    for (choice, value, needed) in [
        ("LOG_BACKEND", "kafka", "SPOOL_KAFKA_BROKERS"),
        ("TABLES_BACKEND", "cql", "SPOOL_CQL_CONTACT_POINTS"),
        ("BLOBS_BACKEND", "s3", "SPOOL_S3_BUCKET"),
    ] {
        let folder = tempfile::tempdir().expect("a directory for the test");
        let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log"));
        check(&setup.with(choice, value), &["must be set", needed]).await;
    }
    let odd = astray.installed().await.with("CQL_REPLICATION", "many");
    check(&odd, &["cql.replication", "many"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_directory_is_refused() {
    let astray = Astray::new().await;
    let setup = astray.installed().await;
    let first = setup.start().await.expect("the first one starts");
    let second = Setup::new(setup.data(), astray.folder.path().join("second.log"));
    check(
        &astray.servers.configure(second),
        &["is in use by another process", "data_dir"],
    )
    .await;
    first.stop().await.expect("the first one was not disturbed");
}
