//! `cargo xtask services`: real servers for a developer, and what tests need fetched before they start.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::flags::Flags;
use crate::{cargo, say, setup};

pub const HELP: &str = "
cargo xtask services up|down|status|forget [kafka] [kafka3] [cassandra] [s3] [minio] [oidc]

  up       fetch what is missing (once, below target/services), start it in the background, and print where it serves
           and which variable makes the tests use it; without names: kafka, cassandra and s3
  status   say which of them run, and where
  down     end them; their data is kept
  forget   end them and remove their data

Ports are always the same and those of infra/deploy/compose.yaml: Kafka 19092, its three brokers 19192, 19292 and 19392,
Cassandra 19042, S3 17070, MinIO 19000, the OpenID provider 19480, all on 127.0.0.1. Tests need none of this: they start servers of their own.
";

pub fn run(mut flags: Flags) -> Result<()> {
    let what = flags
        .word()
        .context("say what to do: up, down, status or forget")?;
    let names: Vec<String> = std::iter::from_fn(|| flags.word()).collect();
    flags.finish()?;
    if !["up", "down", "status", "forget"].contains(&what.as_str()) {
        bail!("{what:?} is not known here; there are up, down, status and forget");
    }
    if what == "up" {
        setup::prepare_services()?;
    }
    cargo::succeed(script("detached.sh").arg(&what).args(&names))
}

/// Fetches what tests start, so that none of them waits for a download.
pub fn fetch() -> Result<()> {
    let step = say::step(
        "fetching Kafka, Cassandra, an S3 server, a mail server, an OpenID provider and what checks clients, if missing",
    );
    let names = [
        "kafka",
        "cassandra",
        "s3",
        "oidc",
        "mail",
        "kurrentdbclient",
        "openapi-python-client",
    ];
    cargo::succeed(script("fetch.sh").args(names))?;
    step.done();
    Ok(())
}

/// Fetches what only a campaign starts. Go builds it, which takes some minutes.
pub fn fetch_minio() -> Result<()> {
    let step = say::step("building MinIO, if missing");
    cargo::succeed(script("fetch.sh").arg("minio"))?;
    step.done();
    Ok(())
}

fn script(name: &str) -> Command {
    let mut command = Command::new(cargo::root().join("infra/services").join(name));
    command.current_dir(cargo::root());
    command
}
