//! Several nodes want the same partition.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use spool_log::{AppendError, Log, Role};
use spool_services::Kafka;

use super::{Topics, config, wait_until};
use crate::suite::{payload, read};

/// Makes this executable a node that appends to partition 0 until it has lost it: `bootstrap prefix directory`.
const CHILD: &str = "SPOOL_LOG_TEST_CHILD";

#[test]
fn who_claims_last_leads_and_the_other_is_told() {
    let topics = Topics::on(Kafka::shared());
    let dir = tempfile::tempdir().expect("a directory for the test");
    let first = topics.leading(dir.path());
    for n in 0..10 {
        assert_eq!(first.append(0, n, vec![payload(n)]).wait(), Ok(n));
    }
    let second = Log::kafka(topics.config(dir.path(), "second")).expect("the log opens");
    assert_eq!(second.head(0), 10);
    assert_eq!(
        second.append(0, 10, vec![payload(10)]).wait(),
        Err(AppendError::NotOwner)
    );
    assert_eq!(second.owner(0).map(|owner| owner.node), Some("node".into()));
    second.claim(0);
    wait_until("the second leads", || second.leads(0));
    assert_eq!(second.append(0, 10, vec![payload(10)]).wait(), Ok(10));
    // The first may not know yet; what it is asked does not count, and a barrier tells it.
    assert_eq!(first.append(0, 10, vec![]).wait(), Err(AppendError::NotOwner));
    assert_eq!(first.standing(0).borrow().role, Role::Following);
    let owner = first.owner(0).expect("somebody leads");
    assert_eq!(
        (owner.node.as_str(), owner.url.as_str()),
        ("second", "http://second")
    );
    assert_eq!(
        first.append(0, 11, vec![payload(11)]).wait(),
        Err(AppendError::NotOwner)
    );
    wait_until("the first has read what the second wrote", || first.head(0) == 11);
    assert_eq!(read(&first, 0, 0), read(&second, 0, 0));
    assert!(first.leads(1), "the other partitions are as they were");
}

#[test]
fn what_builds_on_a_lost_append_is_refused_even_where_its_number_fits() {
    let topics = Topics::on(Kafka::shared());
    let dir = tempfile::tempdir().expect("a directory for the test");
    let first = topics.leading(dir.path());
    let second = Log::kafka(topics.config(dir.path(), "second")).expect("the log opens");
    let tenure = first.tenure(0);
    assert_eq!(first.append_in(tenure, 0, 0, vec![payload(0)]).wait(), Ok(0));
    second.claim(0);
    wait_until("the second leads", || second.leads(0));
    // Decided on the first commit, and lost.
    let lost = first.append_in(tenure, 0, 1, vec![payload(1)]).wait();
    assert_eq!(lost, Err(AppendError::NotOwner));
    assert_eq!(second.append(0, 1, vec![payload(9)]).wait(), Ok(1));
    first.claim(0);
    wait_until("the first leads again", || first.leads(0));
    // Decided on the lost one, where the second has put another.
    let conflict = AppendError::Conflict {
        expected: 2,
        actual: 2,
    };
    let built_on_it = first.append_in(tenure, 0, 2, vec![payload(2)]).wait();
    assert_eq!(built_on_it, Err(conflict));
    let decided_anew = first.append_in(first.tenure(0), 0, 2, vec![payload(3)]).wait();
    assert_eq!(decided_anew, Ok(2));
    wait_until("the second has read it", || second.head(0) == 3);
    let all = vec![(0, payload(0)), (1, payload(9)), (2, payload(3))];
    assert_eq!(read(&second, 0, 0), all);
}

#[test]
fn partitions_change_hands_under_load_and_nothing_is_lost_or_doubled() {
    let topics = Topics::on(Kafka::shared());
    let dir = tempfile::tempdir().expect("a directory for the test");
    let logs: Vec<Log> = ["one", "two", "three"]
        .iter()
        .map(|node| Log::kafka(topics.config(dir.path(), node)).expect("the log opens"))
        .collect();
    let done = AtomicBool::new(false);
    let acknowledged: Vec<Vec<(u64, Bytes)>> = std::thread::scope(|scope| {
        let writers: Vec<_> = logs
            .iter()
            .zip(0..)
            .map(|(log, writer)| {
                let done = &done;
                scope.spawn(move || write_while_leading(log, writer, done))
            })
            .collect();
        for round in 0..12 {
            let log = &logs[round % 3];
            let before = log.head(0);
            log.claim(0);
            wait_until("something was appended", || log.head(0) > before + 20);
        }
        done.store(true, Ordering::Release);
        writers
            .into_iter()
            .map(|writer| writer.join().expect("the writer ends"))
            .collect()
    });
    let everything = acknowledged.iter().flatten().map(|(offset, _)| offset + 1).max();
    for log in &logs {
        wait_until("all have read everything", || Some(log.head(0)) >= everything);
    }
    let all = read(&logs[0], 0, 0);
    for log in &logs[1..] {
        assert_eq!(read(log, 0, 0), all);
    }
    let (mut told, mut found) = (acknowledged.concat(), all.clone());
    told.sort();
    // No writer gives the same payload twice, so twice the same would be one append that counts twice.
    found.sort_by(|one, other| one.1.cmp(&other.1));
    assert!(found.windows(2).all(|pair| pair[0].1 != pair[1].1));
    for acknowledged in &told {
        let (offset, _) = acknowledged;
        assert_eq!(&all[usize::try_from(*offset).expect("an index")], acknowledged);
    }
    // Only appends that were lost sight of may be there beside them, and there were none.
    assert_eq!(told.len(), all.len());
}

/// Appends as long as there is something to lead; several appends are under way at any time.
fn write_while_leading(log: &Log, writer: u64, done: &AtomicBool) -> Vec<(u64, Bytes)> {
    let mut acknowledged = Vec::new();
    let mut given = writer << 32;
    while !done.load(Ordering::Acquire) {
        if !log.leads(0) {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let next = log.head(0);
        let appending: Vec<_> = (next..next + 8)
            .map(|offset| {
                given += 1;
                let payload = Bytes::from(given.to_string());
                (payload.clone(), log.append(0, offset, vec![payload]))
            })
            .collect();
        for (payload, appending) in appending {
            match appending.wait() {
                Ok(offset) => acknowledged.push((offset, payload)),
                Err(AppendError::NotOwner | AppendError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    acknowledged
}

#[test]
fn a_leader_that_was_stopped_and_wakes_up_after_a_takeover_changes_nothing() {
    let topics = Topics::on(Kafka::shared());
    let dir = tempfile::tempdir().expect("a directory for the test");
    let ours = topics.config(dir.path(), "ours");
    let log = Log::kafka(ours.clone()).expect("the log opens");
    let zombie_dir = tempfile::tempdir().expect("a directory for the zombie");
    let arguments = [
        ours.settings.brokers.as_str(),
        ours.settings.topic_prefix.as_str(),
        zombie_dir.path().to_str().expect("a plain path"),
    ]
    .join(" ");
    let mut zombie = Zombie::start(&arguments);
    wait_until("the other process has written", || log.head(0) > 200);
    zombie.signal(Signal::STOP);
    log.claim(0);
    wait_until("the partition is taken over", || log.leads(0));
    let taken_over_at = log.head(0);
    for n in 0..50 {
        let appended = log.append(0, taken_over_at + n, vec![Bytes::from(format!("ours {n}"))]);
        assert_eq!(appended.wait(), Ok(taken_over_at + n));
    }
    zombie.signal(Signal::CONT);
    let told = zombie.rest();
    assert_eq!(
        log.append(0, taken_over_at + 50, vec![]).wait(),
        Ok(taken_over_at + 50)
    );
    let all = read(&log, 0, 0);
    assert_eq!(all.len() as u64, taken_over_at + 50);
    for (offset, payload) in &all[usize::try_from(taken_over_at).expect("an index")..] {
        assert_eq!(
            payload.as_ref(),
            format!("ours {}", offset - taken_over_at).as_bytes()
        );
    }
    let acknowledged: Vec<u64> = told.iter().filter_map(|line| line.parse().ok()).collect();
    assert!(acknowledged.len() > 100, "{told:?}");
    for offset in acknowledged {
        assert!(
            offset < taken_over_at,
            "{offset} was acknowledged by a leader that was none"
        );
        let (_, payload) = &all[usize::try_from(offset).expect("an index")];
        assert_eq!(payload.as_ref(), format!("theirs {offset}").as_bytes());
    }
}

struct Zombie {
    child: Child,
}

impl Zombie {
    fn start(arguments: &str) -> Self {
        let child = Command::new(std::env::current_exe().expect("this executable"))
            .args(["--exact", "kafka::leaders::be_the_other_process", "--nocapture"])
            .env(CHILD, arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the other process starts");
        Self { child }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the other process is there");
    }

    /// Everything it has said, once it has ended.
    fn rest(&mut self) -> Vec<String> {
        let stdout = self.child.stdout.take().expect("it is a pipe");
        let lines = BufReader::new(stdout).lines().map_while(Result::ok).collect();
        let status = self.child.wait().expect("the other process ends");
        assert!(status.success(), "the other process: {status}");
        lines
    }
}

impl Drop for Zombie {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test but the other process of one; does nothing when nobody has asked for it.
#[test]
fn be_the_other_process() {
    let Ok(arguments) = std::env::var(CHILD) else {
        return;
    };
    let [bootstrap, prefix, dir] = arguments.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{CHILD} needs three words");
    };
    let log = Log::kafka(config(bootstrap, prefix, Path::new(dir), "theirs")).expect("the log opens");
    log.claim(0);
    wait_until("it leads", || log.leads(0));
    let deadline = Instant::now() + super::PATIENCE;
    let mut next = 0;
    while Instant::now() < deadline {
        let appending: Vec<_> = (next..next + 8)
            .map(|offset| log.append(0, offset, vec![Bytes::from(format!("theirs {offset}"))]))
            .collect();
        for appending in appending {
            match appending.wait() {
                // On a line of its own: the test harness has begun one.
                Ok(offset) => println!("\n{offset}"),
                Err(AppendError::NotOwner) => return,
                Err(error) => panic!("{error}"),
            }
        }
        next += 8;
    }
    panic!("it was never told that it leads no longer");
}
