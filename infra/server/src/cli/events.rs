//! `spool events tail`: the events as they were written, one JSON line each.

use crate::operator::client::{Ask, ask};
use crate::operator::work::Wanted;
use anyhow::bail;
use clap::Subcommand;
use spool_platform::config::Config;

#[derive(Subcommand)]
pub enum Events {
    /// Print events, oldest first, and wait for new ones
    Tail {
        /// Of one stream only, for example videos-0192…
        #[arg(long)]
        stream: Option<String>,
        /// Begin with the last N events instead of all
        #[arg(long, value_name = "N")]
        last: Option<usize>,
        /// Stop at the end instead of waiting
        #[arg(long)]
        no_follow: bool,
    },
}

impl Events {
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        let Self::Tail {
            stream,
            last,
            no_follow,
        } = self;
        let mut failed = None;
        let wanted = Wanted {
            stream,
            last,
            follow: !no_follow,
        };
        ask(config, Ask::Events(wanted), &mut |event| {
            match event.strip_prefix("{\"error\":") {
                Some(error) => failed = Some(error.trim_matches(['"', '}']).to_owned()),
                None => println!("{event}"),
            }
            failed.is_none()
        })
        .await?;
        match failed {
            Some(error) => bail!(error),
            None => Ok(()),
        }
    }
}
