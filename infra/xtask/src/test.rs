//! `cargo xtask test`: one build, every test, and a closing line with the totals.

mod transcript;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::flags::Flags;
use crate::setup::{self, NodeJs, Purpose};
use crate::{cargo, say, services, web};
use transcript::Transcript;

pub const HELP: &str = "
cargo xtask test [FILTER] [--seed S]

Installs what is missing, builds the pages and the workspace once, fetches Kafka, Cassandra, an S3 server and an
OpenID provider (once), and runs every test: rules, properties, contract suites, stories over HTTP (on embedded storage
and again on these servers), pages in a real Chromium, and a tenth of each crash campaign on the real binary.
CI runs exactly this.

  FILTER      run only the tests whose names contain this
  --seed S    repeat the crash campaigns of an earlier run, which printed its seed

A test that this machine cannot run (power cuts need root and loop devices) says NOT RUN with its reason and is counted
as skipped. The whole output is kept in target/xtask/test.log.
";

pub fn run(mut flags: Flags) -> Result<()> {
    let seed = flags.option("--seed")?;
    let filter = flags.word();
    flags.finish()?;
    let started = Instant::now();
    let node = setup::prepare(Purpose::Test)?;
    web::build(&node)?;
    build_everything()?;
    services::fetch()?;
    std::fs::create_dir_all(cargo::target().join("xtask"))?;
    std::fs::write(log_file(), "")?;

    let step = say::step("running the tests");
    let mut command = tests(&node, &["--lib", "--bins", "--tests"], filter.as_deref());
    if let Some(seed) = seed {
        command.env("CAMPAIGN_SEED", seed);
    }
    let mut transcript = Transcript::default();
    let ended_well = follow(&mut command, |line| transcript.read(line))?;
    transcript.end(ended_well);
    step.done();

    let step = say::step("telling the stories of the API again, on Kafka, Cassandra and S3");
    let mut command = tests(&node, &["--test", "api"], filter.as_deref());
    command.env("SPOOL_TEST_WORLD", "servers");
    transcript.enter("on servers: ");
    let ended_well = follow(&mut command, |line| transcript.read(line))?;
    transcript.end(ended_well);
    step.done();
    if filter.is_none() {
        test_the_pages(&node, &mut transcript)?;
    }

    for (test, reason) in transcript.not_run() {
        say::line(&format!("skipped: {test}: {reason}"));
    }
    for test in transcript.failures() {
        say::line(&format!("failed: {test}"));
    }
    say::line(&format!("\nall of it took {}", say::human(started.elapsed())));
    say::line(&transcript.totals());
    if !transcript.is_green() {
        bail!("the failures are printed above; the whole output is in target/xtask/test.log");
    }
    Ok(())
}

/// Binaries and tests in one call: asked for apart, they would be resolved to other features and built again.
pub fn build_everything() -> Result<()> {
    let step = say::step("building the workspace and its tests");
    cargo::run(&["build", "--workspace", "--bins", "--tests"])?;
    step.done();
    Ok(())
}

/// The tests of these targets whose names contain the filter.
fn tests(node: &NodeJs, targets: &[&str], filter: Option<&str>) -> Command {
    let mut words = vec!["test", "--workspace", "--no-fail-fast"];
    words.extend(targets);
    words.push("--");
    words.extend(filter);
    words.push("--show-output");
    in_test_world(node, &words)
}

/// A cargo command whose tests find the Node.js that drives the browser.
pub fn in_test_world(node: &NodeJs, words: &[&str]) -> Command {
    let mut command = cargo::command(words);
    command.env("PATH", node.path());
    command
}

/// The tests that the pages' own sources have, in Node.js.
fn test_the_pages(node: &NodeJs, transcript: &mut Transcript) -> Result<()> {
    let step = say::step("running the tests of the pages");
    let mut npm = Command::new("npm");
    npm.current_dir(cargo::root().join("gateway/web"))
        .args(["test", "--silent"]);
    npm.env("PATH", node.path())
        .env("NODE_OPTIONS", "--test-reporter=tap");
    let ended_well = follow(&mut npm, |line| transcript.read_tap(line))?;
    transcript.end(ended_well);
    step.done();
    Ok(())
}

/// Runs tests, shows what `read` finds worth seeing and keeps all of it in a file. Says whether they ended well.
fn follow(command: &mut Command, mut read: impl FnMut(&str) -> Option<String>) -> Result<bool> {
    let mut log = OpenOptions::new().create(true).append(true).open(log_file())?;
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start the tests")?;
    let output = child
        .stdout
        .take()
        .expect("the child was started with its output piped");
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        writeln!(log, "{line}")?;
        if let Some(shown) = read(&line) {
            say::line(&shown);
        }
    }
    Ok(child.wait()?.success())
}

fn log_file() -> PathBuf {
    cargo::target().join("xtask/test.log")
}
