//! What people are told when the brokers are away or refuse them: one line, within seconds.

use spool_kafka::{Connection, Error, Settings};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

#[tokio::test]
async fn brokers_that_are_away_are_one_clear_line_within_seconds() {
    // Held and never answered on, so that nobody else takes the port.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let closed = listener.local_addr().expect("it has an address").to_string();
    drop(listener);
    check_told(&Settings::new(&closed), &closed).await;
}

#[tokio::test]
async fn a_name_that_nobody_has_is_one_clear_line_within_seconds() {
    check_told(
        &Settings::new("no-such-host.invalid:9092"),
        "no-such-host.invalid",
    )
    .await;
}

async fn check_told(settings: &Settings, named: &str) {
    let began = Instant::now();
    let opened = Connection::open(settings, Duration::from_secs(3)).await;
    let Err(error) = opened else {
        panic!("nobody is there");
    };
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let told = error.to_string();
    assert!(
        told.contains(named) && told.contains("kafka.brokers") && !told.contains('\n'),
        "{told}"
    );
    // Generous: a question under way is finished, and the machine may be busy.
    assert!(began.elapsed() < Duration::from_secs(30));
}
