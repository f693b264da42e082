//! The same batches leave the same rows in both backends, also when a writer was killed in the middle of one.
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{open, settings};
use crate::{Batch, Position, Tables, ViewTables};

/// One commit of the log: the row it changes, and to what.
#[derive(Clone, Debug)]
struct Step {
    pk: u8,
    sk: u8,
    value: Option<u8>,
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (0..6_u8, 0..3_u8, proptest::option::weighted(0.7, any::<u8>()));
    let step = step.prop_map(|(pk, sk, value)| Step { pk, sk, value });
    proptest::collection::vec(proptest::collection::vec(step, 0..12), 1..10)
}

/// The batches hold the steps in the order of each partition; a row belongs to the partition that its key says.
fn batches(steps: &[Vec<Step>]) -> Vec<Batch> {
    let mut next: BTreeMap<u16, u64> = BTreeMap::new();
    let fill = |steps: &Vec<Step>| {
        let mut batch = Batch::new();
        for Step { pk, sk, value } in steps {
            let partition = u16::from(*pk) % 3;
            let offset = next.entry(partition).or_default();
            let at = Position {
                partition,
                offset: *offset,
            };
            // Some keys are empty, which CQL does not have.
            let (pk, sk) = (number(*pk), number(*sk));
            match value {
                Some(value) => batch.put("t", &pk, &sk, vec![*value], at),
                None => batch.delete("t", &pk, &sk, at),
            }
            *offset += 1;
        }
        batch
    };
    steps.iter().map(fill).collect()
}

fn number(number: u8) -> String {
    if number == 0 {
        String::new()
    } else {
        number.to_string()
    }
}

fn commit(view: &ViewTables, batch: &Batch) {
    view.commit(batch).expect("kept");
}

#[test]
fn the_same_batches_leave_the_same_rows_in_both_backends() {
    let settings = settings();
    let tables = open(&settings);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(10));
    let replays = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let replays = proptest::collection::vec(replays, 1..4);
    let tested = runner.run(&(steps(), replays), |(steps, replays)| {
        let dir = tempfile::tempdir().expect("writable");
        let embedded = Tables::open(dir.path())
            .and_then(|tables| tables.view("v", 1))
            .expect("opens");
        tables.drop_version("same", 1).expect("droppable");
        let cql = tables.view("same", 1).expect("opens");
        let batches = batches(&steps);
        for batch in &batches {
            commit(&embedded, batch);
            commit(&cql, batch);
        }
        let hash = embedded.content_hash().expect("readable");
        prop_assert_eq!(cql.content_hash().expect("readable"), hash.clone());
        prop_assert_eq!(cql.checkpoints(), embedded.checkpoints());
        for (from, to) in replays {
            // A writer that knows no checkpoint repeats a stretch: everything it says has been said.
            let late = super::super::Keyspace::open(settings.clone()).and_then(|late| late.view("same", 1));
            let late = ViewTables::cql(late.expect("opens").forgetful());
            let from = from.index(batches.len());
            let to = from + to.index(batches.len() - from) + 1;
            for batch in &batches[from..to] {
                commit(&late, batch);
            }
            prop_assert_eq!(cql.content_hash().expect("readable"), hash.clone());
        }
        cql.refresh().expect("answers");
        prop_assert_eq!(cql.checkpoints(), embedded.checkpoints());
        let mut rows = cql.scan("t", None, 1_000).expect("readable");
        rows.sort_by(|a, b| (&a.pk, &a.sk).cmp(&(&b.pk, &b.sk)));
        prop_assert_eq!(rows, embedded.scan("t", None, 1_000).expect("readable"));
        Ok(())
    });
    tested.expect("both hold the same");
}

#[test]
fn a_commit_that_was_cut_short_anywhere_is_finished_by_the_next_writer() {
    let settings = settings();
    let tables = open(&settings);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(10));
    let cuts = proptest::collection::vec((any::<bool>(), 0..12_usize, 0..3_usize), 10);
    let tested = runner.run(&(steps(), cuts), |(steps, cuts)| {
        let dir = tempfile::tempdir().expect("writable");
        let embedded = Tables::open(dir.path())
            .and_then(|tables| tables.view("v", 1))
            .expect("opens");
        tables.drop_version("cut", 1).expect("droppable");
        let mut writer = inside(&settings);
        for (batch, (killed, rows, checkpoints)) in batches(&steps).iter().zip(cuts) {
            commit(&embedded, batch);
            if killed && !batch.is_empty() {
                writer
                    .commit_partly(batch, rows, checkpoints)
                    .expect("so far it gets");
                writer = inside(&settings);
                writer.take_over().expect("answers");
            } else {
                writer.commit(batch).expect("kept");
            }
            prop_assert_eq!(
                writer.content_hash().expect("readable"),
                embedded.content_hash().expect("readable")
            );
            prop_assert_eq!(writer.checkpoints(), embedded.checkpoints());
        }
        Ok(())
    });
    tested.expect("both hold the same");
}

fn inside(settings: &crate::CqlSettings) -> super::super::View {
    let keyspace = super::super::Keyspace::open(settings.clone());
    keyspace
        .and_then(|keyspace| keyspace.view("cut", 1))
        .expect("opens")
}

#[test]
fn a_commit_that_was_not_written_down_whole_never_happened() {
    let settings = settings();
    drop(open(&settings));
    let at = |offset| Position { partition: 0, offset };
    let mut first = Batch::new();
    first.put("t", "a", "", "1", at(0));
    inside(&settings).commit(&first).expect("kept");
    // Too large for one piece.
    let mut second = Batch::new();
    for row in 0..40 {
        second.put("t", &format!("row {row}"), "", vec![b'x'; 20_000], at(1));
    }
    inside(&settings)
        .commit_partly(&second, 0, 0)
        .expect("so far it gets");
    let server = super::registers::Inside::of(&settings);
    server.say(
        "DELETE FROM {keyspace}.spool_journal USING TIMESTAMP 3
         WHERE view_name = 'cut' AND version = 1 AND generation = 1 AND chunk = 1 AND slot = 0",
    );
    let next = inside(&settings);
    next.take_over().expect("answers");
    assert_eq!(
        (next.checkpoint(0), next.count("t", None).expect("countable")),
        (1, 1)
    );
    // It is folded again with what came meanwhile, and this time it is written down whole.
    second.advance(0, 3);
    inside(&settings)
        .commit_partly(&second, 7, 0)
        .expect("so far it gets");
    next.take_over().expect("answers");
    assert_eq!(
        (next.checkpoint(0), next.count("t", None).expect("countable")),
        (3, 41)
    );
}
