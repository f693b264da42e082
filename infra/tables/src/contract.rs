//! The suite every backend of the tables must pass. Each check panics with what it found.
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;

use crate::{Batch, Committed, Opened, Order, Position, Row, Tables, TablesError, ViewTables};

/// Runs all checks. `reopen` closes nothing and returns a handle to the same store as if in a new process; each check
/// uses views of its own.
///
/// # Panics
/// When the backend breaks a promise.
pub fn run(mut reopen: impl FnMut() -> Tables) {
    let tables = reopen();
    rows_are_read_back_by_key(&tables);
    ranges_follow_the_bytes_of_the_sort_key(&tables);
    scans_page_through_everything_once(&tables);
    repeated_writes_change_nothing(&tables);
    bad_names_and_keys_are_refused(&tables);
    versions_are_apart_and_can_be_dropped(&tables);
    the_hash_is_of_the_rows_alone(&tables);
    write_for_reopening(&tables);
    drop(tables);
    rows_and_checkpoints_are_there_after_reopening(&reopen());
}

fn at(partition: u16, offset: u64) -> Position {
    Position { partition, offset }
}

fn open(tables: &Tables, name: &str) -> ViewTables {
    tables.view(name, 1).expect("the view opens")
}

fn commit(view: &ViewTables, fill: impl FnOnce(&mut Batch)) -> Committed {
    let mut batch = Batch::new();
    fill(&mut batch);
    view.commit(&batch).expect("the batch is kept")
}

fn keys(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|row| (row.pk.as_str(), row.sk.as_str()))
        .collect()
}

fn value(view: &ViewTables, table: &str, pk: &str, sk: &str) -> Option<String> {
    let row = view.get(table, pk, sk).expect("readable")?;
    Some(String::from_utf8_lossy(&row.value).into_owned())
}

fn rows_are_read_back_by_key(tables: &Tables) {
    let view = open(tables, "contract_rows");
    assert_eq!(
        view.get("videos", "a", "1").expect("an unknown table is empty"),
        None
    );
    assert_eq!(view.count("videos", None).expect("an unknown table is empty"), 0);
    let done = commit(&view, |batch| {
        batch.put("videos", "a", "1", "old", at(2, 6));
        batch.put("videos", "a", "1", "one", at(2, 7));
        batch.put("videos", "ä/:'\"", "", Bytes::from_static(b"\x00\xff"), at(2, 8));
        batch.put("order", "a", "1", "other table, a word of SQL", at(2, 8));
    });
    assert_eq!(
        done,
        Committed {
            written: 3,
            skipped: 0
        }
    );
    let expected = Row {
        pk: "a".into(),
        sk: "1".into(),
        value: Bytes::from("one"),
        position: at(2, 7),
    };
    assert_eq!(view.get("videos", "a", "1").expect("readable"), Some(expected));
    let odd = view
        .get("videos", "ä/:'\"", "")
        .expect("readable")
        .expect("it was put");
    assert_eq!(odd.value, Bytes::from_static(b"\x00\xff"));
    assert_eq!(view.count("videos", None).expect("countable"), 2);
    assert_eq!(view.count("videos", Some("a")).expect("countable"), 1);
    assert_eq!(view.tables(), ["order", "videos"]);
    assert_eq!(view.checkpoints(), BTreeMap::from([(2, 9)]));
    commit(&view, |batch| {
        batch.delete("videos", "a", "1", at(2, 9));
        batch.advance(5, 40);
    });
    assert_eq!(value(&view, "videos", "a", "1"), None);
    assert_eq!(
        (view.checkpoint(2), view.checkpoint(5), view.checkpoint(6)),
        (10, 40, 0)
    );
}

fn ranges_follow_the_bytes_of_the_sort_key(tables: &Tables) {
    let view = open(tables, "contract_ranges");
    commit(&view, |batch| {
        for (offset, sk) in ["10", "9", "a", "A", "ß", "", "b"].iter().enumerate() {
            batch.put("t", "p", sk, *sk, at(0, offset as u64));
        }
        batch.put("t", "q", "10", "elsewhere", at(0, 50));
    });
    let check = |bounds, order, limit, expected: &[&str]| {
        let rows = view.range("t", "p", bounds, order, limit).expect("readable");
        let found: Vec<&str> = rows.iter().map(|row| row.sk.as_str()).collect();
        assert_eq!(found, expected, "{bounds:?} {order:?} {limit}");
    };
    check(
        (Unbounded, Unbounded),
        Order::Ascending,
        100,
        &["", "10", "9", "A", "a", "b", "ß"],
    );
    check((Unbounded, Unbounded), Order::Descending, 3, &["ß", "b", "a"]);
    check(
        (Included("9"), Excluded("b")),
        Order::Ascending,
        100,
        &["9", "A", "a"],
    );
    check(
        (Excluded("9"), Included("b")),
        Order::Descending,
        100,
        &["b", "a", "A"],
    );
    check((Unbounded, Excluded("9")), Order::Descending, 1, &["10"]);
    check((Excluded("b"), Unbounded), Order::Ascending, 1, &["ß"]);
    check((Included("c"), Excluded("d")), Order::Ascending, 1, &[]);
    check((Unbounded, Unbounded), Order::Ascending, 0, &[]);
}

fn scans_page_through_everything_once(tables: &Tables) {
    let view = open(tables, "contract_scans");
    let all = [("", ""), ("a", ""), ("a", "1"), ("a", "2"), ("b", "0")];
    commit(&view, |batch| {
        for (pk, sk) in all {
            batch.put("t", pk, sk, "x", at(0, 1));
        }
    });
    let pages_of = |limit: usize| {
        let mut found: Vec<Row> = Vec::new();
        loop {
            let after = found.last().map(|row| (row.pk.as_str(), row.sk.as_str()));
            let page = view.scan("t", after, limit).expect("readable");
            if page.is_empty() {
                break found;
            }
            assert!(page.len() <= limit, "a page of {} instead of {limit}", page.len());
            found.extend(page);
        }
    };
    let found = pages_of(2);
    for others in [1, 3, 100] {
        assert_eq!(
            pages_of(others),
            found,
            "the order is the same whatever the pages"
        );
    }
    // Rows of one partition key lie together, in order, wherever the backend puts the partition keys.
    let mut groups: Vec<&[Row]> = found.chunk_by(|a, b| a.pk == b.pk).collect();
    groups.sort_by_key(|group| &group[0].pk);
    let sorted: Vec<Row> = groups.concat();
    assert_eq!(keys(&sorted), all);
    assert!(view.scan("t", None, 0).expect("readable").is_empty());
}

fn repeated_writes_change_nothing(tables: &Tables) {
    let view = open(tables, "contract_repeats");
    let first = |batch: &mut Batch| {
        batch.put("t", "kept", "", "1", at(0, 3));
        batch.put("t", "deleted", "", "1", at(0, 4));
    };
    let second = |batch: &mut Batch| {
        batch.put("t", "kept", "", "2", at(0, 5));
        batch.delete("t", "deleted", "", at(0, 6));
    };
    commit(&view, first);
    commit(&view, second);
    let before = view.content_hash().expect("readable");
    assert_eq!(
        commit(&view, first),
        Committed {
            written: 0,
            skipped: 2
        }
    );
    assert_eq!(view.content_hash().expect("readable"), before);
    assert_eq!(
        commit(&view, second),
        Committed {
            written: 0,
            skipped: 2
        }
    );
    assert_eq!(view.content_hash().expect("readable"), before);
    assert_eq!(view.checkpoints(), BTreeMap::from([(0, 7)]));
    commit(&view, |batch| batch.advance(0, 2));
    assert_eq!(view.checkpoint(0), 7);
    // Another partition counts for itself.
    assert_eq!(
        commit(&view, |batch| batch.put("t", "new", "", "1", at(1, 0))).written,
        1
    );
}

fn bad_names_and_keys_are_refused(tables: &Tables) {
    let view = open(tables, "contract_names");
    for name in [
        "",
        "A",
        "1a",
        "a-b",
        "a\"b",
        "sqlite_x",
        "spool_checkpoints",
        "../a",
        &"a".repeat(65),
    ] {
        assert!(
            matches!(tables.view(name, 1), Err(TablesError::BadName(_))),
            "view {name:?}"
        );
        assert!(
            matches!(view.get(name, "a", "b"), Err(TablesError::BadName(_))),
            "table {name:?}"
        );
        let mut batch = Batch::new();
        batch.put(name, "a", "b", "x", at(0, 0));
        assert!(
            matches!(view.commit(&batch), Err(TablesError::BadName(_))),
            "table {name:?}"
        );
    }
    let mut batch = Batch::new();
    batch.put("t", "good", "", "x", at(0, 0));
    batch.put("t", "a\0b", "", "x", at(0, 0));
    assert!(matches!(view.commit(&batch), Err(TablesError::BadKey)));
    assert!(view.tables().is_empty() && view.checkpoints().is_empty());
}

fn versions_are_apart_and_can_be_dropped(tables: &Tables) {
    let old = tables.view("contract_versions", 1).expect("opens");
    let new = tables.view("contract_versions", 12).expect("opens");
    commit(&old, |batch| batch.delete("t", "a", "", at(0, 900)));
    commit(&old, |batch| batch.put("t", "a", "", "old", at(0, 901)));
    commit(&new, |batch| batch.put("t", "a", "", "new", at(0, 0)));
    assert_eq!(value(&old, "t", "a", ""), Some("old".to_owned()));
    assert_eq!(tables.versions("contract_versions").expect("listable"), [1, 12]);
    assert!(
        tables
            .views()
            .expect("listable")
            .contains(&"contract_versions".to_owned())
    );
    tables.drop_version("contract_versions", 1).expect("droppable");
    tables
        .drop_version("contract_versions", 1)
        .expect("twice is quiet");
    tables
        .drop_version("never_seen", 1)
        .expect("as is an unknown one");
    assert!(matches!(old.get("t", "a", ""), Err(TablesError::Dropped)));
    assert!(matches!(old.commit(&Batch::new()), Err(TablesError::Dropped)));
    assert_eq!(tables.versions("contract_versions").expect("listable"), [12]);
    assert_eq!(value(&new, "t", "a", ""), Some("new".to_owned()));
    let again = tables.view("contract_versions", 1).expect("opens");
    assert_eq!(again.count("t", None).expect("countable"), 0);
    assert!(again.checkpoints().is_empty() && again.opened() == &Opened::Created);
    // Nothing of the first making is in the way of the second, however far on in the log it was.
    commit(&again, |batch| batch.put("t", "a", "", "again", at(0, 0)));
    assert_eq!(value(&again, "t", "a", ""), Some("again".to_owned()));
}

fn the_hash_is_of_the_rows_alone(tables: &Tables) {
    let one = open(tables, "contract_hash_one");
    let two = open(tables, "contract_hash_two");
    let hash = |view: &ViewTables| view.content_hash().expect("readable");
    assert_eq!(hash(&one), hash(&two));
    commit(&one, |batch| {
        batch.put("t", "a", "b", "x", at(0, 0));
        batch.put("u", "a", "b", "y", at(0, 1));
    });
    commit(&two, |batch| batch.put("u", "a", "b", "y", at(3, 8)));
    assert_ne!(hash(&one), hash(&two));
    commit(&two, |batch| batch.put("t", "a", "b", "x", at(3, 9)));
    commit(&two, |batch| batch.put("gone", "a", "b", "x", at(3, 10)));
    commit(&two, |batch| batch.delete("gone", "a", "b", at(3, 11)));
    assert_eq!(hash(&one), hash(&two));
    commit(&two, |batch| batch.put("t", "ab", "", "x", at(3, 12)));
    commit(&two, |batch| batch.delete("t", "a", "b", at(3, 13)));
    assert_ne!(hash(&one), hash(&two));
}

fn write_for_reopening(tables: &Tables) {
    let view = open(tables, "contract_reopen");
    view.begin_bulk().expect("bulk begins");
    commit(&view, |batch| batch.put("t", "a", "bulk", "1", at(0, 0)));
    assert_eq!(value(&view, "t", "a", "bulk"), Some("1".to_owned()));
    view.finish_bulk().expect("bulk ends");
    commit(&view, |batch| batch.put("t", "a", "after", "2", at(0, 1)));
}

fn rows_and_checkpoints_are_there_after_reopening(tables: &Tables) {
    let view = open(tables, "contract_reopen");
    assert_eq!(view.opened(), &Opened::Existing);
    assert_eq!(value(&view, "t", "a", "bulk"), Some("1".to_owned()));
    assert_eq!(value(&view, "t", "a", "after"), Some("2".to_owned()));
    assert_eq!(view.checkpoints(), BTreeMap::from([(0, 2)]));
}
