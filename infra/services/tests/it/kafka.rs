//! Kafka with one broker and with three. What it does with records is tested where the product uses it.

use spool_services::{Brokers, Kafka};

use crate::tcp::{is_listening, wait_until_closed};

#[test]
fn one_broker_comes_back_on_its_port_after_a_kill_and_is_gone_after_drop() {
    let mut kafka = Kafka::start(Brokers::One).expect("a broker starts");
    let address = kafka.bootstrap().to_owned();
    assert!(is_listening(&address));
    kafka.kill(1).expect("it was running");
    assert!(!is_listening(&address));
    assert!(kafka.kill(1).is_err(), "it is dead already");
    kafka.restart(1).expect("it comes back");
    assert_eq!(kafka.bootstrap(), address);
    assert!(is_listening(&address));
    drop(kafka);
    assert!(!is_listening(&address));
}

#[test]
fn three_brokers_know_each_other_and_come_back_one_by_one_after_all_were_killed() {
    let mut kafka = Kafka::start(Brokers::Three).expect("three brokers start");
    let addresses: Vec<String> = kafka.bootstrap().split(',').map(str::to_owned).collect();
    assert_eq!(addresses.len(), 3);
    for (broker, address) in (1..).zip(&addresses) {
        assert_eq!(kafka.address(broker).expect("there are three"), *address);
        kafka.kill(broker).expect("it was running");
        assert!(!is_listening(address));
    }
    kafka
        .restart(3)
        .expect("it starts, though it cannot serve without a majority");
    kafka.restart(1).expect("two of three serve");
    kafka.restart(2).expect("all serve again");
    assert!(addresses.iter().all(|address| is_listening(address)));
    kafka.stop();
    for address in &addresses {
        wait_until_closed(address);
    }
}

#[test]
fn a_broker_that_is_not_there_is_named_in_the_error() {
    let refused = Kafka::start_on(&[(20_001, 20_002), (20_003, 20_004)]).err();
    let said = refused
        .expect("two brokers have no majority without each other")
        .to_string();
    assert!(said.contains("not with 2"), "{said}");
}
