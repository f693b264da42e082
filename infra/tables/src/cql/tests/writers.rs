//! Several writers and readers of the same rows: late ones, and ones in other processes.
use super::{at, commit, open, settings, value};
use crate::{Batch, Opened, Tables, TablesError};

#[test]
fn a_writer_that_wakes_up_late_changes_nothing() {
    let settings = settings();
    let zombie = open(&settings).view("late", 1).expect("opens");
    let writer = open(&settings).view("late", 1).expect("opens");
    let story = |word: &'static str| {
        move |batch: &mut Batch| {
            for offset in 0..10 {
                batch.put(
                    "t",
                    &format!("row {offset}"),
                    "",
                    format!("{word} {offset}"),
                    at(offset),
                );
            }
            batch.delete("t", "row 3", "", at(10));
            batch.put("t", "row 4", "", word, at(11));
        }
    };
    commit(&writer, story("told"));
    commit(&writer, |batch| batch.put("t", "row 5", "", "later", at(12)));
    let hash = writer.content_hash().expect("readable");
    assert_eq!(zombie.checkpoint(0), 0, "it knows nothing of the other's work");
    // What it would have written where it fell asleep, and more: everything is older than what is there.
    commit(&zombie, |batch| {
        batch.put("t", "row 2", "", "dreamt", at(1));
        batch.put("t", "row 3", "", "dreamt", at(9));
        batch.put("t", "row 4", "", "dreamt", at(10));
        batch.put("t", "row 5", "", "dreamt", at(10));
        batch.delete("t", "row 6", "", at(5));
        batch.delete("t", "row 5", "", at(11));
    });
    commit(&zombie, |batch| batch.advance(0, 12));
    let reader = open(&settings).view("late", 1).expect("opens");
    assert_eq!(reader.opened(), &Opened::Existing);
    assert_eq!(reader.content_hash().expect("readable"), hash);
    assert_eq!(reader.checkpoint(0), 13, "a checkpoint never goes back");
    for (row, expected) in [
        (3, None),
        (4, Some("told")),
        (5, Some("later")),
        (6, Some("told 6")),
    ] {
        assert_eq!(
            value(&reader, &format!("row {row}")).as_deref(),
            expected,
            "row {row}"
        );
    }
    zombie.refresh().expect("the server answers");
    assert_eq!(zombie.checkpoint(0), 13);
}

#[test]
fn a_reader_in_another_process_sees_what_a_checkpoint_covers() {
    let settings = settings();
    let reader = open(&settings).view("reader", 1).expect("opens");
    let writer = open(&settings).view("reader", 1).expect("opens");
    assert_eq!(reader.opened(), &Opened::Created);
    assert_eq!(value(&reader, "a"), None);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen = 0;
            while seen < 40 {
                reader.refresh().expect("the server answers");
                let next = reader.checkpoint(0);
                assert!(next >= seen, "{next} after {seen}");
                for row in seen..next {
                    assert_eq!(value(&reader, &format!("row {row}")), Some(row.to_string()));
                }
                seen = next;
            }
        });
        for offset in 0..40 {
            commit(&writer, |batch| {
                batch.put("t", &format!("row {offset}"), "", offset.to_string(), at(offset));
            });
        }
        watching.join().expect("it saw everything");
    });
    assert_eq!(reader.tables(), ["t"]);
}

#[test]
fn nodes_that_start_together_lay_out_one_keyspace() {
    let settings = settings();
    let start = |node: u64| {
        let view = open(&settings).view("together", 3)?;
        let mut batch = Batch::new();
        let partition = u16::try_from(node).expect("there are few nodes");
        let at = crate::Position {
            partition,
            offset: node,
        };
        batch.put("t", &format!("of node {node}"), "", "x", at);
        view.commit(&batch).map(drop)
    };
    std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4).map(|node| scope.spawn(move || start(node))).collect();
        for node in nodes {
            node.join().expect("no panic").expect("it starts");
        }
    });
    let tables = open(&settings);
    assert_eq!(tables.versions("together").expect("listable"), [3]);
    let view = tables.view("together", 3).expect("opens");
    assert_eq!(view.count("t", None).expect("countable"), 4);
    assert_eq!(view.checkpoints().len(), 4);
}

#[test]
fn a_version_that_another_process_dropped_says_so() {
    let settings = settings();
    let (one, two): (Tables, Tables) = (open(&settings), open(&settings));
    let view = one.view("shared", 1).expect("opens");
    commit(&view, |batch| batch.put("t", "a", "", "1", at(0)));
    commit(&view, |batch| batch.put("u", "a", "", "1", at(1)));
    let others = two.view("shared", 1).expect("opens");
    assert_eq!(value(&others, "a"), Some("1".to_owned()));
    one.drop_version("shared", 1).expect("droppable");
    let mut batch = Batch::new();
    batch.put("t", "a", "", "2", at(2));
    assert!(matches!(others.commit(&batch), Err(TablesError::Dropped)));
    assert!(matches!(others.get("t", "a", ""), Err(TablesError::Dropped)));
    assert!(two.versions("shared").expect("listable").is_empty());
    assert!(two.views().expect("listable").is_empty());
}
