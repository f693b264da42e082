//! `spool verify`: is the log whole, does every event decode, does every view equal a refold, and are two installations the same?

use crate::operator::client::{Ask, ask, is_running};
use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};
use spool_platform::config::Config;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Verify {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
    /// Verify the installation that this configuration describes as well, and that every view has the same content there
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// What was found in one installation.
#[derive(Default)]
struct Found {
    ok: bool,
    views: BTreeMap<String, Content>,
}

struct Content {
    hash: String,
    /// How many commits were folded into it.
    commits: u64,
}

impl Verify {
    pub async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let other = self.other(config)?;
        let here = self.verify(config).await?;
        let mut ok = here.ok;
        if let Some(other) = other {
            if let (Some(file), false) = (&self.against, self.json) {
                println!("\n{}:", file.display());
            }
            let there = self.verify(&other).await?;
            ok &= there.ok & self.compare(&here, &there);
        }
        if !self.json {
            println!(
                "{}",
                if ok {
                    "everything holds"
                } else {
                    "something does not hold"
                }
            );
        }
        Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn other(&self, config: &Config) -> anyhow::Result<Option<Config>> {
        let Some(file) = &self.against else {
            return Ok(None);
        };
        let other = Config::load(Some(file), &[]).with_context(|| format!("reading {}", file.display()))?;
        // A running node answers for its directory, whatever the configuration here says about it.
        let data = |config: &Config| std::fs::canonicalize(&config.data_dir).ok();
        let is_same = data(config).is_some_and(|dir| data(&other) == Some(dir));
        ensure!(
            !is_same || !is_running(config),
            "both configurations name the directory {}, and a node runs there, which would be asked twice; stop it first",
            config.data_dir.display()
        );
        Ok(Some(other))
    }

    async fn verify(&self, config: &Config) -> anyhow::Result<Found> {
        let mut found = Found::default();
        ask(config, Ask::Verify, &mut |text| {
            let line: Value = serde_json::from_str(text).unwrap_or_default();
            if self.json {
                println!("{text}");
            }
            if line["finished"] == true {
                found.ok = line["ok"] == true;
            } else if let Some(passed) = line["ok"].as_bool() {
                self.show(
                    passed,
                    line["check"].as_str().unwrap_or(""),
                    line["detail"].as_str().unwrap_or(""),
                );
            }
            if let (Some(view), Some(hash)) = (line["view"].as_str(), line["content"].as_str()) {
                let content = Content {
                    hash: hash.to_owned(),
                    commits: line["commits"].as_u64().unwrap_or(0),
                };
                found.views.insert(view.to_owned(), content);
            }
            true
        })
        .await?;
        Ok(found)
    }

    /// Whether every view has the same content in both.
    fn compare(&self, here: &Found, there: &Found) -> bool {
        if !self.json {
            println!("\nhere and there:");
        }
        let mut all = here.views.keys().eq(there.views.keys());
        for (view, here) in &here.views {
            let Some(there) = there.views.get(view) else {
                continue;
            };
            let same = here.hash == there.hash;
            let check = format!("view {view} has the same content");
            let detail = match same {
                true => here.hash.clone(),
                false => format!(
                    "{} after {} commits here, {} after {} there",
                    here.hash, here.commits, there.hash, there.commits
                ),
            };
            self.show(same, &check, &detail);
            if self.json {
                println!("{}", json!({"check": check, "ok": same, "detail": detail}));
            }
            all &= same;
        }
        all
    }

    fn show(&self, passed: bool, check: &str, detail: &str) {
        if !self.json {
            let mark = if passed { "ok  " } else { "FAIL" };
            println!("{mark} {check}: {detail}");
        }
    }
}
