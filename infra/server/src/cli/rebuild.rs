//! `spool rebuild VIEW`: a new version of a view beside the old one, with a progress bar, then the switch.

use crate::operator::client::{Ask, ask};
use anyhow::bail;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use spool_platform::config::Config;

#[derive(Args)]
pub struct Rebuild {
    /// accounts, catalogue, jobs or analytics
    view: String,
}

impl Rebuild {
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        let style =
            ProgressStyle::with_template("{msg:>14} {bar:40} {human_pos}/{human_len} commits {per_sec}")?;
        let bar = ProgressBar::new(0).with_style(style);
        let mut ended = Err("the node stopped answering".to_owned());
        let view = self.view.clone();
        ask(config, Ask::Rebuild { view }, &mut |text| {
            let line: Value = serde_json::from_str(text).unwrap_or_default();
            if let Some(error) = line["error"].as_str() {
                ended = Err(error.to_owned());
            } else if line["finished"] == true {
                ended = Ok(line["version"].clone());
            } else {
                bar.set_length(line["total"].as_u64().unwrap_or(0));
                bar.set_position(line["done"].as_u64().unwrap_or(0));
                bar.set_message(line["phase"].as_str().unwrap_or("").to_lowercase());
            }
            true
        })
        .await?;
        match ended {
            Ok(version) => {
                bar.finish_with_message("done");
                println!("{}: version {version} serves", self.view);
                Ok(())
            }
            Err(error) => {
                bar.abandon();
                bail!("rebuilding {}: {error}", self.view)
            }
        }
    }
}
