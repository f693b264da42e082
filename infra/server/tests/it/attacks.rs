//! A stranger's program, schemathesis, reads the document of a running server and asks whatever that describes, and what it
//! does not: no answer is a fault of ours, and none has a status, a type, a header or a shape that the document does not know.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::campaign;
use crate::server::Setup;

/// Cases of the whole campaign; the tests make a fiftieth of them.
const FULL: u64 = 20_000;
/// Random cases of one operation in a round, besides those that follow from its schema.
const EXAMPLES_FULL: u64 = 200;

#[test]
fn every_answer_is_one_that_the_document_knows() -> Result<()> {
    let attack = Attack::fetch()?;
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log"));
    let server = runtime.block_on(setup.start())?;
    let (wanted, examples) = match campaign::is_full() {
        true => (FULL, EXAMPLES_FULL),
        false => (FULL / 50, EXAMPLES_FULL / 50),
    };
    let mut seed = campaign::seeded("schemathesis", &format!("at least {wanted} cases"));
    let mut cases = 0;
    while cases < wanted {
        cases += attack.run(&server.base(), examples, seed, folder.path())?;
        println!("{cases} cases after the round of seed {seed}");
        seed += 1;
    }
    runtime.block_on(server.stop())
}

/// schemathesis, ready to run.
struct Attack {
    sources: PathBuf,
    fetched: PathBuf,
}

impl Attack {
    /// Fetches it, once.
    fn fetch() -> Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../attacks");
        let ran = Command::new(sources.join("fetch.sh")).output()?;
        ensure!(
            ran.status.success(),
            "schemathesis could not be fetched: {}",
            text(&ran.stderr)
        );
        let fetched = PathBuf::from(text(&ran.stdout).trim());
        Ok(Self { sources, fetched })
    }

    /// How many cases one round made; a finding is an error that shows how to repeat it.
    fn run(&self, base: &str, examples: u64, seed: u64, folder: &Path) -> Result<u64> {
        let report = folder.join("report.json");
        let mut command = Command::new(self.fetched.join("python/bin/schemathesis"));
        command
            .current_dir(&self.sources)
            .env("SPOOL_URL", base)
            .env("PYTHONPATH", &self.sources)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args(["--config-file", "schemathesis.toml", "run"])
            .arg(format!("{base}/api/openapi.json"))
            .args(["--checks", "all", "--workers", "2", "--continue-on-failure"])
            .args(["--generation-database", "none", "--report", "json"])
            .arg("--report-json-path")
            .arg(&report)
            .args([
                "--max-examples",
                &examples.to_string(),
                "--seed",
                &seed.to_string(),
            ]);
        let ran = command.output().context("starting schemathesis")?;
        ensure!(ran.status.success(), "{}", findings(&ran));
        let report: Value = serde_json::from_slice(&std::fs::read(&report)?)?;
        let operations = &report["operations"];
        ensure!(
            operations["tested"] == operations["total"] && operations["errored"] == 0,
            "not every operation was asked: {operations}"
        );
        report["test_cases"]["generated"]
            .as_u64()
            .with_context(|| format!("a report without its number of cases: {report}"))
    }
}

fn findings(ran: &Output) -> String {
    format!(
        "schemathesis ended with {}:\n{}\n{}",
        ran.status,
        text(&ran.stdout),
        text(&ran.stderr)
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
