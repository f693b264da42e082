//! A node: opens the world once. Every role works on these handles.

use crate::backends::{self, Name, OpenLog};
use crate::leading;
use anyhow::Context;
use spool_blobs::Blobs;
use spool_commands::{Ask, Commands, Parts};
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

/// What a node does with the partitions of a log that several nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Takes commands, which only the leader of a partition can.
    Leading,
    /// Only looks.
    Watching,
}

impl Node {
    /// Opens everything that the configuration names. Blocking; inside a runtime.
    pub fn open(config: Config, name: &Name, part: Part) -> anyhow::Result<Self> {
        let data = &config.data_dir;
        std::fs::create_dir_all(data).with_context(|| format!("creating {}", data.display()))?;
        // The log comes first: with it comes the lock that keeps other processes off this directory.
        let OpenLog { log, lock } = backends::open_log(&config, name)?;
        if let Some(cut) = log.cut() {
            tracing::warn!(
                ?cut,
                "the log's torn tail was cut; nobody had been told of what it held"
            );
        }
        let clock = Clock::system();
        let keys = Keys::open(&config.keys_dir()).context("opening the keys")?;
        let blobs = backends::open_blobs(&config)?;
        let tables = backends::open_tables(&config)?;
        let parts = Parts {
            log: log.clone(),
            // Snapshots are this node's own, and it can lose them.
            tables: match config.tables.backend {
                TablesBackend::Embedded => tables.clone(),
                TablesBackend::Cql => backends::local_tables(&config)?,
            },
            clock: clock.clone(),
        };
        let commands = Commands::open(parts).context("restoring the state of the streams")?;
        if part == Part::Leading {
            Handle::current().block_on(leading::claim_all(&log))?;
        }
        let projections = Projections::start(log.clone(), tables.clone(), switcher(&commands))
            .context("starting the projections")?;
        let signals = Signals::new();
        let config = Arc::new(config);
        Ok(Self {
            config,
            clock,
            log,
            tables,
            blobs,
            keys,
            signals,
            commands,
            projections,
            _lock: lock.map(Arc::new),
        })
    }

    /// Writes snapshots, gives its partitions back and closes the log. Blocking.
    pub fn close(self) {
        if let Err(error) = self.commands.write_snapshots() {
            tracing::warn!(%error, "no snapshot was written; the next start replays more of the log");
        }
        leading::release_all(&self.log);
        self.projections.stop();
        self.log.close();
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
