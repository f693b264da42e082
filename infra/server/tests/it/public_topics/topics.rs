//! `spool topics` as an operator meets it.

use spool_kafka::Settings;

use super::{installation, said, spool_topics};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_told_what_is_missing_makes_it_and_is_told_that_all_is_well() {
    let settings = installation().await;
    let before = spool_topics(&settings, &["check", "--replication", "1"]).await;
    let (told, _) = said(&before);
    assert_eq!(before.status.code(), Some(1), "{told}");
    for words in ["spool.log", "video-events", "missing", "spool topics ensure"] {
        assert!(told.contains(words), "{words} is not in:\n{told}");
    }
    let made = spool_topics(&settings, &["ensure", "--replication", "1"]).await;
    let (told, _) = said(&made);
    assert!(
        made.status.success() && told.contains(&format!("made {}", settings.topic("spool.log"))),
        "{told}"
    );
    let after = spool_topics(&settings, &["check", "--replication", "1"]).await;
    assert!(after.status.success(), "{:?}", said(&after));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_broker_must_be_asked_for() {
    let settings = installation().await;
    let refused = spool_topics(&settings, &["ensure"]).await;
    let (told, _) = said(&refused);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told.contains("there are 1") && told.contains("--replication 1"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_away_and_settings_that_are_no_good_are_one_line() {
    let away = spool_topics(&Settings::new("127.0.0.1:1"), &["check"]).await;
    let (_, told) = said(&away);
    assert_eq!((away.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("no Kafka broker answers at 127.0.0.1:1"), "{told}");

    let none = spool_topics(&Settings::new(""), &["check"]).await;
    let (_, told) = said(&none);
    assert_eq!((none.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("set kafka.brokers"), "{told}");

    let setting = "kafka.properties=acks=1";
    let refused = spool_topics(&Settings::new("127.0.0.1:1"), &["check", "--set", setting]).await;
    let (_, told) = said(&refused);
    assert_eq!(
        (refused.status.code(), told.lines().count()),
        (Some(1), 1),
        "{told}"
    );
    assert!(told.contains("may not change acks"), "{told}");
}
