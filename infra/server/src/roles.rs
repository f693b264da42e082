//! The roles: what one process of Spool does, from start to graceful stop.

use crate::backends::Name;
use crate::kafka;
use crate::leading;
use crate::node::{Node, Part};
use crate::operator;
use anyhow::Context;
use spool_commands::managers::Settings;
use spool_gateway::Gateway;
use spool_platform::config::Config;
use spool_platform::telemetry;
use spool_projections::Publisher;
use spool_workers::Workers;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often streams' states are written, so that a start after a crash reads little of the log.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(20);
/// How long work in progress may take to end after a stop was asked for.
const STOP_WITHIN: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Everything in one process
    All,
}

/// Runs until SIGTERM or SIGINT.
pub async fn serve(config: Config, role: Role) -> anyhow::Result<()> {
    let metrics = telemetry::start(&config.telemetry).context("starting telemetry")?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}", config.listen))?;
    let address = listener.local_addr().context("reading the address listened on")?;
    let name = name(&config, address);
    let node = tokio::task::spawn_blocking(move || Node::open(config, &name, Part::Leading)).await??;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    match role {
        Role::All => start_all(&node, &tasks, &stop),
    }
    if let Some(settings) = kafka::settings(&node.config)?.filter(|_| node.config.kafka.public_topics) {
        tasks.spawn(Publisher::new(node.log.clone(), settings).run(stop.clone()));
    }
    let operator = operator::listen(&node)?;
    tasks.spawn(operator::serve(node.clone(), operator, stop.clone()));
    let gateway = Gateway::new(spool_gateway::Parts {
        config: node.config.clone(),
        clock: node.clock.clone(),
        log: node.log.clone(),
        commands: node.commands.clone(),
        projections: node.projections.clone(),
        blobs: node.blobs.clone(),
        keys: node.keys.clone(),
        signals: node.signals.clone(),
        metrics,
    });
    tasks.spawn(stop_when_told(stop.clone()));
    tracing::info!(%address, data = %node.config.data_dir.display(), "spool is ready: http://{address}/");
    gateway
        .serve(listener, stop.clone().cancelled_owned())
        .await
        .context("serving HTTP")?;
    stop.cancel();
    tasks.close();
    if tokio::time::timeout(STOP_WITHIN, tasks.wait()).await.is_err() {
        tracing::warn!("some work did not end in time and is cut off; it goes on at the next start");
    }
    tokio::task::spawn_blocking(move || node.close()).await?;
    tracing::info!("stopped");
    Ok(())
}

/// As configured, or by the machine and the address that is listened on.
fn name(config: &Config, address: SocketAddr) -> Name {
    let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let node = || format!("{}:{}", machine().trim(), address.port());
    Name {
        node: config.cluster.node.clone().unwrap_or_else(node),
        url: config
            .cluster
            .url
            .clone()
            .unwrap_or_else(|| format!("http://{address}")),
    }
}

fn start_all(node: &Node, tasks: &TaskTracker, stop: &CancellationToken) {
    if node.log.needs_barrier() {
        let (commands, following_stop) = (node.commands.clone(), stop.clone());
        tasks.spawn(async move { commands.run_following(following_stop).await });
        tasks.spawn(leading::watch(node.log.clone(), stop.clone()));
    }

    let (commands, timers_stop) = (node.commands.clone(), stop.clone());
    tasks.spawn(async move { commands.run_timers(timers_stop).await });

    let settings = Settings {
        job_attempts_max: node.config.jobs.max_attempts,
    };
    let (commands, tables, managers_stop) = (node.commands.clone(), node.tables.clone(), stop.clone());
    tasks.spawn(async move {
        if let Err(error) = commands.run_managers(&tables, settings, managers_stop).await {
            tracing::error!(%error, "the process managers could not start");
        }
    });

    let (commands, snapshots_stop) = (node.commands.clone(), stop.clone());
    tasks.spawn(async move { write_snapshots(commands, snapshots_stop).await });

    let workers = Workers::new(spool_workers::Parts {
        config: node.config.clone(),
        clock: node.clock.clone(),
        commands: node.commands.clone(),
        projections: node.projections.clone(),
        blobs: node.blobs.clone(),
        signals: node.signals.clone(),
    });
    let workers_stop = stop.clone();
    tasks.spawn(async move { workers.run(workers_stop).await });
}

async fn write_snapshots(commands: spool_commands::Commands, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SNAPSHOT_EVERY) => {}
        }
        let commands = commands.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || commands.write_snapshots()).await {
            tracing::warn!(%error, "snapshots could not be written");
        }
    }
}

async fn stop_when_told(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; only kill -9 will stop this process");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stop.cancelled() => {}
    }
    tracing::info!("stopping: finishing what was accepted");
    stop.cancel();
}
