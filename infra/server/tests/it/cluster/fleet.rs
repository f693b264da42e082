//! The processes of one installation on servers, each with its role, killed and started again one by one.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Servers;
use crate::crowd::Crowd;
use crate::server::{Server, Setup};

pub struct Fleet {
    /// A node that never runs, for what is asked of the installation as a whole.
    pub setup: Setup,
    nodes: Vec<Node>,
}

struct Node {
    setup: Setup,
    role: &'static str,
    /// None while it is killed.
    server: Option<Server>,
}

impl Fleet {
    /// A new installation with one node for each of `roles`, all of them ready.
    pub async fn start(folder: &Path, roles: &[&'static str]) -> Result<Self> {
        Self::start_on(&Servers::shared().await, folder, roles, |setup| setup).await
    }

    /// The same on these servers, with some settings changed.
    pub async fn start_on(
        servers: &Servers<'_>,
        folder: &Path,
        roles: &[&'static str],
        change: impl FnOnce(Setup) -> Setup,
    ) -> Result<Self> {
        let setup = Setup::new(folder.join("data"), folder.join("operator.log"));
        let setup = servers.install_with(setup, change).await?;
        let node = |(number, role): (usize, &&'static str)| Node {
            setup: setup.node(&format!("{role}-{number}"), role),
            role,
            server: None,
        };
        let nodes = roles.iter().enumerate().map(node).collect();
        let mut fleet = Self { setup, nodes };
        for node in &mut fleet.nodes {
            node.server = Some(node.setup.spawn()?);
        }
        fleet.all_ready().await?;
        Ok(fleet)
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    pub fn role(&self, node: usize) -> &'static str {
        self.nodes[node].role
    }

    /// Where a node takes requests.
    pub fn base(&self, node: usize) -> Result<String> {
        self.server(node).map(Server::base)
    }

    /// Where people are served that this node would not serve, now that it is gone or about to be.
    pub fn another_gateway(&self, node: usize) -> Result<String> {
        let is_gateway = |other: &usize| ["gateway", "all"].contains(&self.role(*other));
        let other = (0..self.count()).find(|other| *other != node && is_gateway(other));
        self.base(other.context("there is another gateway")?)
    }

    pub fn server(&self, node: usize) -> Result<&Server> {
        self.nodes[node].server.as_ref().context("the node is not killed")
    }

    pub fn kill(&mut self, node: usize) -> Result<()> {
        self.nodes[node]
            .server
            .take()
            .context("the node is not killed")?
            .kill()
    }

    /// Starts a node that was killed; others are not waited for.
    pub async fn restart(&mut self, node: usize) -> Result<()> {
        let node = &mut self.nodes[node];
        node.server = Some(node.setup.start().await?);
        Ok(())
    }

    /// As in an update: SIGTERM, then a start, until it is ready.
    pub async fn stop_and_start(&mut self, node: usize) -> Result<()> {
        let running = self.nodes[node].server.take();
        running.context("the node is not killed")?.stop().await?;
        self.restart(node).await
    }

    /// Returns when every node says that it can serve.
    pub async fn all_ready(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(server) = &mut node.server {
                server.ready().await?;
            }
        }
        Ok(())
    }

    /// The end of a campaign: everybody finds what was acknowledged, every job comes to its end, and what the stopped nodes leave
    /// is verified. Says how much that was.
    pub async fn end(mut self, crowd: &mut Crowd) -> Result<String> {
        self.all_ready().await?;
        let base = self.base(0)?;
        crowd.settle_and_check(&base).await?;
        let limit = Duration::from_secs(180 + 4 * crowd.films() as u64);
        let done = crowd.wait_until_all_is_done(&base, limit).await;
        done.with_context(|| self.said())?;
        let (acknowledged, films) = (crowd.acknowledged(), crowd.films());
        self.stop_and_verify().await?;
        Ok(format!(
            "{acknowledged} commands acknowledged, {films} films played to the end"
        ))
    }

    /// Stops every node as an operator does, and verifies what they leave.
    pub async fn stop_and_verify(self) -> Result<()> {
        for node in self.nodes {
            if let Some(server) = node.server {
                server.stop().await?;
            }
        }
        tokio::task::spawn_blocking(move || self.setup.verify()).await?
    }

    /// The last lines of every node.
    pub fn said(&self) -> String {
        let said = |node: &Node| {
            node.server
                .as_ref()
                .map(|server| format!("{}:\n{}\n", node.role, server.said()))
        };
        self.nodes.iter().filter_map(said).collect()
    }
}
