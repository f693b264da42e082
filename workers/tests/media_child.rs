//! The driver of a media process, with programs that misbehave in its place: each is a shell script.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use spool_media_protocol::{Limits, Message, Task};
use spool_platform::config::{Config, Media};
use spool_workers::media_child::{ChildError, MediaChild};
use tempfile::TempDir;

/// A program in the place of `spool-media`, and a film in the place of a film.
struct Stage {
    folder: TempDir,
    config: Media,
}

impl Stage {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let program = folder.path().join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("the folder is ours");
        fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("the file is ours");
        fs::write(folder.path().join("film"), b"a film").expect("the folder is ours");
        let config = Media {
            spool_media: Some(program),
            stall_seconds: 1,
            ..Config::default().media
        };
        Self { folder, config }
    }

    fn start(&self) -> MediaChild {
        let film = File::open(self.folder.path().join("film")).expect("just written");
        let task = Task::Probe {
            limits: Limits::default(),
        };
        MediaChild::start(&self.config, &task, film).expect("the script can be started")
    }
}

/// A frame as a script prints it: lengths below 256, then the header.
fn printed(message: &str) -> String {
    format!(
        "printf '\\{:03o}\\000\\000\\000\\000\\000\\000\\000{message}'",
        message.len()
    )
}

const PROGRESS: &str = r#"{"type":"progress","done_ms":1,"total_ms":2}"#;
const REFUSED: &str = r#"{"type":"refused","code":"text","sentence":"This is a text file, not a film."}"#;

async fn first_error(script: &str) -> ChildError {
    let stage = Stage::new(script);
    let mut child = stage.start();
    loop {
        match child.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it came to a good end"),
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn messages_come_in_order_and_end_with_the_last_word() {
    let stage = Stage::new(&format!("{}; {}; exit 3", printed(PROGRESS), printed(REFUSED)));
    let mut child = stage.start();
    let first = child.next().await.expect("a whole frame");
    assert!(matches!(first, Some((Message::Progress(_), _))));
    let second = child.next().await.expect("a whole frame");
    assert!(matches!(second, Some((Message::Refused(_), _))));
    assert!(child.next().await.expect("a good end").is_none());
}

#[tokio::test]
async fn a_process_that_says_nothing_is_killed_after_its_time() {
    let began = Instant::now();
    let error = first_error(&format!("{}; exec sleep 60", printed(PROGRESS))).await;
    assert_eq!((error.code.as_str(), error.permanent), ("stalled", false));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_signal_becomes_a_sentence() {
    for (signal, code, permanent) in [
        ("XCPU", "cpu_limit", true),
        ("SYS", "forbidden_call", true),
        ("KILL", "killed", false),
        ("SEGV", "crashed", false),
    ] {
        let error = first_error(&format!("kill -{signal} $$")).await;
        assert_eq!(
            (error.code.as_str(), error.permanent),
            (code, permanent),
            "{signal}"
        );
        assert!(error.sentence.len() > 20, "{error}");
    }
}

#[tokio::test]
async fn a_process_that_ends_without_a_last_word_has_failed() {
    let error = first_error(&printed(PROGRESS)).await;
    assert_eq!(error.code, "ended_early");
}

#[tokio::test]
async fn lengths_that_no_honest_process_sends_are_not_believed() {
    let error = first_error("printf '\\002\\000\\000\\000\\377\\377\\377\\377{}'; exec sleep 60").await;
    assert!(!error.sentence.is_empty());
}

#[tokio::test]
async fn dropping_the_handle_kills_the_process_at_once() {
    let stage = Stage::new(&format!(
        "echo $$ > \"$(dirname \"$0\")/id\"; {}; exec sleep 60",
        printed(PROGRESS)
    ));
    let mut child = stage.start();
    child.next().await.expect("a whole frame");
    let id = fs::read_to_string(stage.folder.path().join("id")).expect("the script wrote it");
    let alive = format!("/proc/{}/cmdline", id.trim());
    drop(child);
    let began = Instant::now();
    // A killed process that nobody has waited for yet has an empty command line.
    while fs::read(&alive).is_ok_and(|command| !command.is_empty()) {
        assert!(began.elapsed() < Duration::from_secs(2), "it is still alive");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn endless_lines_of_log_do_no_harm() {
    let stage = Stage::new(&format!(
        "head -c 3000000 /dev/zero | tr '\\0' x >&2; {}; exit 3",
        printed(REFUSED)
    ));
    let mut child = stage.start();
    assert!(matches!(
        child.next().await.expect("a whole frame"),
        Some((Message::Refused(_), _))
    ));
}
