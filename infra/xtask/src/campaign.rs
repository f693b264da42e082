//! `cargo xtask campaign NAME`: one campaign of crashes, films or attacks, whole or a part of it.

mod fuzz;

use anyhow::{Context, Result, bail};

use crate::flags::Flags;
use crate::setup::{self, Purpose};
use crate::{cargo, say, services, test, web};

pub const HELP: &str = "
cargo xtask campaign NAME [--seed S] [--full] [--corpus DIR]

  powercut    cut the power below a loaded server (simulated on a loop-mounted disk; needs root), restart, compare with
              what was acknowledged; then once more with fsync made a no-op, which must fail
  kill        kill -9 at random points below registrations, uploads, transcodes, edits and deletes, restart, compare
  fleet       kill -9 one node after another of a cluster on Kafka, Cassandra and S3 (two of each role), below the same load
  brokers     kill -9 each of three Kafka brokers in turn, below the same load on two nodes
  topics      kill -9 below the same load with Kafka at hand, and compare the public topics with the log
  sim         the protocol by which nodes share a log on Kafka, simulated with loss, delay, zombies and crashes
  media       upload every film that DIR/MANIFEST.tsv names and hold the outcome against what it says
  fuzz        libFuzzer on everything that parses what strangers send, one target after another (the first time all of
              it is compiled once more, for some minutes)
  router      strange requests to the router without sockets: nothing may panic or be answered by a 5xx
  schemathesis
              schemathesis, all its checks, on the document of a running server
  minio       everything that is tested of S3, the contract of the blobs among it, on MinIO instead of versitygw (the
              first time Go builds it, for some minutes)

  --full      all of it: 100 power cuts, 200 kills, 100 for fleet (five minutes and more), 30 for
              brokers, 60 for topics, 1,000,000 seeds (without it a tenth; `cargo xtask test` runs 10,000 seeds),
              1,000,000 requests for router (without it a hundredth, as `cargo xtask test` makes), 10 minutes for each
              target of fuzz, 20,000 cases for schemathesis (without it a fiftieth)
  --seed S    repeat an earlier run, which printed its seed
  --corpus D  the folder for `media`
";

/// Campaigns by name, each with the test binaries it is in, what the names of its tests contain, and what they do not.
const CAMPAIGNS: &[(&str, &str, &str)] = &[
    ("powercut", "it", "powercut::"),
    ("kill", "it", "kill::"),
    (
        "fleet",
        "it",
        "cluster::several::a_fleet_whose_nodes_are_killed_one_by_one_keeps_every_promise",
    ),
    ("brokers", "it", "cluster::brokers::"),
    ("topics", "it", "public_topics::killed::"),
    (
        "media",
        "it",
        "corpus::a_folder_of_films_gets_what_its_manifest_says",
    ),
    ("router", "api", "fuzz::"),
    ("schemathesis", "it", "attacks::"),
    (
        "minio",
        "it",
        "s3:: direct:: large:: failing:: starting:: --skip cluster::",
    ),
];

pub fn run(mut flags: Flags) -> Result<()> {
    let seed = flags.option("--seed")?;
    let corpus = flags.option("--corpus")?;
    let full = flags.switch("--full");
    let name = flags
        .word()
        .with_context(|| format!("which campaign? One of {}", names()))?;
    flags.finish()?;
    match name.as_str() {
        "sim" => return simulate(full, seed.as_deref()),
        "fuzz" => return fuzz::run(full, seed.as_deref()),
        _ => {}
    }
    let Some((_, binary, tests)) = CAMPAIGNS.iter().find(|(known, _, _)| *known == name) else {
        bail!("there is no campaign named {name:?}; there are {}", names());
    };
    if corpus.is_none() && name == "media" {
        bail!("say which films: --corpus DIR, a folder with a MANIFEST.tsv");
    }
    let node = setup::prepare(Purpose::Test)?;
    web::build(&node)?;
    test::build_everything()?;
    services::fetch()?;
    let on_minio = name == "minio";
    if on_minio {
        services::fetch_minio()?;
    }

    let step = say::step(format!("campaign {name}"));
    let mut words = vec![
        "test",
        "--workspace",
        "--test",
        binary,
        "--",
        "--nocapture",
        "--test-threads=1",
    ];
    words.extend(tests.split(' '));
    let mut command = test::in_test_world(&node, &words);
    command.env("CAMPAIGN", &name);
    if on_minio {
        command.env("SPOOL_TEST_S3", "minio");
    }
    command.envs(seed.map(|seed| ("CAMPAIGN_SEED", seed)));
    if full {
        command.env("CAMPAIGN_FULL", "1");
    }
    if let Some(corpus) = corpus {
        let folder =
            std::fs::canonicalize(&corpus).with_context(|| format!("there is no folder {corpus}"))?;
        command.env("CAMPAIGN_CORPUS", folder);
    }
    cargo::succeed(&mut command)?;
    step.done();
    Ok(())
}

fn names() -> String {
    let names = CAMPAIGNS.iter().map(|(name, _, _)| *name);
    names.chain(["sim", "fuzz"]).collect::<Vec<_>>().join(", ")
}

/// Optimised, for seeds are many; nothing but the protocol is needed.
fn simulate(full: bool, first: Option<&str>) -> Result<()> {
    setup::prepare(Purpose::Build)?;
    let step = say::step("campaign sim");
    let seeds = if full { "1000000" } else { "100000" };
    let mut words = vec![
        "run",
        "--profile",
        "simulation",
        "--quiet",
        "--package",
        "spool-log",
        "--example",
        "simulate",
    ];
    words.extend(["--", seeds]);
    words.extend(first);
    cargo::run(&words)?;
    step.done();
    Ok(())
}
