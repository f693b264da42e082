//! Whatever is cut or torn off the end of a log, what remains is a prefix of what was appended, in whole appends, and
//! holds everything that was durable before the cut.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::suite::{payload, scanned};
use bytes::Bytes;
use proptest::prelude::*;
use spool_log::{Config, Log};
use tempfile::TempDir;

const PARTITIONS: u16 = 3;

#[derive(Clone, Debug)]
enum Step {
    Append {
        partition: u16,
        sizes: Vec<usize>,
    },
    Reopen,
    /// The last append is torn: of its bytes only so many thousandths reached the disk, the rest are zeros or garbage.
    Tear {
        thousandths: u64,
        garbage: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let sizes = prop::collection::vec(0..2000_usize, 1..5);
    prop_oneof![
        8 => (0..PARTITIONS, sizes).prop_map(|(partition, sizes)| Step::Append { partition, sizes }),
        1 => Just(Step::Reopen),
        2 => (0..1000_u64, any::<bool>()).prop_map(|(thousandths, garbage)| Step::Tear { thousandths, garbage }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_log_is_what_was_acknowledged(steps in prop::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let mut log = Some(open(dir.path()));
        let mut model: Vec<Vec<Bytes>> = vec![Vec::new(); usize::from(PARTITIONS)];
        let mut seed = 0;
        for step in steps {
            match step {
                Step::Append { partition, sizes } => {
                    seed += 1;
                    let commits: Vec<_> = sizes.iter().map(|size| Bytes::from(vec![seed; *size])).collect();
                    let log = log.as_ref().expect("the log is open between steps");
                    let known = &mut model[usize::from(partition)];
                    let first = known.len() as u64;
                    prop_assert_eq!(log.append(partition, first, commits.clone()).wait(), Ok(first));
                    known.extend(commits);
                }
                Step::Reopen => {
                    drop(log.take());
                    log = Some(open(dir.path()));
                }
                Step::Tear { thousandths, garbage } => {
                    // What was acknowledged before stays; one more append is torn.
                    drop(log.take());
                    tear_one_more(dir.path(), &model, thousandths, garbage);
                    log = Some(open(dir.path()));
                }
            }
            check(log.as_ref().expect("the log is open"), &model)?;
        }
        drop(log.take());
        let report = Log::verify_dir(dir.path()).expect("the log can be verified");
        prop_assert!(report.is_sound() && report.torn_tail.is_none(), "{:?}", report);
        check(&open(dir.path()), &model)?;
    }
}

/// Appends to a copy of the log and brings a part of what that changed over to the log itself.
fn tear_one_more(dir: &Path, model: &[Vec<Bytes>], thousandths: u64, garbage: bool) {
    let copy = copy(dir);
    let log = open(copy.path());
    let commits = vec![Bytes::from(vec![0xEE; 700]); 4];
    log.append(0, model[0].len() as u64, commits)
        .wait()
        .expect("an append");
    // Not closed, so that there is no mark behind it: a clone keeps it from being dropped at once.
    let torn_from = copy.path().to_owned();
    let changed: Vec<_> = segments(&torn_from)
        .into_iter()
        .filter_map(|new| {
            let old = dir.join(new.file_name()?);
            make_unused_like(&new, &old);
            Some((old.clone(), difference(&old, &new)?))
        })
        .collect();
    // In another segment than the last one, the seal must have been durable before the append was begun.
    for (at, (path, (from, bytes))) in changed.iter().enumerate() {
        let whole = at + 1 < changed.len();
        let kept = if whole {
            bytes.len()
        } else {
            bytes.len() * thousandths as usize / 1000
        };
        let file = OpenOptions::new()
            .write(true)
            .open(path)
            .expect("the segment opens");
        file.write_all_at(&bytes[..kept], *from).expect("writing");
        if garbage && !whole {
            file.write_all_at(&vec![0xA5; bytes.len() - kept], from + kept as u64)
                .expect("writing");
        }
    }
}

/// A segment is in place, full of zeros, before the one before it is sealed.
fn make_unused_like(new: &Path, old: &Path) {
    if !old.exists() {
        let mut bytes = std::fs::read(new).expect("reading");
        bytes[4096..].fill(0);
        std::fs::write(old, bytes).expect("writing");
    }
}

/// Where two files differ first, and what the second has from there to its last byte that is not zero.
fn difference(old: &Path, new: &Path) -> Option<(u64, Vec<u8>)> {
    let (old, new) = (
        std::fs::read(old).expect("reading"),
        std::fs::read(new).expect("reading"),
    );
    let from = old.iter().zip(&new).position(|(old, new)| old != new)?;
    let to = new.iter().rposition(|byte| *byte != 0)?;
    Some((from as u64, new[from..=to].to_vec()))
}

#[test]
fn cut_at_every_byte_of_the_tail_the_log_is_a_prefix_in_whole_appends() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let log = open(dir.path());
    let mut ends = Vec::new();
    for n in 0..12 {
        log.append(0, 2 * n, vec![payload(2 * n), payload(2 * n + 1)])
            .wait()
            .expect("an append");
        ends.push(end_of(&segments(dir.path())[0]));
    }
    // The state of the disk while the log is open: no mark behind the last batch.
    let snapshot = copy(dir.path());
    drop(log);
    let file = &segments(snapshot.path())[0];
    let whole = std::fs::read(file).expect("reading");
    for cut in 4096..=ends[11] {
        let mut bytes = whole.clone();
        bytes[cut as usize..].fill(0);
        std::fs::write(file, bytes).expect("writing");
        let log = open(snapshot.path());
        let appends = ends.iter().filter(|end| **end <= cut).count() as u64;
        // An append may be whole before its last byte: behind it there are only zeros, which it may end with as well.
        let found = log.head(0) / 2;
        assert!(
            log.head(0).is_multiple_of(2),
            "cut at {cut}: an append was torn apart"
        );
        assert!(
            (appends..=appends + 1).contains(&found),
            "cut at {cut}: {found} appends instead of {appends}"
        );
        let all = scanned(&log, &[0; PARTITIONS as usize]);
        assert!(
            all.iter()
                .zip(0..)
                .all(|((_, offset, found), n)| *offset == n && *found == payload(n))
        );
        drop(log);
        std::fs::write(file, &whole).expect("writing");
    }
}

fn check(log: &Log, model: &[Vec<Bytes>]) -> Result<(), TestCaseError> {
    for (partition, known) in (0..).zip(model) {
        prop_assert_eq!(log.head(partition), known.len() as u64);
        let read = log.read(partition, 0, usize::MAX).expect("a read");
        let read: Vec<_> = read.into_iter().map(|record| record.payload).collect();
        prop_assert_eq!(&read, known);
    }
    let mut found = vec![Vec::new(); model.len()];
    for (partition, _, payload) in scanned(log, &vec![0; model.len()]) {
        found[usize::from(partition)].push(payload);
    }
    prop_assert_eq!(&found[..], model);
    Ok(())
}

fn open(dir: &Path) -> Log {
    let config = Config {
        partitions: PARTITIONS,
        segment_bytes: 32 << 10,
        memory_bytes: 0,
        mark_after: Duration::from_secs(60),
        ..Config::new(dir)
    };
    Log::open(config).expect("the log opens")
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("listing");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| {
        path.to_string_lossy().contains("segment-") && path.extension().is_some_and(|e| e == "log")
    });
    files.sort();
    files
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().expect("a directory for the test");
    for entry in std::fs::read_dir(from).expect("listing") {
        let file = entry.expect("an entry").path();
        // What is being made in the background may vanish while it is copied; opening makes it again.
        if file.extension().is_some_and(|extension| extension != "new") {
            std::fs::copy(&file, to.path().join(file.file_name().expect("a name"))).expect("copying");
        }
    }
    to
}

fn end_of(file: &Path) -> u64 {
    let bytes = std::fs::read(file).expect("reading");
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(4096, |last| last as u64 + 1)
}
