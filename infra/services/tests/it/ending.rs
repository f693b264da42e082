//! Servers end with the process that holds them, whatever ends that, and not before.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spool_services::S3;

use crate::signed::request;
use crate::tcp::{is_listening, wait_until_closed};

#[test]
fn servers_end_and_their_data_goes_when_their_holder_is_killed() {
    let (mut holder, addresses) = hold(&["s3", "kafka"]);
    assert!(addresses.iter().all(|address| is_listening(address)));
    let folders = folders_of(holder.id());
    assert_eq!(folders.len(), 2, "{folders:?}");
    holder.kill().expect("it was running");
    holder.wait().expect("it is our child");
    for address in &addresses {
        wait_until_closed(address);
    }
    wait_until_gone(&folders);
}

#[test]
fn servers_end_when_their_holder_ends() {
    let (mut holder, addresses) = hold(&["s3"]);
    drop(holder.stdin.take());
    assert!(holder.wait().expect("it is our child").success());
    for address in &addresses {
        wait_until_closed(address);
    }
    assert_eq!(folders_of(holder.id()), Vec::<PathBuf>::new());
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let starting = std::thread::spawn(|| S3::start().expect("an S3 server starts"));
    let s3 = starting.join().expect("it started");
    assert_eq!(request(&s3, "PUT", "/films", b"").0, 200);
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let port = taken.local_addr().expect("it is bound").port();
    // The listener takes connections and never answers, so that only the server's own end tells.
    let failed = S3::start_on(port).err().expect("the port is taken");
    assert!(failed.to_string().contains("address already in use"), "{failed}");
}

/// A process that holds servers, and where they listen.
fn hold(names: &[&str]) -> (Child, Vec<String>) {
    let mut holder = Command::new(env!("CARGO_BIN_EXE_spool-services"))
        .args(names)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built beside this test");
    let output = holder.stdout.take().expect("it was piped");
    let lines = BufReader::new(output).lines().take(names.len());
    let addresses = lines.map(|line| {
        let line = line.expect("it writes text");
        let (_, address) = line.split_once(' ').expect("a name and an address");
        address.trim_start_matches("http://").to_owned()
    });
    let addresses: Vec<String> = addresses.collect();
    assert_eq!(addresses.len(), names.len(), "a server did not start");
    (holder, addresses)
}

/// The folders that a process made for its servers.
fn folders_of(process: u32) -> Vec<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let all = std::fs::read_dir(top.join(target).join("services/run")).expect("servers have run");
    let mark = format!("-{process}-");
    all.map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.to_string_lossy().contains(&mark))
        .collect()
}

fn wait_until_gone(folders: &[PathBuf]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while folders.iter().any(|folder| folder.exists()) {
        assert!(Instant::now() < deadline, "still there: {folders:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
