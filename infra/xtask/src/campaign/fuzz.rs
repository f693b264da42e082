//! `cargo xtask campaign fuzz`: libFuzzer on the targets of `gateway/fuzz`, one after another.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::setup::{self, Purpose};
use crate::{cargo, say};

const CARGO_FUZZ: &str = "0.13.2";
const TARGETS: &[&str] = &["access_token", "refresh_token", "cursor", "headers", "multipart"];
const SECONDS_FULL: u32 = 600;

/// Every target for ten minutes, or for one. The first input that something does not hold of ends it, and is kept in
/// `gateway/fuzz/artifacts`.
pub fn run(full: bool, seed: Option<&str>) -> Result<()> {
    setup::prepare(Purpose::Build)?;
    let path = with_cargo_fuzz()?;
    // A folder that is not there counts as changed each time, and the gateway would be built anew for every target.
    std::fs::create_dir_all(cargo::root().join("gateway/web/dist"))?;
    let seconds = if full { SECONDS_FULL } else { SECONDS_FULL / 10 };
    for target in TARGETS {
        let step = say::step(format!("{target}: {seconds} s of libFuzzer"));
        // What was found before is gone on from; without that, it begins at the seeds.
        let corpus = cargo::target().join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&corpus)?;
        // Our code has nothing unsafe in it, so there is nothing for a sanitizer to see, and no nightly Rust is needed.
        let mut command =
            cargo::command(&["fuzz", "run", "--fuzz-dir", "gateway/fuzz", "--sanitizer", "none"]);
        command
            .arg("--target-dir")
            .arg(cargo::target().join("fuzz"))
            .arg(target)
            .arg(&corpus)
            .arg(format!("gateway/fuzz/seeds/{target}"))
            .args(["--", "-print_final_stats=1", "-timeout=30"])
            .arg(format!("-max_total_time={seconds}"))
            .args(seed.map(|seed| format!("-seed={seed}")))
            .env("PATH", &path);
        cargo::succeed(&mut command)?;
        step.done();
    }
    Ok(())
}

/// Where programs are looked for, with cargo-fuzz among them, which is built if it is not there.
fn with_cargo_fuzz() -> Result<OsString> {
    let tools = cargo::target().join("tools");
    if !tools.join("bin/cargo-fuzz").exists() {
        let step = say::step("building cargo-fuzz");
        let mut install = cargo::command(&[
            "install",
            "cargo-fuzz",
            "--version",
            CARGO_FUZZ,
            "--locked",
            "--root",
        ]);
        cargo::succeed(install.arg(&tools))?;
        step.done();
    }
    let before = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(tools.join("bin")).chain(std::env::split_paths(&before));
    std::env::join_paths(all.collect::<Vec<PathBuf>>()).context("PATH cannot be made longer")
}
