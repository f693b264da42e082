//! A node: opens the world once. Every role works on these handles.

use anyhow::Context;
use spool_blobs::{Blobs, Settings};
use spool_commands::{Ask, Commands, Parts};
use spool_domain::actors::Actor;
use spool_domain::ids::ViewId;
use spool_domain::views;
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_platform::config::Config;
use spool_platform::keys::Keys;
use spool_platform::signals::Signals;
use spool_projections::{Projections, Switcher};
use spool_tables::Tables;
use std::sync::Arc;

#[derive(Clone)]
pub struct Node {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub log: Log,
    pub tables: Tables,
    pub blobs: Blobs,
    pub keys: Keys,
    pub signals: Signals,
    pub commands: Commands,
    pub projections: Projections,
}

impl Node {
    /// Opens everything under the data directory. Blocking; inside a runtime.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        let data = &config.data_dir;
        std::fs::create_dir_all(data).with_context(|| format!("creating {}", data.display()))?;
        // The log comes first: its lock says that no other process works on this directory.
        let log = Log::open(spool_log::Config {
            partitions: config.log.partitions,
            segment_bytes: config.log.segment_bytes,
            ..spool_log::Config::new(data.join("log"))
        })
        .context("opening the log")?;
        if let Some(cut) = log.cut() {
            tracing::warn!(
                ?cut,
                "the log's torn tail was cut; nobody had been told of what it held"
            );
        }
        let clock = Clock::system();
        let keys = Keys::open(&config.keys_dir()).context("opening the keys")?;
        let tables = Tables::open(data.join("tables")).context("opening the tables")?;
        let settings = Settings {
            dir: data.join("blobs"),
            min_free_bytes: config.uploads.min_free_bytes,
        };
        let blobs = Blobs::open(settings).context("opening the blobs")?;
        let parts = Parts {
            log: log.clone(),
            tables: tables.clone(),
            clock: clock.clone(),
        };
        let commands = Commands::open(parts).context("restoring the state of the streams")?;
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
        })
    }

    /// Writes snapshots and closes the log. Blocking.
    pub fn close(self) {
        if let Err(error) = self.commands.write_snapshots() {
            tracing::warn!(%error, "no snapshot was written; the next start replays more of the log");
        }
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
