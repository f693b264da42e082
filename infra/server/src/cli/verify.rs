//! `spool verify`: is the log whole, does every event decode, does every view equal a refold?

use crate::operator::client::{Ask, ask};
use clap::Args;
use serde_json::Value;
use spool_platform::config::Config;
use std::process::ExitCode;

#[derive(Args)]
pub struct Verify {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let mut ok = false;
        ask(config, Ask::Verify, &mut |text| {
            let line: Value = serde_json::from_str(text).unwrap_or_default();
            if self.json {
                println!("{text}");
            }
            if line["finished"] == true {
                ok = line["ok"] == true;
            } else if let (Some(passed), false) = (line["ok"].as_bool(), self.json) {
                let mark = if passed { "ok  " } else { "FAIL" };
                println!(
                    "{mark} {}: {}",
                    line["check"].as_str().unwrap_or(""),
                    line["detail"].as_str().unwrap_or("")
                );
            }
            true
        })
        .await?;
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
}
