//! What a film that takes over the process could still do: nothing.

mod shelf;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use spool_media_protocol::{CutBy, EncodeTask, Limits, RungTask, Task, ladder};

use shelf::{made, media};

fn try_to_escape(how: &str) -> Output {
    Command::new(media::executable())
        .args(["--try-to-escape", how])
        .output()
        .expect("spool-media was built")
}

#[test]
fn no_file_can_be_opened() {
    let output = try_to_escape("file");
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), &b"held\n"[..])
    );
}

#[test]
fn threads_are_allowed() {
    assert_eq!(try_to_escape("thread").stdout, b"held\n");
}

#[test]
fn a_socket_or_a_program_ends_the_process() {
    let listener = TcpListener::bind(("127.0.0.1", 18_999)).ok();
    for how in ["socket", "program"] {
        let output = try_to_escape(how);
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{how}");
        assert_eq!(output.stdout, b"", "{how}");
    }
    if let Some(listener) = listener {
        listener.set_nonblocking(true).expect("a socket of ours");
        assert!(listener.accept().is_err(), "something connected");
    }
}

fn long_encode(limits: Limits, film: &std::path::Path) -> Task {
    let probe = media::run(
        &Task::Probe {
            limits: Limits::default(),
        },
        film,
    )
    .probe
    .expect("it is a film");
    Task::Encode(EncodeTask {
        limits,
        rungs: ladder(&probe)
            .into_iter()
            .map(|rung| RungTask {
                rung,
                start_segment: 0,
            })
            .collect(),
        audio: None,
        cut: CutBy::Grid,
        encoder_threads: 0,
    })
}

#[test]
fn too_much_computing_ends_the_process() {
    let made = made::looped_demo(60);
    let limits = Limits {
        cpu_seconds_max: 1,
        ..Limits::default()
    };
    let answer = media::run(&long_encode(limits, &made.film), &made.film);
    assert!(answer.finished.is_none());
    assert_eq!(
        answer.status.and_then(|status| status.signal()),
        Some(libc::SIGXCPU)
    );
}

#[test]
fn too_little_memory_is_said_in_a_sentence() {
    let made = made::looped_demo(6);
    let limits = Limits {
        memory_bytes_max: 420 << 20,
        ..Limits::default()
    };
    let answer = media::run(&long_encode(limits, &made.film), &made.film);
    assert!(answer.finished.is_none());
    let said = answer.failed.map(|failed| failed.code);
    let crashed = answer.status.is_some_and(|status| status.signal().is_some());
    assert!(said.as_deref() == Some("out_of_memory") || crashed, "{said:?}");
}

#[test]
fn a_process_whose_worker_is_gone_ends_by_itself() {
    let made = made::looped_demo(60);
    let mut child = media::start(&long_encode(Limits::default(), &made.film), &made.film);
    let mut pipe = child.stdout.take().expect("the output is piped");
    pipe.read_exact(&mut [0; 64]).expect("it begins to speak");
    drop(pipe);
    let began = Instant::now();
    while child.try_wait().expect("the child is ours").is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it goes on without anyone listening"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_process_is_gone_at_once() {
    let made = made::looped_demo(60);
    let mut child = media::start(&long_encode(Limits::default(), &made.film), &made.film);
    let mut pipe = child.stdout.take().expect("the output is piped");
    pipe.read_exact(&mut [0; 64]).expect("it begins to speak");
    let began = Instant::now();
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn only_a_regular_file_is_taken_for_a_film() {
    let mut child = Command::new(media::executable())
        .arg(r#"{"task":"probe"}"#)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("spool-media was built");
    drop(child.stdin.take());
    assert_eq!(
        media::collect(child).failed.map(|failed| failed.code).as_deref(),
        Some("input_error")
    );
}

#[test]
fn a_task_that_is_not_understood_is_refused_before_the_film_is_looked_at() {
    let output = Command::new(media::executable())
        .arg(r#"{"task":"dance"}"#)
        .output()
        .expect("spool-media was built");
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("the task is not understood"), "{complaint}");
}

#[test]
fn the_program_says_what_it_is() {
    let help = Command::new(media::executable())
        .arg("--help")
        .output()
        .expect("spool-media was built");
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("\"task\":\"probe\""));
    let version = Command::new(media::executable())
        .arg("--version")
        .output()
        .expect("spool-media was built");
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("spool-media "));
}

#[test]
fn a_playlist_named_like_a_film_never_shows_another_film() {
    let room = tempfile::tempdir().expect("there is a folder for temporary files");
    let canary = room.path().join("canary.ts");
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/films/h264_aac.ts"),
        &canary,
    )
    .expect("both are there");
    let playlist = room.path().join("film.mp4");
    let text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n",
        canary.display()
    );
    fs::write(&playlist, text).expect("the folder is ours");
    let answer = media::run(
        &Task::Probe {
            limits: Limits::default(),
        },
        &playlist,
    );
    assert!(answer.refused.is_some() && answer.probe.is_none());
}
