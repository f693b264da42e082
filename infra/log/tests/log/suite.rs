//! What every backend of the log promises. Each entry of [`PROMISES`] gets a way to open a log in a directory of its
//! own, the same one again when it is opened again, with 4 partitions.

use std::path::Path;

use bytes::Bytes;
use spool_log::{AppendError, Log, Piece, ReadError, Share};

pub type Open = dyn Fn(&Path) -> Log + Sync;
type Promise = fn(&Open, &Path);

pub const PROMISES: &[(&str, Promise)] = &[
    ("a new log is empty", a_new_log_is_empty),
    (
        "an acknowledged commit can be read",
        an_acknowledged_commit_can_be_read,
    ),
    (
        "offsets are contiguous in each partition",
        offsets_are_contiguous_in_each_partition,
    ),
    (
        "an append at the wrong offset conflicts",
        an_append_at_the_wrong_offset_conflicts,
    ),
    ("appends can be pipelined", appends_can_be_pipelined),
    (
        "an append of no commits is a barrier",
        an_append_of_no_commits_is_a_barrier,
    ),
    (
        "a commit that is too large is refused",
        a_commit_that_is_too_large_is_refused,
    ),
    (
        "everything is there after opening again",
        everything_is_there_after_opening_again,
    ),
    (
        "a read is bounded but never stuck",
        a_read_is_bounded_but_never_stuck,
    ),
    (
        "reading beyond the head is an error",
        reading_beyond_the_head_is_an_error,
    ),
    (
        "a watch follows the head and ends with the log",
        a_watch_follows_the_head_and_ends_with_the_log,
    ),
    (
        "a scan sees all partitions up to the heads",
        a_scan_sees_all_partitions_up_to_the_heads,
    ),
    (
        "threads that share a scan see all of it once",
        threads_that_share_a_scan_see_all_of_it_once,
    ),
    ("a closed log takes nothing more", a_closed_log_takes_nothing_more),
    ("many tasks append at once", many_tasks_append_at_once),
];

pub fn keep_all(open: &Open) {
    for (name, promise) in PROMISES {
        println!("{name}");
        let dir = tempfile::tempdir().expect("a directory for the test");
        promise(open, &dir.path().join("log"));
    }
}

fn a_new_log_is_empty(open: &Open, dir: &Path) {
    let log = open(dir);
    assert_eq!(log.partitions(), 4);
    for partition in 0..4 {
        assert_eq!(log.head(partition), 0);
        assert_eq!(log.read(partition, 0, 1000).expect("reading nothing"), vec![]);
    }
    assert_eq!(scanned(&log, &[0; 4]), vec![]);
}

fn an_acknowledged_commit_can_be_read(open: &Open, dir: &Path) {
    let log = open(dir);
    assert_eq!(log.append(2, 0, vec![payload(1), payload(2)]).wait(), Ok(0));
    assert_eq!(log.append(2, 2, vec![payload(3)]).wait(), Ok(2));
    assert_eq!(log.head(2), 3);
    assert_eq!(
        read(&log, 2, 0),
        vec![(0, payload(1)), (1, payload(2)), (2, payload(3))]
    );
    assert_eq!(read(&log, 2, 2), vec![(2, payload(3))]);
}

fn offsets_are_contiguous_in_each_partition(open: &Open, dir: &Path) {
    let log = open(dir);
    for round in 0..10 {
        for partition in 0..4 {
            let commits = (0..=partition).map(|n| payload(u64::from(n))).collect();
            let first = round * (u64::from(partition) + 1);
            assert_eq!(log.append(partition, first, commits).wait(), Ok(first));
        }
    }
    for partition in 0..4 {
        let offsets: Vec<u64> = read(&log, partition, 0)
            .into_iter()
            .map(|(offset, _)| offset)
            .collect();
        assert_eq!(offsets, (0..10 * (u64::from(partition) + 1)).collect::<Vec<_>>());
    }
}

fn an_append_at_the_wrong_offset_conflicts(open: &Open, dir: &Path) {
    let log = open(dir);
    log.append(0, 0, vec![payload(1)])
        .wait()
        .expect("the first append");
    for expected in [0, 2, u64::MAX] {
        let conflict = Err(AppendError::Conflict { expected, actual: 1 });
        assert_eq!(log.append(0, expected, vec![payload(9)]).wait(), conflict);
    }
    assert_eq!(log.head(0), 1);
    assert_eq!(log.append(0, 1, vec![payload(2)]).wait(), Ok(1));
}

fn appends_can_be_pipelined(open: &Open, dir: &Path) {
    let log = open(dir);
    let appending: Vec<_> = (0..500).map(|n| log.append(1, n, vec![payload(n)])).collect();
    for (n, appending) in (0..).zip(appending) {
        assert_eq!(appending.wait(), Ok(n));
        assert!(log.head(1) > n, "what is acknowledged is visible");
    }
    assert_eq!(
        read(&log, 1, 0),
        (0..500).map(|n| (n, payload(n))).collect::<Vec<_>>()
    );
}

fn an_append_of_no_commits_is_a_barrier(open: &Open, dir: &Path) {
    let log = open(dir);
    assert_eq!(log.append(0, 0, vec![]).wait(), Ok(0));
    let before = log.append(3, 0, vec![payload(7)]);
    assert_eq!(log.append(3, 1, vec![]).wait(), Ok(1));
    assert_eq!(
        log.head(3),
        1,
        "everything before a barrier is durable when it is answered"
    );
    assert_eq!(before.wait(), Ok(0));
}

fn a_commit_that_is_too_large_is_refused(open: &Open, dir: &Path) {
    let log = open(dir);
    let most = log.commit_bytes_max();
    let too_large = log.append(0, 0, vec![Bytes::from(vec![1; most + 1])]).wait();
    assert_eq!(
        too_large,
        Err(AppendError::TooLarge {
            bytes: most + 1,
            bytes_max: most
        })
    );
    assert_eq!(log.append(0, 0, vec![Bytes::from(vec![1; most])]).wait(), Ok(0));
    assert_eq!(log.append(0, 1, vec![Bytes::new()]).wait(), Ok(1));
    let sizes: Vec<usize> = read(&log, 0, 0)
        .iter()
        .map(|(_, payload)| payload.len())
        .collect();
    assert_eq!(sizes, [most, 0]);
}

fn everything_is_there_after_opening_again(open: &Open, dir: &Path) {
    for round in 0..5 {
        let log = open(dir);
        for partition in 0..4 {
            assert_eq!(log.head(partition), round * 20);
            let all = (0..round * 20).map(|n| (n, payload(n))).collect::<Vec<_>>();
            assert_eq!(read(&log, partition, 0), all);
            let commits = (round * 20..round * 20 + 20).map(payload).collect();
            assert_eq!(log.append(partition, round * 20, commits).wait(), Ok(round * 20));
        }
        assert!(log.verify().is_sound());
        if round % 2 == 0 {
            log.close();
        }
    }
}

fn a_read_is_bounded_but_never_stuck(open: &Open, dir: &Path) {
    let commits = |log: &Log| log.append(0, 0, vec![Bytes::from(vec![7; 1000]); 10]).wait();
    commits(&open(dir)).expect("the append");
    let log = open(dir);
    let count = |from, bytes| log.read(0, from, bytes).expect("a read").len();
    assert_eq!(count(0, 0), 1);
    assert_eq!(count(0, 999), 1);
    assert_eq!(count(0, 1000), 1);
    assert_eq!(count(0, 3500), 3);
    assert_eq!(count(8, usize::MAX), 2);
    assert_eq!(count(10, usize::MAX), 0);
}

fn reading_beyond_the_head_is_an_error(open: &Open, dir: &Path) {
    let log = open(dir);
    let beyond = log.read(1, 5, 1000);
    assert!(
        matches!(
            beyond,
            Err(ReadError::BeyondHead {
                partition: 1,
                from: 5,
                head: 0
            })
        ),
        "{beyond:?}"
    );
    let beyond = log.scan(&[0, 1, 0, 0]).map(|_| ());
    assert!(
        matches!(
            beyond,
            Err(ReadError::BeyondHead {
                partition: 1,
                from: 1,
                head: 0
            })
        ),
        "{beyond:?}"
    );
}

fn threads_that_share_a_scan_see_all_of_it_once(open: &Open, dir: &Path) {
    let log = open(dir);
    append_in_turn(&log, 200);
    let from = [0, 10, 50, 49];
    let mut wanted = scanned(&log, &from);
    wanted.sort();
    for count in [1, 2, 3, 5] {
        let (pieces, mut shares) = log.scan_in_shares(&from, count).expect("a scan");
        let head = log.head(0);
        log.append(0, head, vec![payload(1000)])
            .wait()
            .expect("an append during the scan");
        let pieces: Vec<Piece> = pieces.map(|piece| piece.expect("an intact piece")).collect();
        let found: Vec<_> = shares.iter_mut().map(|share| taken(share, &pieces)).collect();
        for (number, taken) in found.iter().enumerate() {
            let is_own = |(partition, ..): &(u16, u64, Bytes)| usize::from(*partition) % count == number;
            assert!(taken.iter().all(is_own), "share {number} of {count}: {taken:?}");
        }
        let mut found = found.concat();
        found.sort();
        assert_eq!(found, wanted, "shared by {count}");
        for share in shares {
            share.finish().expect("everything has come");
        }
        wanted.push((0, head, payload(1000)));
        wanted.sort();
    }
    let (_, shares) = log.scan_in_shares(&from, 1).expect("a scan");
    let missing = shares.into_iter().try_for_each(Share::finish);
    assert!(
        matches!(
            missing,
            Err(ReadError::Short {
                partition: 0,
                offset: 0,
                ..
            })
        ),
        "{missing:?}"
    );
}

fn a_watch_follows_the_head_and_ends_with_the_log(open: &Open, dir: &Path) {
    let log = open(dir);
    let mut watch = log.watch(1);
    let other = log.watch(2);
    assert_eq!(*watch.borrow_and_update(), 0);
    log.append(1, 0, vec![payload(0), payload(1)])
        .wait()
        .expect("the append");
    assert!(watch.has_changed().expect("the log is open"));
    assert_eq!(*watch.borrow_and_update(), 2);
    assert!(!other.has_changed().expect("the log is open"));
    log.close();
    assert!(watch.has_changed().is_err());
}

/// Appends so many payloads to an empty log, to each of four partitions in turn.
fn append_in_turn(log: &Log, count: u64) {
    for n in 0..count {
        let partition = u16::try_from(n % 4).expect("less than 4");
        log.append(partition, n / 4, vec![payload(n)])
            .wait()
            .expect("an append");
    }
}

fn a_scan_sees_all_partitions_up_to_the_heads(open: &Open, dir: &Path) {
    let log = open(dir);
    append_in_turn(&log, 200);
    let scan = log.scan(&[0, 10, 50, 49]).expect("a scan");
    log.append(0, 50, vec![payload(1000)])
        .wait()
        .expect("an append during the scan");
    let mut found: Vec<_> = scan
        .map(|record| record.expect("an intact record"))
        .map(|record| (record.partition, record.offset, record.payload))
        .collect();
    let mut wanted: Vec<_> = (0..200)
        .map(|n| (u16::try_from(n % 4).expect("less than 4"), n / 4, payload(n)))
        .filter(|(partition, offset, _)| *offset >= [0, 10, 50, 49][usize::from(*partition)])
        .collect();
    // Each partition's come in order; across partitions a backend may know no order.
    found.sort_by_key(|(partition, ..)| *partition);
    wanted.sort_by_key(|(partition, ..)| *partition);
    assert_eq!(found, wanted);
    assert_eq!(scanned(&log, &[51, 50, 50, 50]), vec![]);
}

fn a_closed_log_takes_nothing_more(open: &Open, dir: &Path) {
    let log = open(dir);
    let clone = log.clone();
    let queued: Vec<_> = (0..100).map(|n| log.append(0, n, vec![payload(n)])).collect();
    log.close();
    for (n, queued) in (0..).zip(queued) {
        assert_eq!(queued.wait(), Ok(n), "what was queued before is still written");
    }
    assert_eq!(
        clone.append(0, 100, vec![payload(0)]).wait(),
        Err(AppendError::Stopped)
    );
    assert_eq!(read(&clone, 0, 99), vec![(99, payload(99))]);
    assert_eq!(
        open(dir).head(0),
        100,
        "the directory was given back though there is a clone"
    );
}

fn many_tasks_append_at_once(open: &Open, dir: &Path) {
    const TASKS: u64 = 64;
    const APPENDS: u64 = 100;
    let log = open(dir);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| runtime.spawn(append_many(log.clone(), task, APPENDS)))
        .collect();
    let mut acknowledged: Vec<_> = tasks
        .into_iter()
        .flat_map(|task| runtime.block_on(task).expect("the task ends"))
        .collect();
    acknowledged.sort();
    let mut found = scanned(&log, &[0; 4]);
    found.sort();
    assert_eq!(found.len() as u64, TASKS * APPENDS);
    assert_eq!(found, acknowledged);
    drop(log);
    let mut again = scanned(&open(dir), &[0; 4]);
    again.sort();
    assert_eq!(again, acknowledged);
}

/// Appends where the head seems to be, again and again until it was right.
async fn append_many(log: Log, task: u64, appends: u64) -> Vec<(u16, u64, Bytes)> {
    let partition = u16::try_from(task % 4).expect("less than 4");
    let mut acknowledged = Vec::new();
    let mut expected = log.head(partition);
    for n in 0..appends {
        let payload = payload(task * appends + n);
        loop {
            match log.append(partition, expected, vec![payload.clone()]).await {
                Ok(offset) => {
                    acknowledged.push((partition, offset, payload));
                    expected = offset + 1;
                    break;
                }
                Err(AppendError::Conflict { actual, .. }) => expected = actual,
                Err(error) => panic!("{error}"),
            }
        }
    }
    acknowledged
}

/// A payload of its own for each number, of different lengths.
pub fn payload(n: u64) -> Bytes {
    Bytes::from(format!(
        "{n:0width$}",
        width = 1 + usize::try_from(n % 37).expect("less than 37")
    ))
}

pub fn read(log: &Log, partition: u16, from: u64) -> Vec<(u64, Bytes)> {
    let records = log.read(partition, from, usize::MAX).expect("a read");
    records
        .into_iter()
        .map(|record| (record.offset, record.payload))
        .collect()
}

/// What a share has in `pieces`.
pub fn taken(share: &mut Share, pieces: &[Piece]) -> Vec<(u16, u64, Bytes)> {
    let mut found = vec![];
    for piece in pieces {
        share
            .each(piece, |record| {
                found.push((
                    record.partition,
                    record.offset,
                    Bytes::copy_from_slice(record.payload),
                ));
                Ok::<_, ReadError>(())
            })
            .expect("an intact piece");
    }
    found
}

pub fn scanned(log: &Log, from: &[u64]) -> Vec<(u16, u64, Bytes)> {
    let scan = log.scan(from).expect("a scan");
    scan.map(|record| record.expect("an intact record"))
        .map(|record| (record.partition, record.offset, record.payload))
        .collect()
}
