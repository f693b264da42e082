//! Asks a node for operator's work: the running one by its socket, or one opened here when none runs.

use super::{socket_path, work};
use crate::local::Local;
use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::StreamExt;
use spool_platform::config::{Config, LogBackend};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;

/// What is asked for.
pub enum Ask {
    Events(work::Wanted),
    Rebuild { view: String },
    Verify,
}

impl Ask {
    fn path(&self) -> anyhow::Result<String> {
        Ok(match self {
            Self::Events(wanted) => format!("events?{}", wanted.query()),
            Self::Rebuild { view } => {
                if !view
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
                {
                    bail!("{view:?} is no name of a view");
                }
                format!("rebuild?view={view}")
            }
            Self::Verify => "verify".to_owned(),
        })
    }
}

/// Whether a node runs on the directory.
pub fn is_running(config: &Config) -> bool {
    UnixStream::connect(socket_path(&config.data_dir)).is_ok()
}

/// Takes one line of JSON; false when no more are wanted.
pub type Each<'a> = &'a mut dyn FnMut(&str) -> bool;

/// Asks, and hands each answered line to `each` until it says stop (false) or the answer ends.
pub async fn ask(config: &Config, ask: Ask, each: Each<'_>) -> anyhow::Result<()> {
    let socket = socket_path(&config.data_dir);
    match UnixStream::connect(&socket) {
        Ok(_) => ask_running(config, &ask, each).await,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            ask_here(config, ask, each).await
        }
        Err(error) => Err(error).with_context(|| format!("asking the running node at {}", socket.display())),
    }
}

async fn ask_running(config: &Config, ask: &Ask, each: Each<'_>) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .unix_socket(socket_path(&config.data_dir))
        .build()?;
    let url = format!("http://spool/{}", ask.path()?);
    let request = match ask {
        Ask::Events(_) => client.get(url),
        Ask::Rebuild { .. } | Ask::Verify => client.post(url),
    };
    let answer = request
        .send()
        .await
        .context("asking the running node")?
        .error_for_status()?;
    let mut chunks = answer.bytes_stream();
    let mut pending = Vec::new();
    while let Some(chunk) = chunks.next().await {
        pending.extend_from_slice(&chunk.context("the running node stopped answering")?);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            if !each(
                std::str::from_utf8(&line)
                    .context("reading the node's answer")?
                    .trim_end(),
            ) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// No node runs on this directory: open it here, which also keeps one from starting meanwhile.
async fn ask_here(config: &Config, ask: Ask, each: Each<'_>) -> anyhow::Result<()> {
    let data = &config.data_dir;
    if config.log.backend == LogBackend::Embedded && !data.join("log").is_dir() {
        bail!("there is no log in {}; say where with --data", data.display());
    }
    let local = Local::open(config.clone()).await?;
    let (lines, mut receiver) = work::lines();
    let node = local.node();
    let worker = match ask {
        Ask::Events(wanted) => tokio::spawn(work::events(node.log.clone(), wanted, lines)),
        Ask::Rebuild { view } => {
            let projections = node.projections.clone();
            tokio::spawn(async move { work::rebuild(&projections, &view, lines).await })
        }
        Ask::Verify => tokio::spawn(work::verify(node.log.clone(), node.projections.clone(), lines)),
    };
    while let Some(line) = receiver.recv().await {
        let line: Bytes = line;
        if !each(std::str::from_utf8(&line)?.trim_end()) {
            worker.abort();
            break;
        }
    }
    local.close().await
}
