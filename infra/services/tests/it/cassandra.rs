//! Cassandra keeps its rows over a kill, and asks who wants to read them.

use spool_services::{Cassandra, fresh_name};

use crate::tcp::is_listening;

#[test]
fn rows_are_still_there_after_a_kill_and_the_node_is_gone_after_drop() {
    let mut cassandra = Cassandra::start().expect("a node starts");
    let address = cassandra.contact_point().to_owned();
    let keyspace = fresh_name("films");
    for cql in [
        format!(
            "CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        ),
        format!("CREATE TABLE {keyspace}.reels (id int PRIMARY KEY, title text)"),
        format!("INSERT INTO {keyspace}.reels (id, title) VALUES (1, 'still here')"),
    ] {
        cassandra.say(&cql).expect("it is done");
    }
    cassandra.kill().expect("it was running");
    assert!(!is_listening(&address));
    cassandra.restart().expect("it comes back");
    let select = format!("SELECT title FROM {keyspace}.reels WHERE id = 1");
    let row = cassandra.say(&select).expect("readable");
    assert!(String::from_utf8_lossy(&row).contains("still here"));
    drop(cassandra);
    assert!(!is_listening(&address));
}
