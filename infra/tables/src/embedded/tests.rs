//! What only the embedded backend promises: files that cannot be used, crashes, full disks, and what is left in them.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use crate::{Batch, Opened, Position, Tables, TablesError, ViewTables, contract};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary folder can be written")
}

fn at(partition: u16, offset: u64) -> Position {
    Position { partition, offset }
}

fn view(dir: &Path) -> ViewTables {
    Tables::open(dir)
        .and_then(|tables| tables.view("v", 1))
        .expect("the view opens")
}

fn file(dir: &Path) -> PathBuf {
    dir.join("v/v1.db")
}

fn put(view: &ViewTables, pk: &str, value: &str, offset: u64) -> Result<(), TablesError> {
    let mut batch = Batch::new();
    batch.put("t", pk, "", value.to_owned(), at(0, offset));
    view.commit(&batch).map(|_| ())
}

#[test]
fn the_embedded_backend_passes_the_contract() {
    let dir = folder();
    contract::run(|| Tables::open(dir.path()).expect("opens"));
}

fn check_replaced(spoil: impl FnOnce(&Path), expected: &str) {
    let dir = folder();
    assert_eq!(view(dir.path()).opened(), &Opened::Created);
    {
        let view = view(dir.path());
        assert_eq!(view.opened(), &Opened::Existing);
        for offset in 0..200 {
            put(&view, &format!("row {offset}"), &"x".repeat(300), offset).expect("kept");
        }
        view.truncate_wal().expect("emptied");
    }
    spoil(&file(dir.path()));
    let view = view(dir.path());
    let Opened::Replaced { reason, .. } = view.opened() else {
        panic!("{expected}: {:?}", view.opened())
    };
    assert!(reason.contains(expected), "{reason:?} should say {expected:?}");
    assert!(view.checkpoints().is_empty() && view.tables().is_empty());
    put(&view, "a", "new", 0).expect("the new one can be used");
}

#[test]
fn a_file_that_cannot_be_used_is_replaced_and_said_to_be() {
    let overwrite = |at: usize, with: &'static [u8]| {
        move |path: &Path| {
            let mut bytes = std::fs::read(path).expect("readable");
            bytes[at..at + with.len()].copy_from_slice(with);
            std::fs::write(path, bytes).expect("writable");
        }
    };
    check_replaced(
        |path| std::fs::write(path, [b'x'; 20_000]).expect("writable"),
        "not a database",
    );
    check_replaced(overwrite(63, &[2]), "its format is 2");
    check_replaced(overwrite(68, b"else"), "no file of ours");
    check_replaced(overwrite(3 * 8192, &[0xff; 500]), "");
    check_replaced(
        |path| {
            drop(
                std::fs::File::options()
                    .write(true)
                    .open(path)
                    .map(|file| file.set_len(20_000)),
            )
        },
        "",
    );
    check_replaced(
        |path| drop(std::fs::File::create(path.with_extension("rebuilding"))),
        "cut short",
    );
}

#[test]
fn an_empty_file_left_by_a_crash_is_simply_filled() {
    let dir = folder();
    std::fs::create_dir_all(dir.path().join("v")).expect("writable");
    std::fs::write(file(dir.path()), b"").expect("writable");
    assert_eq!(view(dir.path()).opened(), &Opened::Created);
}

#[test]
fn what_was_overwritten_or_deleted_is_nowhere_in_the_files() {
    let dir = folder();
    let view = view(dir.path());
    for (offset, value) in ["secret-first", "secret-second", "public"]
        .into_iter()
        .enumerate()
    {
        put(&view, "a", value, offset as u64).expect("kept");
    }
    put(&view, "b", "secret-third", 3).expect("kept");
    let mut batch = Batch::new();
    batch.delete("t", "b", "", at(0, 4));
    view.commit(&batch).expect("kept");
    view.truncate_wal().expect("emptied");
    for entry in std::fs::read_dir(dir.path().join("v")).expect("listable") {
        let bytes = std::fs::read(entry.expect("readable").path()).expect("readable");
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
    }
    assert!(view.integrity().expect("readable").is_empty());
}

#[test]
fn readers_go_on_while_a_rebuild_and_other_readers_work() {
    let dir = folder();
    let view = view(dir.path());
    put(&view, "sum", "0", 0).expect("kept");
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut last = 0;
                while last < 200 {
                    let checkpoint = view.checkpoint(0);
                    let row = view.get("t", "sum", "").expect("readable").expect("it is there");
                    assert!(row.position.offset + 1 >= checkpoint && row.position.offset >= last);
                    last = row.position.offset;
                }
            });
        }
        for offset in 1..=200 {
            put(&view, "sum", &offset.to_string(), offset).expect("kept");
        }
    });
}

#[derive(Clone, Debug)]
struct Step {
    pk: u8,
    sk: u8,
    value: Option<u8>,
    partition: u16,
}

/// Rows belong to the partition their partition key says, as the views have it.
fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (0..6_u8, 0..3_u8, proptest::option::weighted(0.7, any::<u8>()));
    let step = step.prop_map(|(pk, sk, value)| Step {
        pk,
        sk,
        value,
        partition: u16::from(pk) % 3,
    });
    proptest::collection::vec(proptest::collection::vec(step, 0..12), 1..12)
}

/// Each step is one commit of the log; the batches hold them in the order of each partition.
fn batches(steps: &[Vec<Step>]) -> Vec<Batch> {
    let mut next: BTreeMap<u16, u64> = BTreeMap::new();
    let fill = |steps: &Vec<Step>| {
        let mut batch = Batch::new();
        for step in steps {
            let offset = next.entry(step.partition).or_default();
            let (pk, sk) = (step.pk.to_string(), step.sk.to_string());
            match step.value {
                Some(value) => batch.put("t", &pk, &sk, vec![value], at(step.partition, *offset)),
                None => batch.delete("t", &pk, &sk, at(step.partition, *offset)),
            }
            *offset += 1;
        }
        batch
    };
    steps.iter().map(fill).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn batches_replayed_from_any_earlier_checkpoint_change_nothing(
        steps in steps(),
        replays in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let dir = folder();
        let view = view(dir.path());
        let batches = batches(&steps);
        let mut model: BTreeMap<(String, String), u8> = BTreeMap::new();
        for (batch, steps) in batches.iter().zip(&steps) {
            view.commit(batch).expect("kept");
            for step in steps {
                let key = (step.pk.to_string(), step.sk.to_string());
                match step.value {
                    Some(value) => drop(model.insert(key, value)),
                    None => drop(model.remove(&key)),
                }
            }
        }
        let rows = view.scan("t", None, 1_000).expect("readable");
        let found: BTreeMap<_, _> = rows.iter().map(|row| ((row.pk.clone(), row.sk.clone()), row.value[0])).collect();
        prop_assert_eq!(found, model);
        let (hash, checkpoints) = (view.content_hash().expect("readable"), view.checkpoints());
        for (from, to) in replays {
            let from = from.index(batches.len());
            let to = from + to.index(batches.len() - from) + 1;
            for batch in &batches[from..to] {
                let done = view.commit(batch).expect("kept");
                prop_assert_eq!(done.written, 0);
            }
            prop_assert_eq!(view.content_hash().expect("readable"), hash.clone());
            prop_assert_eq!(view.checkpoints(), checkpoints.clone());
        }
    }
}

const CHILD: &str = "SPOOL_TABLES_TEST_CHILD";

/// Not a test of its own: what the killed process runs. Row and checkpoint go up together, in bulk or not.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let view = view(Path::new(&dir));
    let start = view.checkpoint(0);
    println!("started");
    for offset in start.. {
        let mut batch = Batch::new();
        for copy in 0..50 {
            batch.put(
                "t",
                &format!("copy {copy}"),
                "",
                offset.to_string(),
                at(0, offset),
            );
        }
        view.commit(&batch).expect("kept");
    }
}

#[test]
fn rows_and_checkpoint_agree_after_every_kill() {
    let dir = folder();
    let mut last = 0;
    for round in 0..15_u64 {
        let mut child = Command::new(std::env::current_exe().expect("this test runs from a file"))
            .args([
                "--exact",
                "embedded::tests::child_that_writes_until_it_is_killed",
                "--nocapture",
            ])
            .env(CHILD, dir.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the test can start itself");
        wait_for_line(&mut child, "started");
        // Not a wait for anything: where the kill falls is what varies.
        std::thread::sleep(std::time::Duration::from_millis(3 + round * 7 % 40));
        child.kill().expect("it runs until killed");
        child.wait().expect("it was started here");
        let view = view(dir.path());
        let next = view.checkpoint(0);
        assert!(
            next >= last && view.opened() == &Opened::Existing,
            "checkpoint {next} after {last}"
        );
        let rows = view.scan("t", None, 100).expect("readable");
        let expected = next.checked_sub(1).map(|offset| offset.to_string());
        assert!(
            rows.iter()
                .all(|row| Some(String::from_utf8_lossy(&row.value).into_owned()) == expected)
        );
        assert!(view.integrity().expect("readable").is_empty());
        last = next;
    }
    assert!(last > 0, "no kill fell after a commit");
}

fn wait_for_line(child: &mut std::process::Child, expected: &str) {
    use std::io::{BufRead, BufReader};
    let output = child.stdout.take().expect("it is piped");
    let found = BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains(expected));
    assert!(found, "the child never said {expected}");
}

/// A tmpfs of its own, or `None` where this process may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = folder();
        let options = format!("size={size}");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir.path())
            .output();
        done.is_ok_and(|done| done.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the files of the test may still be open. A mount left over is seen by whoever runs the tests.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_the_batch_whole_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("3m") else {
        println!("NOT RUN: a full disk needs the right to mount a tmpfs");
        return;
    };
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 1 << 20]).expect("there is room for it");
    let view = view(disk.0.path());
    let mut kept = 0;
    let refused = loop {
        match put(&view, &format!("row {kept:05}"), &"x".repeat(2_000), kept) {
            Ok(()) => kept += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, TablesError::Full), "{refused:?}");
    assert!(kept > 10);
    assert_eq!(
        (view.checkpoint(0), view.count("t", None).expect("readable")),
        (kept, kept)
    );
    assert!(matches!(
        put(&view, "again", &"x".repeat(100_000), kept),
        Err(TablesError::Full)
    ));
    std::fs::remove_file(ballast).expect("removable");
    put(&view, "again", &"x".repeat(2_000), kept).expect("there is room again");
    assert_eq!(view.count("t", None).expect("readable"), kept + 1);
    assert!(view.integrity().expect("readable").is_empty());
}
