//! `cargo xtask bench`: runs the measurements and writes infra/docs/BENCHMARKS.md.

mod report;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::flags::Flags;
use crate::setup::{self, Purpose};
use crate::{cargo, json, machine, say, services, web};

pub const HELP: &str = "
cargo xtask bench [NAME…]

Builds with optimisation, runs the measurements one after another and writes infra/docs/BENCHMARKS.md. Each compares
the product with an ideal in the same run, because two runs on a busy machine cannot be compared.

  NAME    only some of: append, http, rebuild, transcode, first_segment, kafka, give_kafka, takeover, cql, rebuild_cql
          (the others keep their last figures)
";

/// One measurement: an example program that prints a JSON object a line.
pub struct Bench {
    pub name: &'static str,
    package: &'static str,
    /// What is measured and beside what, for the report.
    pub about: &'static str,
    /// Starts Kafka or Cassandra, which have to be fetched before.
    needs_servers: bool,
}

pub const BENCHES: &[Bench] = &[
    Bench {
        name: "append",
        package: "spool-log",
        about: "Durable appends of 300-byte events by 1, 16 and 128 callers, beside a loop that writes the same bytes \
                to a zero-filled file with one fdatasync per batch. Sustained: as long as the log has to fill further \
                segments with zeros at the same time, which the ideal loop does not.",
        needs_servers: false,
    },
    Bench {
        name: "http",
        package: "spool-gateway",
        about: "Commands over HTTP (token checked, JSON in, durable, answered) by 64 connections, beside a bare axum \
                route that only group-commits the same bytes; a page of 20 of the catalogue, beside a bare route \
                that returns the same bytes; that page for somebody who is signed in, beside the same without \
                authentication; and that page while 32 people sign in again and again, beside the same while nobody does.",
        needs_servers: false,
    },
    Bench {
        name: "rebuild",
        package: "spool-projections",
        about: "Rebuild of the analytics view from a million events, beside decoding and folding the same bytes in \
                memory without tables.",
        needs_servers: false,
    },
    Bench {
        name: "transcode",
        package: "spool-media",
        about: "CPU of a transcode of the demo film looped to 60 s, beside one ffmpeg command with a split filter at \
                the same settings.",
        needs_servers: false,
    },
    Bench {
        name: "first_segment",
        package: "spool",
        about: "Time from the last byte of an upload to the first segment that decodes, for a 10-minute film.",
        needs_servers: false,
    },
    Bench {
        name: "kafka",
        package: "spool-log",
        about: "Appends to the log on one Kafka broker, beside a bare rdkafka produce with the same settings.",
        needs_servers: true,
    },
    Bench {
        name: "give_kafka",
        package: "spool-commands",
        about: "Commands through the handle (decided, written to the log on one Kafka broker, answered), beside a bare \
                rdkafka produce of the same records with the same settings.",
        needs_servers: true,
    },
    Bench {
        name: "takeover",
        package: "spool-commands",
        about: "How long commands of a partition are not taken after its owner was killed, with hot standbys on one Kafka \
                broker.",
        needs_servers: true,
    },
    Bench {
        name: "cql",
        package: "spool-tables",
        about: "Commits of a view into Apache Cassandra, beside a bare loop of prepared inserts.",
        needs_servers: true,
    },
    Bench {
        name: "rebuild_cql",
        package: "spool-projections",
        about: "Rebuild of the catalogue from the log into Apache Cassandra, beside a bare loop of prepared inserts of \
                the rows that it leaves there. A row that the fold changes again after it was written counts once.",
        needs_servers: true,
    },
];

pub fn run(mut flags: Flags) -> Result<()> {
    let mut chosen = Vec::new();
    while let Some(name) = flags.word() {
        let known = BENCHES.iter().find(|bench| bench.name == name);
        chosen.push(known.with_context(|| format!("there is no measurement named {name:?}; see --help"))?);
    }
    flags.finish()?;
    if chosen.is_empty() {
        chosen.extend(BENCHES);
    }
    let node = setup::prepare(Purpose::Bench)?;
    web::build(&node)?;
    build()?;
    if chosen.iter().any(|bench| bench.needs_servers) {
        services::fetch()?;
    }
    fs::create_dir_all(results())?;

    let mut failed = Vec::new();
    for bench in chosen {
        if let Err(error) = measure(bench) {
            say::line(&format!("    {} failed: {error:#}", bench.name));
            failed.push(bench.name);
        }
    }
    let file = cargo::root().join("infra/docs/BENCHMARKS.md");
    fs::write(&file, report::write(&results())?)?;
    say::line("\nwrote infra/docs/BENCHMARKS.md");
    if !failed.is_empty() {
        bail!("these did not finish: {}", failed.join(", "));
    }
    Ok(())
}

/// Where the lines of each measurement are kept, so that one can be repeated without the others.
fn results() -> PathBuf {
    cargo::target().join("xtask/bench")
}

fn build() -> Result<()> {
    let step = say::step("building with optimisation");
    let mut words = vec![
        "build",
        "--release",
        "--bins",
        "--examples",
        "--package",
        "spool-media",
    ];
    for bench in BENCHES.iter().filter(|bench| bench.package != "spool-media") {
        words.extend(["--package", bench.package]);
    }
    cargo::run(&words)?;
    step.done();
    Ok(())
}

fn measure(bench: &Bench) -> Result<()> {
    let step = say::step(format!("measuring {}", bench.name));
    let program = cargo::target()
        .join("release/examples")
        .join(format!("bench_{}", bench.name));
    let load_before = machine::look(&cargo::target()).load;
    let mut command = std::process::Command::new(&program);
    command.current_dir(cargo::root()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("could not start bench_{}", bench.name))?;
    let output = child
        .stdout
        .take()
        .expect("the child was started with its output piped");
    let mut kept = format!("{{\"load\":\"{load_before}\"}}\n");
    for line in BufReader::new(output).lines() {
        let line = line?;
        say::line(&format!("    {}", report::shown(&line)));
        if json::field(&line, "figure").is_some() {
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("bench_{} ended with {status}", bench.name);
    }
    fs::write(results().join(bench.name), kept)?;
    step.done();
    Ok(())
}
