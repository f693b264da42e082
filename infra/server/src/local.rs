//! A node opened for one operator's command, without serving anybody.

use crate::node::Node;
use spool_platform::config::Config;

pub struct Local(Node);

impl Local {
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        Ok(Self(
            tokio::task::spawn_blocking(move || Node::open(config)).await??,
        ))
    }

    pub const fn node(&self) -> &Node {
        &self.0
    }

    pub async fn close(self) -> anyhow::Result<()> {
        Ok(tokio::task::spawn_blocking(move || self.0.close()).await?)
    }
}
