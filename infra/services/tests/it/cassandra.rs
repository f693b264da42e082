//! Cassandra keeps its rows over a kill.

use spool_services::{Cassandra, fresh_name};

use crate::cql::Session;
use crate::tcp::is_listening;

#[test]
fn rows_are_still_there_after_a_kill_and_the_node_is_gone_after_drop() {
    let mut cassandra = Cassandra::start().expect("a node starts");
    let address = cassandra.contact_point().to_owned();
    let keyspace = fresh_name("films");
    let mut session = Session::open(&address);
    session.query(&format!(
        "CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    ));
    session.query(&format!(
        "CREATE TABLE {keyspace}.reels (id int PRIMARY KEY, title text)"
    ));
    session.query(&format!(
        "INSERT INTO {keyspace}.reels (id, title) VALUES (1, 'still here')"
    ));
    cassandra.kill().expect("it was running");
    assert!(!is_listening(&address));
    cassandra.restart().expect("it comes back");
    let row = Session::open(&address).query(&format!("SELECT title FROM {keyspace}.reels WHERE id = 1"));
    assert!(String::from_utf8_lossy(&row).contains("still here"));
    drop(cassandra);
    assert!(!is_listening(&address));
}
