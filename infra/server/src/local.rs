//! A node opened for one operator's command, without serving anybody.

use crate::backends::Name;
use crate::node::{Node, Part};
use spool_platform::config::Config;

pub struct Local(Node);

impl Local {
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        // It never claims anything, so nobody is ever told this name.
        let name = Name {
            node: "operator".to_owned(),
            url: String::new(),
        };
        let open = move || Node::open(config, name, Part::Watching);
        Ok(Self(tokio::task::spawn_blocking(open).await??))
    }

    pub const fn node(&self) -> &Node {
        &self.0
    }

    pub async fn close(self) -> anyhow::Result<()> {
        Ok(tokio::task::spawn_blocking(move || self.0.close()).await?)
    }
}
