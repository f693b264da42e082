//! A node: opens the world once. Every role works on these handles.

use crate::backends::{self, Name, OpenLog};
use crate::kafka;
use crate::roles::{Role, Roles};
use anyhow::Context;
use spool_blobs::Blobs;
use spool_commands::{Ask, Commands, Parts, Peers, ServiceToken};
use spool_domain::actors::Actor;
use spool_domain::ids::ViewId;
use spool_domain::views;
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_platform::config::{Config, TablesBackend};
use spool_platform::keys::Keys;
use spool_platform::signals::Signals;
use spool_projections::{Projections, Switcher};
use spool_tables::Tables;
use std::fs::File;
use std::sync::Arc;
use tokio::runtime::Handle;

#[derive(Clone)]
pub struct Node {
    pub config: Arc<Config>,
    pub name: Arc<Name>,
    pub clock: Clock,
    pub log: Log,
    /// Of the views, and of what all nodes must know.
    pub tables: Tables,
    pub blobs: Blobs,
    pub keys: Keys,
    pub signals: Signals,
    pub commands: Commands,
    pub projections: Projections,
    _lock: Option<Arc<File>>,
}

/// What a node is there for.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// To serve others, in these roles.
    Serving(Roles),
    /// To look: it leads nothing, and the other nodes do not hear of it.
    Watching,
}

impl Node {
    /// Opens everything that the configuration names. Blocking; inside a runtime.
    pub fn open(config: Config, name: Name, part: Part) -> anyhow::Result<Self> {
        let data = &config.data_dir;
        std::fs::create_dir_all(data).with_context(|| format!("creating {}", data.display()))?;
        // The log comes first: with it comes the lock that keeps other processes off this directory.
        let OpenLog { log, lock } = backends::open_log(&config, &name)?;
        if let Some(cut) = log.cut() {
            tracing::warn!(
                ?cut,
                "the log's torn tail was cut; nobody had been told of what it held"
            );
        }
        let clock = Clock::system();
        let keys = backends::open_keys(&config)?;
        let blobs = backends::open_blobs(&config)?;
        let tables = backends::open_tables(&config)?;
        let signals = match part {
            Part::Serving(_) if log.needs_barrier() => shared_signals(&config)?,
            Part::Serving(_) | Part::Watching => Signals::new(),
        };
        let commands = open_commands(&config, part, &log, &tables, &clock, &keys)?;
        let (own, switcher) = (log.clone(), switcher(&commands));
        let projections = match part {
            Part::Serving(_) if shares_rows(&config, &log) => {
                Projections::share(own, tables.clone(), switcher, signals.clone(), &name.node)
            }
            Part::Serving(_) | Part::Watching => Projections::start(own, tables.clone(), switcher),
        };
        Ok(Self {
            projections: projections.context("starting the projections")?,
            config: Arc::new(config),
            name: Arc::new(name),
            clock,
            log,
            tables,
            blobs,
            keys,
            signals,
            commands,
            _lock: lock.map(Arc::new),
        })
    }

    /// Whether one node at a time writes the rows that all of them read.
    pub fn shares_rows(&self) -> bool {
        shares_rows(&self.config, &self.log)
    }

    /// Writes snapshots and closes the log. Blocking.
    pub fn close(self) {
        if let Err(error) = self.commands.write_snapshots() {
            tracing::warn!(%error, "no snapshot was written; the next start replays more of the log");
        }
        self.projections.end_writing();
        self.log.close();
    }
}

fn shares_rows(config: &Config, log: &Log) -> bool {
    log.needs_barrier() && config.tables.backend == TablesBackend::Cql
}

fn shared_signals(config: &Config) -> anyhow::Result<Signals> {
    let settings = kafka::settings(config)?.context("kafka.brokers must be set")?;
    let signals = Handle::current().block_on(Signals::over_kafka(&settings));
    signals.context(
        "opening the signals between nodes; `spool topics check` says what is wrong with their topic",
    )
}

/// With executors where the role is to have some; and with the way to those of other nodes where these may lead.
fn open_commands(
    config: &Config,
    part: Part,
    log: &Log,
    tables: &Tables,
    clock: &Clock,
    keys: &Keys,
) -> anyhow::Result<Commands> {
    let peers = || Peers::new(ServiceToken::of(keys));
    let has_executors = match part {
        Part::Serving(roles) => roles.has(Role::Commands),
        Part::Watching => !log.needs_barrier(),
    };
    if !has_executors {
        return Ok(Commands::remote(log.clone(), peers()?));
    }
    let parts = Parts {
        log: log.clone(),
        // Snapshots are this node's own, and it can lose them.
        tables: match config.tables.backend {
            TablesBackend::Embedded => tables.clone(),
            TablesBackend::Cql => backends::local_tables(config)?,
        },
        clock: clock.clone(),
    };
    let commands = Commands::open(parts).context("restoring the state of the streams")?;
    match log.needs_barrier() {
        true => Ok(commands.with_peers(peers()?)),
        false => Ok(commands),
    }
}

/// Records in the log which version of a view serves.
fn switcher(commands: &Commands) -> Switcher {
    let commands = commands.clone();
    Arc::new(move |name, version| {
        let commands = commands.clone();
        Box::pin(async move {
            let stream = ViewId::of(&name).stream();
            let switch = views::Command::Switch { name, version };
            let given = commands.give(stream, switch, Ask::fresh(Actor::System)).await;
            given.map(drop).map_err(|error| error.to_string())
        })
    })
}
