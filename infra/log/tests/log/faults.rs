//! A full disk, failing syncs, a second process: nothing that was acknowledged is lost, nothing else is visible.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::suite::{payload, read, scanned};
use bytes::Bytes;
use spool_log::{AppendError, Config, Log, OpenError, Operation};

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let syncs = Arc::new(AtomicU64::new(0));
    let told = Arc::new(Mutex::new(Vec::new()));
    let (counted, heard) = (Arc::clone(&syncs), Arc::clone(&told));
    let log = Log::open(Config {
        inject: Some(Arc::new(move |operation| match operation {
            Operation::Sync if counted.fetch_add(1, Ordering::SeqCst) == 3 => {
                Err(io::Error::from_raw_os_error(5))
            }
            _ => Ok(()),
        })),
        on_fatal: Arc::new(move |fatal| {
            heard
                .lock()
                .expect("the hook is called once")
                .push(fatal.to_string())
        }),
        mark_after: std::time::Duration::from_secs(60),
        ..Config::new(dir.path())
    })
    .expect("the log opens");
    for n in 0..3 {
        assert_eq!(log.append(0, n, vec![payload(n)]).wait(), Ok(n));
    }
    assert_eq!(
        log.append(0, 3, vec![payload(3)]).wait(),
        Err(AppendError::Stopped)
    );
    assert_eq!(
        log.append(0, 3, vec![payload(3)]).wait(),
        Err(AppendError::Stopped)
    );
    assert_eq!(
        log.append(5, 0, vec![payload(3)]).wait(),
        Err(AppendError::Stopped)
    );
    assert_eq!((log.head(0), read(&log, 0, 0).len()), (3, 3));
    drop(log);
    assert_eq!(
        syncs.load(Ordering::SeqCst),
        4,
        "a failed sync is never tried again"
    );
    let told = told.lock().expect("the log is closed").clone();
    assert!(
        told.len() == 1 && told[0].contains("syncing") && told[0].contains("segment-0000000000.log"),
        "{told:?}"
    );
    let again = Log::open(Config::new(dir.path())).expect("the log opens again");
    assert!((3..=4).contains(&again.head(0)));
}

/// Run by the tests below in a process of its own; alone it does nothing.
#[test]
fn child() {
    let Some(dir) = std::env::var_os("SPOOL_LOG_TEST_CHILD") else {
        return;
    };
    let log = Log::open(Config::new(&dir)).unwrap_or_else(|error| panic!("refused: {error}"));
    for n in 0..1000 {
        log.append(0, n, vec![payload(n)]).wait().expect("an append");
        println!("acknowledged {n}");
    }
}

#[test]
fn a_process_whose_sync_fails_aborts_with_one_clear_line() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("NOT RUN: strace is not installed");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory for the test");
    let fault = "inject=fdatasync:error=EIO:when=100+";
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        fault,
    ]);
    let output = run_child(command.arg(this_test()), dir.path());
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if err.contains("ptrace") || err.contains("PTRACE") {
        println!("NOT RUN: strace may not trace here: {err}");
        return;
    }
    let acknowledged = out.lines().filter(|line| line.contains("acknowledged")).count() as u64;
    assert!(
        !output.status.success() && err.contains("spool-log: syncing"),
        "{output:?}"
    );
    assert!((1..100).contains(&acknowledged), "{acknowledged}");
    let log = Log::open(Config::new(dir.path())).expect("the log opens again");
    assert!(log.head(0) >= acknowledged);
}

#[test]
fn a_second_process_or_handle_is_refused() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let log = Log::open(Config::new(dir.path())).expect("the log opens");
    let second = Log::open(Config::new(dir.path()))
        .err()
        .expect("one handle is open");
    assert!(
        matches!(second, OpenError::Locked { .. }) && second.to_string().contains("in use"),
        "{second}"
    );
    let process = run_child(&mut Command::new(this_test()), dir.path());
    assert!(!process.status.success());
    assert!(String::from_utf8_lossy(&process.stderr).contains("is in use by another process"));
    drop(log);
    assert!(Log::open(Config::new(dir.path())).is_ok());
}

#[test]
fn a_closed_log_can_be_opened_at_once_while_children_are_being_started() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                Command::new("true").status().expect("a child starts");
            }
        });
        let opened: Result<(), OpenError> = (0..300).try_for_each(|_| {
            Log::open(Config {
                segment_bytes: 16 << 10,
                ..Config::new(dir.path())
            })
            .map(drop)
        });
        done.store(true, Ordering::SeqCst);
        opened.expect("a child that is being started must not keep the directory locked");
    });
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().expect("a directory for the test");
    let mut acknowledged = 0;
    for kill_after in [1, 7, 50] {
        let dir = dir.path().join(kill_after.to_string());
        let mut process = child_command(&mut Command::new(this_test()), &dir)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(process.stdout.take().expect("the output is piped")).lines();
        let told = lines
            .map(|line| line.expect("a line"))
            .filter(|line| line.contains("acknowledged"));
        acknowledged += told.take(kill_after).count();
        process.kill().expect("killing the child");
        process.wait().expect("the child ends");
        let log = Log::open(Config::new(&dir)).expect("the log opens");
        assert!(log.head(0) >= kill_after as u64);
        assert!(log.verify().is_sound());
    }
    assert_eq!(acknowledged, 58);
}

#[test]
fn without_room_for_the_next_segment_appends_are_refused_until_there_is_room() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let config = Config {
        segment_bytes: 16 << 10,
        memory_bytes: 0,
        inject: Some(Arc::new(move |operation| match operation {
            Operation::Prepare if is_full.load(Ordering::SeqCst) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        })),
        ..Config::new(dir.path())
    };
    let log = Log::open(config).expect("the log opens");
    full.store(true, Ordering::SeqCst);
    let accepted = fill_up(&log);
    full.store(false, Ordering::SeqCst);
    goes_on(&log, accepted);
}

#[test]
fn a_write_without_room_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let config = Config {
        inject: Some(Arc::new(move |operation| match operation {
            Operation::Write if is_full.load(Ordering::SeqCst) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        })),
        ..Config::new(dir.path())
    };
    let log = Log::open(config).expect("the log opens");
    log.append(0, 0, vec![payload(0)]).wait().expect("an append");
    full.store(true, Ordering::SeqCst);
    let pipelined: Vec<_> = (1..50).map(|n| log.append(0, n, vec![payload(n)])).collect();
    for appending in pipelined {
        let refused = appending.wait().expect_err("there is no room");
        assert!(
            matches!(refused, AppendError::Full | AppendError::Conflict { .. }),
            "{refused}"
        );
    }
    assert_eq!((log.head(0), read(&log, 0, 0).len()), (1, 1));
    full.store(false, Ordering::SeqCst);
    assert_eq!(log.append(0, 1, vec![payload(1)]).wait(), Ok(1));
    drop(log);
    let log = Log::open(Config::new(dir.path())).expect("the log opens");
    assert_eq!((log.head(0), log.cut()), (2, None));
}

#[test]
fn on_a_full_disk_appends_are_refused_until_there_is_room() {
    let Some(disk) = SmallDisk::mount("2m") else {
        println!("NOT RUN: a tmpfs cannot be mounted here (needs root)");
        return;
    };
    let config = Config {
        segment_bytes: 256 << 10,
        memory_bytes: 0,
        ..Config::new(disk.path().join("log"))
    };
    let log = Log::open(config.clone()).expect("the log opens");
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).expect("there is room for that");
    let accepted = fill_up(&log);
    std::fs::remove_file(&ballast).expect("making room");
    goes_on(&log, accepted);
    drop(log);
    let log = Log::open(config).expect("the log opens");
    assert!(log.verify().is_sound());
}

/// Appends until there is no room, and checks that the refused are not visible.
fn fill_up(log: &Log) -> u64 {
    let event = |n: u64| Bytes::from(format!("{n:1000}"));
    let mut accepted = 0;
    loop {
        match log.append(0, accepted, vec![event(accepted)]).wait() {
            Ok(_) => accepted += 1,
            Err(error) => {
                assert_eq!(error, AppendError::Full);
                break;
            }
        }
    }
    assert!(accepted > 5);
    let refused: Vec<_> = (accepted..accepted + 20)
        .map(|n| log.append(0, n, vec![event(n)]))
        .collect();
    for appending in refused {
        let error = appending.wait().expect_err("there is no room");
        assert!(
            matches!(error, AppendError::Full | AppendError::Conflict { .. }),
            "{error}"
        );
    }
    assert_eq!(log.head(0), accepted);
    assert_eq!(scanned(log, &[0; 16]).len() as u64, accepted);
    assert_eq!(
        read(log, 0, 0),
        (0..accepted).map(|n| (n, event(n))).collect::<Vec<_>>()
    );
    accepted
}

fn goes_on(log: &Log, accepted: u64) {
    for n in accepted..accepted + 100 {
        assert_eq!(
            log.append(0, n, vec![Bytes::from(format!("{n:1000}"))]).wait(),
            Ok(n)
        );
    }
    assert_eq!(read(log, 0, 0).len() as u64, accepted + 100);
    assert!(log.verify().is_sound());
}

fn this_test() -> std::path::PathBuf {
    std::env::current_exe().expect("a test knows where it is")
}

fn run_child(command: &mut Command, dir: &Path) -> std::process::Output {
    child_command(command, dir).output().expect("the child starts")
}

fn child_command<'a>(command: &'a mut Command, dir: &Path) -> &'a mut Command {
    command
        .args(["--exact", "faults::child", "--nocapture", "--test-threads=1"])
        .env("SPOOL_LOG_TEST_CHILD", dir)
}

/// A tmpfs of a fixed size, unmounted when it is dropped.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "spool-log-test"])
            .arg(dir.path())
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a failed test may still have the log open.
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}
