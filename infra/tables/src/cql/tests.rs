//! The CQL backend on a real Apache Cassandra.
mod agreeing;
mod outages;
mod registers;
mod same_rows;
mod writers;

use spool_services::{Cassandra, fresh_name};

use crate::{Batch, CqlSettings, Credentials, Position, Tables, TablesError, ViewTables, contract};

/// A keyspace that nobody has used, on the server all tests share.
fn settings() -> CqlSettings {
    let mut settings = settings_for(Cassandra::shared());
    settings.keyspace = fresh_name("spool_tables_");
    // All tests load one small server at once, and none of them is about time.
    settings.request_timeout = std::time::Duration::from_secs(30);
    settings
}

fn settings_for(server: &Cassandra) -> CqlSettings {
    let mut settings = CqlSettings::new([server.contact_point()]);
    settings.credentials = Some(Credentials::new(server.user(), server.password()));
    settings
}

fn open(settings: &CqlSettings) -> Tables {
    Tables::cql(settings.clone()).expect("the server answers")
}

fn at(offset: u64) -> Position {
    let partition = 0;
    Position { partition, offset }
}

fn commit(view: &ViewTables, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    view.commit(&batch).expect("the batch is kept");
}

fn value(view: &ViewTables, pk: &str) -> Option<String> {
    let row = view.get("t", pk, "").expect("readable")?;
    Some(String::from_utf8_lossy(&row.value).into_owned())
}

#[test]
fn the_cql_backend_passes_the_contract() {
    let settings = settings();
    contract::run(|| open(&settings));
}

fn check_refused(settings: CqlSettings, expected: &str) {
    let refused = Tables::cql(settings)
        .err()
        .expect("it cannot be used")
        .to_string();
    assert!(refused.contains(expected), "{refused:?} should say {expected:?}");
    assert!(!refused.contains('\n'), "more than a line: {refused}");
    assert!(!refused.contains("hush-hush"), "{refused}");
}

#[test]
fn settings_that_cannot_work_are_one_clear_line() {
    // A port of this machine that was free a moment ago.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port");
    let mut unreachable = CqlSettings::new([nobody.to_string()]);
    unreachable.request_timeout = std::time::Duration::from_secs(2);
    check_refused(
        unreachable,
        &format!("the CQL server does not answer (connecting): {nobody}"),
    );
    check_refused(CqlSettings::new([] as [&str; 0]), "connecting to the CQL server");
    let at = Cassandra::shared().contact_point();
    let mut stranger = settings();
    stranger.credentials = None;
    check_refused(
        stranger.clone(),
        &format!("the CQL server at {at} refuses the credentials: it wants some, and none are set"),
    );
    stranger.credentials = Some(Credentials::new(Cassandra::shared().user(), "hush-hush"));
    check_refused(
        stranger,
        &format!("the CQL server at {at} refuses the credentials"),
    );
    let mut odd = settings();
    odd.keyspace = "Odd-name".to_owned();
    check_refused(odd, "is no name");
    let mut nowhere = settings();
    nowhere.replication = crate::Replication::Datacenters([("nowhere".to_owned(), 1)].into());
    check_refused(nowhere, "nowhere");
}

#[test]
fn tables_that_were_made_are_empty_and_are_not_made_again() {
    let settings = settings();
    let view = open(&settings).view("made", 1).expect("opens");
    view.make(&["t", "u"]).expect("made");
    view.make(&["u", "t"]).expect("there already");
    assert_eq!(view.tables(), ["t", "u"]);
    assert_eq!(view.count("t", None).expect("countable"), 0);
    let hash = view.content_hash().expect("readable");
    let other = open(&settings).view("other", 1).expect("opens");
    assert_eq!(hash, other.content_hash().expect("readable"), "no table counts");
    commit(&view, |batch| batch.put("t", "a", "", "1", at(0)));
    assert_eq!(value(&view, "a"), Some("1".to_owned()));
    assert!(matches!(view.make(&["no name"]), Err(TablesError::BadName(_))));
}

#[test]
fn more_rows_than_a_page_are_all_read() {
    const ROWS: usize = 2_300;
    let settings = settings();
    let view = open(&settings).view("pages", 1).expect("opens");
    commit(&view, |batch| {
        for row in 0..ROWS {
            batch.put("t", "one", &format!("{row:05}"), "x", at(7));
            batch.put("t", &format!("key {row}"), "", "x", at(7));
        }
    });
    let range = |order, limit| {
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        view.range("t", "one", all, order, limit).expect("readable")
    };
    let ascending = range(crate::Order::Ascending, usize::MAX);
    assert_eq!(ascending.len(), ROWS);
    assert!(ascending.is_sorted_by(|a, b| a.sk < b.sk));
    let descending = range(crate::Order::Descending, 1_500);
    assert!(descending.iter().eq(ascending.iter().rev().take(1_500)));
    assert_eq!(view.count("t", None).expect("countable"), 2 * ROWS as u64);
    assert_eq!(view.count("t", Some("one")).expect("countable"), ROWS as u64);
    let mut keys = std::collections::BTreeSet::new();
    let mut after: Option<(String, String)> = None;
    loop {
        let last = after.as_ref().map(|(pk, sk)| (pk.as_str(), sk.as_str()));
        let page = view.scan("t", last, 777).expect("readable");
        let Some(row) = page.last() else { break };
        after = Some((row.pk.clone(), row.sk.clone()));
        for row in page {
            assert!(keys.insert((row.pk, row.sk)), "no row comes twice");
        }
    }
    assert_eq!(keys.len(), 2 * ROWS);
}

#[test]
fn calls_from_inside_a_runtime_are_answered_whatever_its_kind() {
    let settings = settings();
    let view = open(&settings).view("runtimes", 1).expect("opens");
    commit(&view, |batch| batch.put("t", "a", "", "1", at(0)));
    let single = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("it starts");
    assert_eq!(single.block_on(async { value(&view, "a") }), Some("1".to_owned()));
    let several = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("it starts");
    let in_a_task = several.spawn({
        let view = view.clone();
        async move { value(&view, "a") }
    });
    assert_eq!(
        several.block_on(in_a_task).expect("no panic"),
        Some("1".to_owned())
    );
    // The last handle may go inside a runtime, too.
    several.block_on(async move { drop(view) });
    assert!(matches!(
        Tables::cql(CqlSettings {
            keyspace: String::new(),
            ..settings
        }),
        Err(TablesError::BadKeyspace(_))
    ));
}
