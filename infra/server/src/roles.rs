//! The roles: what one process of Spool does, from start to graceful stop.

use crate::accounts;
use crate::backends::Name;
use crate::kafka;
use crate::leading;
use crate::node::{Node, Part};
use crate::operator;
use anyhow::{Context, bail};
use spool_commands::erasures::Erasing;
use spool_commands::managers::Settings;
use spool_commands::placement::Placement;
use spool_commands::{Commands, ServiceToken};
use spool_gateway::{Gateway, Internal, Tls};
use spool_platform::config::{BlobsBackend, Config, LogBackend, TablesBackend};
use spool_platform::members::{Member, Members};
use spool_platform::telemetry;
use spool_projections::Publisher;
use spool_workers::Workers;
use spool_workers::mail::{self, Mail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often streams' states are written, so that a start after a crash reads little of the log.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(20);
/// How long work in progress may take to end after a stop was asked for.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// What could not be begun is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);
/// Writing the rows and the public topics, which one node does at a time.
const VIEWS: &str = "views";
/// Taking away blobs that nothing refers to, the same.
const HOUSEKEEPING: &str = "housekeeping";
/// Sending mail, the same.
const MAIL: &str = "mail";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Everything in one process
    All,
    /// HTTP, WebSockets, pages and films
    Gateway,
    /// Takes commands: executors, timers, process managers
    Commands,
    /// Writes the views and the public topics
    Projections,
    /// Runs jobs: probes and transcodes films
    Workers,
}

/// The roles of one process.
#[derive(Clone, Copy, Debug)]
pub struct Roles {
    gateway: bool,
    commands: bool,
    projections: bool,
    workers: bool,
}

impl Roles {
    pub fn new(roles: &[Role]) -> Self {
        let has = |role| roles.iter().any(|given| [role, Role::All].contains(given));
        Self {
            gateway: has(Role::Gateway),
            commands: has(Role::Commands),
            projections: has(Role::Projections),
            workers: has(Role::Workers),
        }
    }

    pub const fn has(self, role: Role) -> bool {
        match role {
            Role::All => self.gateway && self.commands && self.projections && self.workers,
            Role::Gateway => self.gateway,
            Role::Commands => self.commands,
            Role::Projections => self.projections,
            Role::Workers => self.workers,
        }
    }

    /// As the nodes tell each other.
    fn names(self) -> Vec<String> {
        let all = [Role::Gateway, Role::Commands, Role::Projections, Role::Workers];
        let own = all.into_iter().filter(|role| self.has(*role));
        own.map(|role| role.name().to_owned()).collect()
    }

    /// Nodes that share the work must share what it is about.
    fn check(self, config: &Config) -> anyhow::Result<()> {
        if self.has(Role::All) {
            return Ok(());
        }
        let is_own = [
            (config.log.backend != LogBackend::Kafka, "log.backend = kafka"),
            (
                config.tables.backend != TablesBackend::Cql,
                "tables.backend = cql",
            ),
            (config.blobs.backend != BlobsBackend::S3, "blobs.backend = s3"),
        ];
        match is_own.iter().find(|(is_own, _)| *is_own) {
            Some((_, wanted)) => bail!(
                "a node with only some of the roles works on servers that it shares with the others: set {wanted}, or run \
                 `spool serve --role all`"
            ),
            None => Ok(()),
        }
    }
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Gateway => "gateway",
            Self::Commands => spool_commands::placement::ROLE,
            Self::Projections => "projections",
            Self::Workers => "workers",
        }
    }
}

/// Runs until SIGTERM or SIGINT.
pub async fn serve(config: Config, roles: Roles) -> anyhow::Result<()> {
    roles.check(&config)?;
    let metrics = telemetry::start(&config.telemetry).context("starting telemetry")?;
    let tls = Tls::open(&config.edge)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}", config.listen))?;
    let address = listener.local_addr().context("reading the address listened on")?;
    let name = name(&config, address);
    let node = tokio::task::spawn_blocking(move || Node::open(config, name, Part::Serving(roles))).await??;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let members = join(&node, roles);
    let operator = operator::listen(&node)?;
    tasks.spawn(operator::serve(node.clone(), operator, stop.clone()));
    let running = Running {
        node: &node,
        members: members.as_ref(),
        tasks: &tasks,
        stop: &stop,
    };
    running.start(roles)?;
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
    if let Some(tls) = tls.clone() {
        let keeping_up = tls.keep_up().context("listening for SIGHUP")?;
        tasks.spawn(stop.clone().run_until_cancelled_owned(keeping_up));
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    tasks.spawn(stop_when_told(stop.clone()));
    tasks.spawn(say_when_ready(
        node.clone(),
        members,
        format!("{scheme}://{address}/"),
        stop.clone(),
    ));
    if roles.has(Role::Gateway) {
        let address = format!("{scheme}://{address}/");
        tasks.spawn(accounts::tell_first_admin(gateway.clone(), address, stop.clone()));
        let days = node.config.auth.signing_key_days;
        tasks.spawn(accounts::rotate_keys(node.keys.clone(), days, stop.clone()));
    }
    let router = match roles.has(Role::Gateway) {
        true => gateway.router(),
        false => gateway.health_router(),
    };
    let router = match node.log.needs_barrier() {
        true => router.merge(Internal::new(node.commands.clone(), ServiceToken::of(&node.keys)).routes()),
        false => router,
    };
    gateway
        .serve_routes(router, listener, tls, stop.clone().cancelled_owned())
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
    let machine = || {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim().to_owned()
    };
    let node = || format!("{}:{}", machine(), address.port());
    // An address that stands for all of them is none that others can reach.
    let url = || match address.ip().is_unspecified() {
        true => format!("http://{}", node()),
        false => format!("http://{address}"),
    };
    Name {
        node: config.cluster.node.clone().unwrap_or_else(node),
        url: config.cluster.url.clone().unwrap_or_else(url),
    }
}

/// Has the other nodes know of this one, where there may be others.
fn join(node: &Node, roles: Roles) -> Option<Members> {
    let me = || Member::new(&node.name.node, &node.name.url, roles.names());
    node.log
        .needs_barrier()
        .then(|| Members::join(node.signals.clone(), me()))
}

async fn say_when_ready(node: Node, members: Option<Members>, url: String, stop: CancellationToken) {
    if let Some(members) = members {
        tokio::select! {
            () = leading::wait_until_led(&node.log, &members) => {}
            () = stop.cancelled() => return,
        }
    }
    tracing::info!(data = %node.config.data_dir.display(), "spool is ready: {url}");
}

/// What runs beside HTTP.
struct Running<'a> {
    node: &'a Node,
    members: Option<&'a Members>,
    tasks: &'a TaskTracker,
    stop: &'a CancellationToken,
}

impl Running<'_> {
    fn start(&self, roles: Roles) -> anyhow::Result<()> {
        if let Some(members) = self.members {
            let placement = Placement::new(self.node.log.clone(), members.clone());
            self.tasks.spawn(placement.run(self.stop.clone()));
        }
        if roles.has(Role::Commands) {
            self.start_commands();
        }
        if roles.has(Role::Projections) {
            self.start_projections()?;
        }
        if roles.has(Role::Workers) {
            self.start_workers();
            self.start_mail()?;
        }
        Ok(())
    }

    fn start_commands(&self) {
        let Node {
            commands,
            config,
            keys,
            projections,
            ..
        } = self.node;
        let projections = projections.clone();
        let (following, stop) = (commands.clone(), self.stop.clone());
        self.tasks
            .spawn(async move { following.run_following(stop).await });

        let (timing, stop) = (commands.clone(), self.stop.clone());
        self.tasks.spawn(async move { timing.run_timers(stop).await });

        let settings = Settings {
            erasing: Some(Erasing {
                keys: keys.clone(),
                videos_of: Arc::new(move |account| Box::pin(projections.clone().videos_of(account))),
            }),
            ..Settings::of(config)
        };
        let (managing, tables, stop) = (commands.clone(), self.node.tables.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            if let Err(error) = managing.run_managers(&tables, settings, stop).await {
                tracing::error!(%error, "the process managers could not start");
            }
        });

        self.tasks
            .spawn(write_snapshots(commands.clone(), self.stop.clone()));
    }

    fn start_projections(&self) -> anyhow::Result<()> {
        let Node { log, config, .. } = self.node;
        let settings = kafka::settings(config)?.filter(|_| config.kafka.public_topics);
        let publisher = settings.map(|settings| Publisher::new(log.clone(), settings));
        match self.members.filter(|_| self.node.shares_rows()) {
            Some(members) => {
                let (members, node, stop) = (members.clone(), self.node.clone(), self.stop.clone());
                self.tasks.spawn(async move {
                    let write = |turn| write_rows(node.clone(), publisher.clone(), turn);
                    members
                        .take_turns(Role::Projections.name(), VIEWS, stop, write)
                        .await;
                });
            }
            None => {
                if let Some(publisher) = publisher {
                    self.tasks.spawn(publisher.run(self.stop.clone()));
                }
            }
        }
        Ok(())
    }

    fn start_workers(&self) {
        let node = self.node;
        let workers = Workers::new(spool_workers::Parts {
            config: node.config.clone(),
            clock: node.clock.clone(),
            commands: node.commands.clone(),
            projections: node.projections.clone(),
            blobs: node.blobs.clone(),
            signals: node.signals.clone(),
        });
        let (housekeepers, members, stop) = (workers.clone(), self.members.cloned(), self.stop.clone());
        self.tasks.spawn(async move {
            let keep_house = |turn| {
                let workers = housekeepers.clone();
                async move { workers.keep_house(turn).await }
            };
            match members {
                Some(members) => {
                    members
                        .take_turns(Role::Workers.name(), HOUSEKEEPING, stop, keep_house)
                        .await;
                }
                None => keep_house(stop).await,
            }
        });
        let stop = self.stop.clone();
        self.tasks.spawn(async move { workers.run(stop).await });
    }

    fn start_mail(&self) -> anyhow::Result<()> {
        let node = self.node;
        let base_url = node.config.public_url.as_ref().unwrap_or(&node.name.url);
        let parts = mail::Parts {
            log: node.log.clone(),
            commands: node.commands.clone(),
            tables: node.tables.clone(),
            keys: node.keys.clone(),
            clock: node.clock.clone(),
            base_url: base_url.trim_end_matches('/').to_owned(),
        };
        let Some(mail) = Mail::open(&node.config.mail, parts).context("setting up mail")? else {
            tracing::warn!(
                "no mail is sent, so nobody can reset a password: set mail.smtp_url, or mail.file for development"
            );
            return Ok(());
        };
        let (members, stop) = (self.members.cloned(), self.stop.clone());
        self.tasks.spawn(async move {
            let send = |turn| {
                let mail = mail.clone();
                async move { mail.run(turn).await }
            };
            match members {
                Some(members) => members.take_turns(Role::Workers.name(), MAIL, stop, send).await,
                None => send(stop).await,
            }
        });
        Ok(())
    }
}

/// One turn of writing the rows that all nodes read, and the public topics.
async fn write_rows(node: Node, publisher: Option<Publisher>, turn: CancellationToken) {
    let publishing = publisher.map(|publisher| tokio::spawn(publisher.run(turn.clone())));
    loop {
        let projections = node.projections.clone();
        let begun = tokio::task::spawn_blocking(move || projections.begin_writing()).await;
        let error = match begun {
            Ok(Ok(())) => break,
            Ok(Err(error)) => anyhow::Error::from(error),
            Err(error) => error.into(),
        };
        tracing::warn!(error = %format!("{error:#}"), "the rows cannot be written yet");
        tokio::select! {
            () = turn.cancelled() => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    turn.cancelled().await;
    let projections = node.projections.clone();
    let ended = tokio::task::spawn_blocking(move || projections.end_writing()).await;
    if let Err(error) = ended {
        tracing::error!(%error, "ending to write the rows");
    }
    if let Some(publishing) = publishing
        && let Err(error) = publishing.await
    {
        tracing::error!(%error, "the publisher broke");
    }
}

async fn write_snapshots(commands: Commands, stop: CancellationToken) {
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
