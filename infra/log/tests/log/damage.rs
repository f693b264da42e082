//! A torn tail is cut; anything else that is damaged or missing is refused with its place and what to do.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::suite::{payload, read, scanned};
use spool_log::{Config, Log, OpenError, ReadError};
use tempfile::TempDir;

#[test]
fn a_torn_tail_is_cut_and_the_log_goes_on() {
    let dir = log_of(100);
    let file = segment(&dir, 0);
    let end = end_of(&file);
    write(
        &file,
        end,
        b"SPB1 the beginning of a batch that was being written",
    );
    let log = open(&dir).expect("a torn tail is no reason to refuse");
    let cut = log.cut().expect("the cut is told");
    assert_eq!((cut.position, cut.bytes, &cut.file), (end, 52, &file));
    assert_eq!(log.head(0), 100);
    assert_eq!(log.append(0, 100, vec![payload(100)]).wait(), Ok(100));
    drop(log);
    let log = open(&dir).expect("the log opens");
    assert_eq!((log.cut(), log.head(0)), (None, 101));
}

#[test]
fn a_flipped_bit_anywhere_below_the_last_mark_is_refused() {
    let dir = log_of(30);
    let file = segment(&dir, 0);
    let end = end_of(&file);
    // The last batch is the mark written when the log was closed; without it nothing durable is lost.
    let mark = end - 48;
    for byte in (0..mark).filter(|byte| *byte < 64 || *byte >= 4096) {
        flip(&file, byte);
        let refused = open(&dir)
            .err()
            .unwrap_or_else(|| panic!("byte {byte} was flipped, but the log opened"));
        let message = refused.to_string();
        assert!(
            message.contains("segment-0000000000.log") && message.contains("restore"),
            "{message}"
        );
        flip(&file, byte);
    }
    assert_eq!(open(&dir).expect("everything is as it was").head(0), 30);
}

#[test]
fn zeros_in_the_middle_are_refused() {
    let dir = log_of(100);
    let file = segment(&dir, 0);
    write(&file, 4096 + 2000, &[0; 512]);
    refused_as_corrupt(&dir, "segment-0000000000.log");
    write(&file, 4096, &[0; 4096]);
    refused_as_corrupt(&dir, "segment-0000000000.log");
}

#[test]
fn damage_in_a_closed_segment_is_found_by_reads_scans_and_verify() {
    let dir = log_of(3000);
    flip(&segment(&dir, 1), 9000);
    let log = open(&dir).expect("closed segments are not read when a log is opened");
    let is_corrupt = |error: &ReadError| matches!(error, ReadError::Corrupt { file, .. } if file.ends_with("segment-0000000001.log"));
    let reading = log.read(0, 0, usize::MAX).expect_err("reading all of it");
    assert!(is_corrupt(&reading), "{reading}");
    let scan: Result<Vec<_>, _> = log.scan(&[0; 4]).expect("the scan starts").collect();
    assert!(is_corrupt(&scan.expect_err("scanning all of it")));
    let report = log.verify();
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].file.ends_with("segment-0000000001.log"));
    drop(log);
    let report = Log::verify_dir(dir.path()).expect("the log can be verified");
    assert_eq!(report.problems.len(), 1, "{report:?}");
}

/// Also where the byte says whose record it is: then another share finds that it is none of its own.
#[test]
fn whatever_byte_of_a_closed_segment_is_damaged_somebody_who_shares_a_scan_notices() {
    let dir = log_of(3000);
    let whole: HashMap<_, _> = scanned(&open(&dir).expect("an intact log"), &[0; 4])
        .into_iter()
        .map(|(partition, offset, payload)| ((partition, offset), payload))
        .collect();
    let file = segment(&dir, 1);
    for byte in 9000..9400 {
        flip(&file, byte);
        let log = open(&dir).expect("closed segments are not read when a log is opened");
        let (pieces, mut shares) = log.scan_in_shares(&[0; 4], 3).expect("the scan starts");
        let mut found = vec![];
        let outcome = pieces.into_iter().try_for_each(|piece| {
            let piece = piece?;
            shares.iter_mut().try_for_each(|share| {
                share.each(&piece, |record| {
                    found.push((record.partition, record.offset, record.payload.to_vec()));
                    Ok::<_, ReadError>(())
                })
            })
        });
        let error = outcome.expect_err("a byte was flipped");
        assert!(
            matches!(&error, ReadError::Corrupt { file, .. } if file.ends_with("segment-0000000001.log")),
            "{error}"
        );
        for (partition, offset, payload) in found {
            let written = whole.get(&(partition, offset)).expect("it was written");
            assert_eq!(
                written, &payload,
                "byte {byte}, partition {partition}, offset {offset}"
            );
        }
        drop(log);
        flip(&file, byte);
    }
}

#[test]
fn a_missing_segment_is_refused_wherever_it_was() {
    let dir = log_of(3000);
    let is_used = |path: &PathBuf| {
        std::fs::read(path).expect("reading")[4096..]
            .iter()
            .any(|byte| *byte != 0)
    };
    let last = segments(&dir).iter().filter(|path| is_used(path)).count() - 1;
    assert!(last > 3, "the test needs several segments");
    for sequence in [0, 1, last] {
        // Also without the indexes, which could be all that is known of a segment.
        for keep_indexes in [true, false] {
            let copy = copy(dir.path());
            if !keep_indexes {
                indexes(&copy)
                    .iter()
                    .for_each(|index| std::fs::remove_file(index).expect("removing an index"));
            }
            std::fs::remove_file(segment(&copy, sequence)).expect("removing a segment");
            if sequence == last {
                // The one made ahead goes as well, if there is one; else there would be a gap before it.
                let _ = std::fs::remove_file(segment(&copy, last + 1));
            }
            let refused = open(&copy).err().expect("a segment is missing");
            let is_it = matches!(refused, OpenError::MissingSegment { sequence: found, .. } if found == sequence as u64);
            assert!(is_it, "{refused}");
            assert!(!Log::verify_dir(copy.path()).is_ok_and(|report| report.is_sound()));
        }
    }
}

#[test]
fn a_truncated_or_foreign_segment_is_refused() {
    let dir = log_of(3000);
    let truncated = copy(dir.path());
    let file = OpenOptions::new()
        .write(true)
        .open(segment(&truncated, 1))
        .expect("the segment opens");
    file.set_len(10_000).expect("truncating");
    refused_as_corrupt(&truncated, "segment-0000000001.log");

    let other = log_of(3000);
    let mixed = copy(dir.path());
    std::fs::copy(segment(&other, 1), segment(&mixed, 1)).expect("copying");
    refused_as_corrupt(&mixed, "another log");
}

#[test]
fn lost_or_damaged_indexes_are_made_again() {
    let dir = log_of(3000);
    let before = indexes(&dir);
    assert!(before.len() > 3);
    std::fs::remove_file(&before[0]).expect("removing an index");
    flip(&before[1], 100);
    std::fs::write(&before[2], b"").expect("emptying an index");
    let log = open(&dir).expect("indexes can be made again");
    assert_eq!(read(&log, 0, 0).len(), 3000);
    assert!(log.verify().is_sound());
    for index in &before {
        assert!(std::fs::metadata(index).expect("the index is there").len() > 100);
    }
}

#[test]
fn missing_or_damaged_metadata_is_refused_but_an_interrupted_creation_is_finished() {
    let dir = log_of(10);
    let metadata = dir.path().join("log.json");
    let text = std::fs::read_to_string(&metadata).expect("reading the metadata");
    std::fs::write(&metadata, text.replace("\"partitions\": 4", "\"partitions\": 5")).expect("writing");
    assert!(matches!(open(&dir), Err(OpenError::Unusable { .. })));
    std::fs::remove_file(&metadata).expect("removing the metadata");
    assert!(matches!(open(&dir), Err(OpenError::Unusable { .. })));

    let dir = log_of(0);
    std::fs::remove_file(dir.path().join("log.json")).expect("removing the metadata");
    // The one made ahead, unless closing the log was faster.
    let _ = std::fs::remove_file(segment(&dir, 1));
    std::fs::write(dir.path().join("segment-0000000001.log.new"), b"half").expect("writing");
    let log = open(&dir).expect("nothing was in it yet");
    assert_eq!(log.append(0, 0, vec![payload(0)]).wait(), Ok(0));
}

#[test]
fn another_number_of_partitions_is_refused() {
    let dir = log_of(1);
    let wrong = Log::open(Config {
        partitions: 8,
        ..Config::new(dir.path())
    });
    assert!(matches!(
        wrong,
        Err(OpenError::PartitionsDiffer {
            found: 4,
            wanted: 8,
            ..
        })
    ));
}

#[test]
fn the_size_of_segments_may_change() {
    let dir = log_of(1000);
    let larger = Config {
        partitions: 4,
        segment_bytes: 256 << 10,
        ..Config::new(dir.path())
    };
    let log = Log::open(larger).expect("the log opens");
    let large = bytes::Bytes::from(vec![1; 100_000]);
    assert_eq!(log.append(0, 1000, vec![large.clone()]).wait(), Ok(1000));
    drop(log);
    let log = open(&dir).expect("the log opens");
    assert_eq!(read(&log, 0, 1000), vec![(1000, large)]);
    assert!(log.verify().is_sound());
}

/// A closed log with commits in partition 0.
fn log_of(commits: u64) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let log = open(&dir).expect("the log opens");
    for first in (0..commits).step_by(10) {
        log.append(
            0,
            first,
            (first..first + 10.min(commits - first)).map(payload).collect(),
        )
        .wait()
        .expect("an append");
    }
    log.close();
    dir
}

fn open(dir: &TempDir) -> Result<Log, OpenError> {
    Log::open(Config {
        partitions: 4,
        segment_bytes: 16 << 10,
        memory_bytes: 0,
        ..Config::new(dir.path())
    })
}

fn refused_as_corrupt(dir: &TempDir, wanted: &str) {
    let refused = open(dir).err().expect("the log is damaged");
    let message = refused.to_string();
    assert!(
        matches!(refused, OpenError::Corrupt { .. }) && message.contains(wanted),
        "{message}"
    );
}

fn segment(dir: &TempDir, sequence: usize) -> PathBuf {
    dir.path().join(format!("segment-{sequence:010}.log"))
}

fn segments(dir: &TempDir) -> Vec<PathBuf> {
    files(dir.path(), "log")
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("segment-"))
        .collect()
}

fn indexes(dir: &TempDir) -> Vec<PathBuf> {
    files(dir.path(), "idx")
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("listing");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().expect("a directory for the test");
    for file in ["log", "json", "idx"]
        .iter()
        .flat_map(|extension| files(from, extension))
    {
        std::fs::copy(&file, to.path().join(file.file_name().expect("a name"))).expect("copying");
    }
    to
}

/// One past the last byte that is not zero, rounded up as the log does.
fn end_of(file: &Path) -> u64 {
    let bytes = std::fs::read(file).expect("reading the segment");
    let last = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("there is something in the segment");
    (last as u64 + 1).next_multiple_of(8).max(mark_end(&bytes))
}

/// A mark ends in zeros, so its end is counted from its beginning.
fn mark_end(bytes: &[u8]) -> u64 {
    let last = bytes
        .windows(4)
        .rposition(|window| window == b"SPB1")
        .expect("there is a batch");
    last as u64 + 48
}

fn flip(file: &Path, byte: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .expect("the file opens");
    let mut one = [0];
    file.read_exact_at(&mut one, byte).expect("reading a byte");
    file.write_all_at(&[one[0] ^ 0x10], byte).expect("writing a byte");
}

fn write(file: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(file).expect("the file opens");
    file.write_all_at(bytes, at).expect("writing");
}
