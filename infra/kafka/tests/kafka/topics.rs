//! Topics: made as the promises need them, checked, and never changed.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use spool_kafka::topics::{self, Report, TopicSpec};
use spool_kafka::{Connection, PartitionState, Settings};
use spool_services::{Kafka, fresh_name};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(20);

/// An installation of its own on the shared broker.
async fn installation() -> (Settings, Connection) {
    let broker = tokio::task::spawn_blocking(Kafka::shared)
        .await
        .expect("a broker starts");
    let settings = Settings::new(broker.bootstrap()).with_prefix(fresh_name("topics-"));
    let connection = Connection::open(&settings, WITHIN)
        .await
        .expect("the broker runs");
    (settings, connection)
}

fn all(replicas: u16) -> Vec<TopicSpec> {
    let mut specs = vec![TopicSpec::log(4, replicas), TopicSpec::signals(replicas)];
    specs.extend(TopicSpec::public(4, replicas));
    specs
}

/// Makes `spool.log` with these settings, and tells what is found about it.
async fn check_found(partitions: i32, changed: (&str, &str), expected: &[&str]) {
    let (settings, connection) = installation().await;
    let name = settings.topic(topics::LOG);
    let good = [
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("min.insync.replicas", "1"),
        ("max.message.bytes", "5242880"),
    ];
    let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    for (setting, value) in good {
        topic = topic.set(setting, if setting == changed.0 { changed.1 } else { value });
    }
    if !good.iter().any(|(setting, _)| *setting == changed.0) && !changed.0.is_empty() {
        topic = topic.set(changed.0, changed.1);
    }
    make(&settings, &topic).await;
    led(&connection, &name).await;
    let specs = [TopicSpec::log(4, 1)];
    let checked = topics::check(&connection, &specs)
        .await
        .expect("it can be checked");
    let found: Vec<&str> = checked
        .findings
        .iter()
        .map(|finding| finding.what.as_str())
        .collect();
    assert_eq!(found, expected, "{:#?}", checked.findings);
    for finding in &checked.findings {
        let shown = finding.to_string();
        assert!(!shown.contains('\n') && shown.starts_with(&name), "{shown}");
        assert!(!finding.promise.is_empty() && !finding.fix.is_empty());
    }
    // Asked to ensure, it says the same and changes nothing.
    let ensured = topics::ensure(&connection, &specs)
        .await
        .expect("it can be checked");
    assert_eq!(ensured, checked);
}

/// Waits until each partition of the new topic has a leader; without one, that would be found as well.
async fn led(connection: &Connection, name: &str) {
    let deadline = Instant::now() + WITHIN;
    loop {
        let partitions = connection.partitions(name).await.expect("an answer");
        let all_led =
            |partitions: Vec<PartitionState>| partitions.iter().all(|partition| partition.has_leader);
        if partitions.is_some_and(all_led) {
            return;
        }
        assert!(Instant::now() < deadline, "{name} has no leaders");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn make(settings: &Settings, topic: &NewTopic<'_>) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers);
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let made = admin
        .create_topics([topic], &AdminOptions::new())
        .await
        .expect("an answer");
    made[0].as_ref().expect("the topic is made");
}

#[tokio::test]
async fn what_is_missing_is_made_as_the_promises_need_it() {
    let (_, connection) = installation().await;
    let specs = all(1);
    let before = topics::check(&connection, &specs)
        .await
        .expect("it can be checked");
    assert_eq!(
        (before.sound.len(), before.findings.len()),
        (0, specs.len()),
        "{before:#?}"
    );
    assert!(
        before
            .findings
            .iter()
            .all(|finding| finding.fix.contains("spool topics ensure"))
    );

    let ensured = topics::ensure(&connection, &specs)
        .await
        .expect("they can be made");
    assert_eq!(
        (ensured.made.len(), ensured.findings.len()),
        (specs.len(), 0),
        "{ensured:#?}"
    );

    let again = topics::ensure(&connection, &specs).await.expect("they are there");
    assert_eq!(
        again,
        topics::check(&connection, &specs)
            .await
            .expect("it can be checked")
    );
    let names = specs
        .iter()
        .map(|spec| connection.settings().topic(spec.name))
        .collect();
    let sound = Report {
        sound: names,
        ..Report::default()
    };
    assert_eq!(again, sound);
}

#[tokio::test]
async fn fewer_brokers_than_replicas_is_said_before_anything_is_made() {
    let (settings, connection) = installation().await;
    let ensured = topics::ensure(&connection, &[TopicSpec::log(4, 3)])
        .await
        .expect("an answer");
    let fix = &ensured.findings[0].fix;
    assert!(
        fix.contains("there are 1") && fix.contains("--replication 1"),
        "{fix}"
    );
    let partitions = connection.partitions(&settings.topic(topics::LOG)).await;
    assert_eq!(partitions.expect("an answer"), None);
}

#[tokio::test]
async fn a_topic_that_is_as_it_must_be_is_sound() {
    check_found(4, ("", ""), &[]).await;
}

#[tokio::test]
async fn too_few_partitions_are_found() {
    check_found(3, ("", ""), &["the number of partitions"]).await;
}

#[tokio::test]
async fn too_many_partitions_are_found() {
    check_found(5, ("", ""), &["the number of partitions"]).await;
}

#[tokio::test]
async fn compaction_is_found() {
    check_found(4, ("cleanup.policy", "compact"), &["cleanup.policy"]).await;
    check_found(4, ("cleanup.policy", "compact,delete"), &["cleanup.policy"]).await;
}

#[tokio::test]
async fn facts_that_would_be_deleted_are_found() {
    check_found(4, ("retention.ms", "604800000"), &["retention.ms"]).await;
    check_found(4, ("retention.bytes", "1000000000"), &["retention.bytes"]).await;
}

#[tokio::test]
async fn too_many_replicas_in_sync_are_found() {
    check_found(4, ("min.insync.replicas", "2"), &["min.insync.replicas"]).await;
}

#[tokio::test]
async fn unclean_leaders_are_found() {
    check_found(
        4,
        ("unclean.leader.election.enable", "true"),
        &["unclean.leader.election.enable"],
    )
    .await;
}

#[tokio::test]
async fn too_small_records_are_found() {
    check_found(4, ("max.message.bytes", "1048588"), &["max.message.bytes"]).await;
}

#[tokio::test]
async fn too_few_replicas_are_found() {
    let (settings, connection) = installation().await;
    let specs = [TopicSpec::log(4, 1)];
    topics::ensure(&connection, &specs).await.expect("it can be made");
    let wanted = [TopicSpec::log(4, 3)];
    let found = topics::check(&connection, &wanted)
        .await
        .expect("it can be checked")
        .findings;
    let what: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(
        what,
        ["the number of replicas", "min.insync.replicas"],
        "{found:#?}"
    );
    assert_eq!(found[0].topic, settings.topic(topics::LOG));
}
