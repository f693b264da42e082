//! Finds out what a chore needs and this machine lacks, and installs it where apt can.

mod node;
mod probe;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, say};
pub use node::NodeJs;
use probe::Probe;

/// What a chore is about to do, and so what must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Compile the workspace and the pages.
    Build,
    /// Also run measurements, which make films.
    Bench,
    /// Also run every test: page stories, crash campaigns, injected faults.
    Test,
    /// Fetch and start Kafka, Cassandra and an S3 server, which measurements and tests do too.
    Services,
}

struct Need {
    package: &'static str,
    probe: Probe,
    since: Purpose,
}

const fn need(package: &'static str, probe: Probe, since: Purpose) -> Need {
    Need {
        package,
        probe,
        since,
    }
}

const NEEDS: &[Need] = &[
    need("pkg-config", Probe::Program("pkg-config"), Purpose::Build),
    need("clang", Probe::Program("clang"), Purpose::Build),
    need("libclang-dev", Probe::LibClang, Purpose::Build),
    need("mold", Probe::Program("mold"), Purpose::Build),
    need("cmake", Probe::Program("cmake"), Purpose::Build),
    need("make", Probe::Program("make"), Purpose::Build),
    // Kafka's client speaks TLS with it.
    need("libssl-dev", Probe::Library("libssl"), Purpose::Build),
    need("libavcodec-dev", Probe::Library("libavcodec"), Purpose::Build),
    need("libavformat-dev", Probe::Library("libavformat"), Purpose::Build),
    need("libavfilter-dev", Probe::Library("libavfilter"), Purpose::Build),
    need("libavdevice-dev", Probe::Library("libavdevice"), Purpose::Build),
    need("libavutil-dev", Probe::Library("libavutil"), Purpose::Build),
    need("libswscale-dev", Probe::Library("libswscale"), Purpose::Build),
    need(
        "libswresample-dev",
        Probe::Library("libswresample"),
        Purpose::Build,
    ),
    need("ffmpeg", Probe::Program("ffmpeg"), Purpose::Bench),
    need(
        "chromium",
        Probe::AnyProgram(&["chromium", "chromium-browser", "google-chrome"]),
        Purpose::Test,
    ),
    need("strace", Probe::Program("strace"), Purpose::Test),
    need("eatmydata", Probe::Program("eatmydata"), Purpose::Test),
    need("e2fsprogs", Probe::Program("mkfs.ext4"), Purpose::Test),
    need("openjdk-17-jre-headless", Probe::Java17, Purpose::Services),
    need("maven", Probe::Program("mvn"), Purpose::Services),
    need("python3-venv", Probe::PythonVenv, Purpose::Services),
];

impl Purpose {
    fn includes(self, since: Purpose) -> bool {
        match self {
            Purpose::Build => since == Purpose::Build,
            Purpose::Bench => since != Purpose::Test,
            Purpose::Test => true,
            Purpose::Services => since == Purpose::Services,
        }
    }
}

/// Makes sure everything for the purpose is there. Asks the network for nothing when nothing is missing.
pub fn prepare(purpose: Purpose) -> Result<NodeJs> {
    let step = say::step("checking what is installed");
    let mut packages = missing(purpose);
    packages.extend(node::missing_packages());
    install(&packages)?;
    rust_components()?;
    let node = node::find_or_install()?;
    step.done();
    Ok(node)
}

/// The same for the test servers alone, which are no Rust and have no pages.
pub fn prepare_services() -> Result<()> {
    let step = say::step("checking what is installed");
    install(&missing(Purpose::Services))?;
    step.done();
    Ok(())
}

fn missing(purpose: Purpose) -> Vec<&'static str> {
    let missing = NEEDS
        .iter()
        .filter(|need| purpose.includes(need.since) && !need.probe.is_present());
    missing.map(|need| need.package).collect()
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!(
        "apt-get update && apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    );
    say::line(&format!("    missing: {}", packages.join(", ")));
    if !probe::is_on_path("apt-get") {
        bail!(
            "install what Debian calls {} with this system's own package manager, then run the same command again",
            packages.join(", ")
        );
    }
    let Some(root) = becoming_root() else {
        bail!(
            "installing needs root, and sudo asks for a password. Run this, then the same command again:\n\n    sudo sh -c '{line}'\n"
        );
    };
    say::line(&format!("    {line}"));
    let mut command = Command::new(root[0]);
    command
        .args(&root[1..])
        .args(["sh", "-c", &line])
        .env("DEBIAN_FRONTEND", "noninteractive");
    cargo::succeed(&mut command)
        .with_context(|| format!("apt-get could not install; put it right and run\n\n    {line}\n\nby hand"))
}

/// The words to put before a command so that it runs as root, if that goes without a password.
fn becoming_root() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(&["env"]);
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).output().ok()?;
    // `env` carries DEBIAN_FRONTEND through sudo, which drops what it was not told to keep.
    sudo.status
        .success()
        .then_some(&["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"])
}

/// rustfmt and clippy, which minimal installations of Rust leave out.
fn rust_components() -> Result<()> {
    for (component, chore) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let there = cargo::command(&[chore, "--version"])
            .output()
            .is_ok_and(|output| output.status.success());
        if there {
            continue;
        }
        let mut rustup = Command::new("rustup");
        rustup.args(["component", "add", component]);
        cargo::succeed(&mut rustup).with_context(|| {
            format!("install {component} for the Rust in use (with rustup: rustup component add {component})")
        })?;
    }
    Ok(())
}

fn first_line(program: &Path, word: &str) -> Option<String> {
    let output = Command::new(program).arg(word).output().ok()?;
    output.status.success().then(|| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or("")
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(purpose: Purpose) -> Vec<&'static str> {
        NEEDS
            .iter()
            .filter(|need| purpose.includes(need.since))
            .map(|need| need.package)
            .collect()
    }

    #[test]
    fn the_demo_needs_no_browser_and_no_tracer() {
        let wanted = packages(Purpose::Build);
        assert!(wanted.contains(&"libavformat-dev"));
        for heavy in ["chromium", "strace", "eatmydata", "ffmpeg", "maven"] {
            assert!(!wanted.contains(&heavy), "{heavy} is only for tests");
        }
    }

    #[test]
    fn the_servers_need_neither_compilers_nor_a_browser() {
        let wanted = packages(Purpose::Services);
        assert_eq!(wanted, ["openjdk-17-jre-headless", "maven", "python3-venv"]);
    }

    #[test]
    fn the_tests_need_all_of_it() {
        assert_eq!(packages(Purpose::Test).len(), NEEDS.len());
    }
}
