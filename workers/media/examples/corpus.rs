//! Takes every film of a folder with a MANIFEST.tsv through spool-media and says which get what it says.
//!
//! `cargo run -p spool-media --example corpus -- --corpus DIR [--only PART_OF_A_NAME]`

#[path = "../tests/shelf/mod.rs"]
mod shelf;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use shelf::{check, manifest};

/// Where hostile playlists of the corpus point to; a film is put there that must never be opened.
const CANARY: &str = "/var/tmp/spool-canary/corpus/video/h264_aac.ts";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).cloned()
    };
    let Some(corpus) = value_of("--corpus").map(PathBuf::from) else {
        eprintln!("usage: corpus --corpus DIR [--only PART_OF_A_NAME]");
        return ExitCode::from(2);
    };
    let lines = match manifest::read(&corpus) {
        Ok(lines) => lines,
        Err(error) => {
            eprintln!("{} has no readable MANIFEST.tsv: {error}", corpus.display());
            return ExitCode::from(2);
        }
    };
    let only = value_of("--only").unwrap_or_default();
    place_canary(&corpus);
    // Nothing is meant to connect here; when the port is taken someone else is watching it.
    let listener = TcpListener::bind(("127.0.0.1", 18_999)).ok();
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let mut failures = 0;
    for line in lines.iter().filter(|line| line.name.contains(&only)) {
        let began = Instant::now();
        let outcome = check::line(line, folder.path());
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(what) => println!("pass  {:<45} {seconds:>5.1} s  {what}", line.name),
            Err(why) => {
                failures += 1;
                println!("FAIL  {:<45} {seconds:>5.1} s  {why}", line.name);
            }
        }
    }
    if listener.is_some_and(|listener| was_called(&listener)) {
        failures += 1;
        println!("FAIL  something connected to 127.0.0.1:18999");
    }
    println!("{failures} of {} lines fail", lines.len());
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn place_canary(corpus: &Path) {
    let canary = Path::new(CANARY);
    let placed = canary
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::copy(corpus.join("video/h264_aac.ts"), canary));
    if let Err(error) = placed {
        println!("note  the canary film could not be put in its place: {error}");
    }
}

fn was_called(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).is_ok() && listener.accept().is_ok()
}
