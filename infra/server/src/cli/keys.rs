//! `spool keys`: the one key that the nodes of a cluster are given.

use clap::Subcommand;
use spool_platform::config::Config;
use spool_platform::keys::Keys;

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make the master key of a new cluster; give every node the same file, and keep a backup of it
    New,
}

impl KeysCommand {
    pub fn run(&self, config: &Config) -> anyhow::Result<()> {
        match self {
            Self::New => {
                let path = Keys::new_master(&config.keys_dir())?;
                println!(
                    "{} is the master key of a new installation. Give every node this file, and keep a backup of it apart from \
                     that of the data: without it no personal datum can be read.",
                    path.display()
                );
                Ok(())
            }
        }
    }
}
