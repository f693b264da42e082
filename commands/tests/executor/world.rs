//! A node's data directory with everything the executor stands on, which can be stopped and started again.

use spool_commands::managers::Settings;
use spool_commands::{Commands, Parts};
use spool_log::{Config, Log};
use spool_platform::clock::Clock;
use spool_platform::keys::Keys;
use spool_tables::Tables;
use std::future::Future;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// 2027-01-15, in milliseconds.
pub const START_MS: i64 = 1_800_000_000_000;
/// The `FORMAT` of `src/snapshots.rs`.
pub const SNAPSHOTS_FORMAT: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub clock: Clock,
    pub keys: Keys,
    /// Nothing only while it restarts.
    open: Option<Open>,
    config: Config,
    dir: PathBuf,
    running: JoinSet<()>,
    stop: CancellationToken,
    _temporary: Option<TempDir>,
}

/// What is open while the node runs. A world passes for it.
pub struct Open {
    pub log: Log,
    pub tables: Tables,
    pub commands: Commands,
}

impl Deref for World {
    type Target = Open;

    fn deref(&self) -> &Open {
        self.open.as_ref().expect("it is open but while it restarts")
    }
}

impl World {
    pub fn new() -> Self {
        Self::configured(|config| config)
    }

    pub fn configured(configure: impl FnOnce(Config) -> Config) -> Self {
        let temporary = tempfile::tempdir().expect("a directory for the test");
        let dir = temporary.path().to_owned();
        Self::at(dir, Some(temporary), configure)
    }

    /// In `dir`, which stays.
    pub fn at(dir: PathBuf, temporary: Option<TempDir>, configure: impl FnOnce(Config) -> Config) -> Self {
        let clock = Clock::manual(START_MS);
        let keys = Keys::open(&dir.join("keys")).expect("the keys open");
        let few = Config {
            partitions: 4,
            segment_bytes: 1 << 20,
            ..Config::new(dir.join("log"))
        };
        let config = configure(few);
        let open = Some(open(&dir, &config, &clock));
        Self {
            clock,
            keys,
            open,
            config,
            dir,
            running: JoinSet::new(),
            stop: CancellationToken::new(),
            _temporary: temporary,
        }
    }

    /// Timers and process managers run from now on.
    pub fn run_all(&mut self) {
        self.run_timers();
        self.run_managers();
    }

    pub fn run_timers(&mut self) {
        let (commands, stop) = (self.commands.clone(), self.stop.clone());
        self.running.spawn(async move { commands.run_timers(stop).await });
    }

    pub fn run_managers(&mut self) {
        let (commands, tables, stop) = (self.commands.clone(), self.tables.clone(), self.stop.clone());
        let settings = Settings::of(&spool_platform::config::Config::default());
        self.running.spawn(async move {
            commands
                .run_managers(&tables, settings, stop)
                .await
                .expect("the managers' checkpoints open");
        });
    }

    /// Ends what runs, in good order.
    pub async fn stop_running(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.expect("nothing that runs panics");
        }
        self.stop = CancellationToken::new();
    }

    pub async fn write_snapshots(&self) {
        let commands = self.commands.clone();
        tokio::task::spawn_blocking(move || commands.write_snapshots())
            .await
            .expect("writing snapshots does not panic")
            .expect("there is room for snapshots");
    }

    /// Everything is closed and opened again.
    pub async fn restart(&mut self) {
        self.restart_after(|_| {}).await;
    }

    /// The same without what the snapshots know.
    pub async fn restart_without_snapshots(&mut self) {
        self.restart_after(|dir| {
            // A store that was never written to has none.
            let _ = std::fs::remove_dir_all(dir.join("tables/snapshots"));
        })
        .await;
    }

    /// The same after something was done to the closed directory.
    pub async fn restart_after(&mut self, meanwhile: impl FnOnce(&Path)) {
        self.stop_running().await;
        self.log.clone().close();
        self.open = None;
        meanwhile(&self.dir);
        self.open = Some(open(&self.dir, &self.config, &self.clock));
    }

    /// Until the process managers have reacted to everything there is.
    pub async fn managers_are_done(&self) {
        let view = self.tables.view("managers", 1).expect("the checkpoints open");
        let done = || {
            let mut partitions = 0..self.log.partitions();
            partitions.all(|partition| view.checkpoint(partition) == self.log.head(partition))
        };
        // What they did may need a reaction again, but that raises a head before the checkpoint that led to it.
        until("the managers are done", async || done()).await;
    }

    pub fn commits(&self) -> u64 {
        let partitions = 0..self.log.partitions();
        partitions.map(|partition| self.log.head(partition)).sum()
    }
}

fn open(dir: &Path, config: &Config, clock: &Clock) -> Open {
    let log = Log::open(config.clone()).expect("the log opens");
    let tables = Tables::open(dir.join("tables")).expect("the tables open");
    let parts = Parts {
        log: log.clone(),
        tables: tables.clone(),
        clock: clock.clone(),
    };
    let commands = Commands::open(parts).expect("the executors start");
    Open {
        log,
        tables,
        commands,
    }
}

/// Waits for something that must come, and panics when it does not.
pub async fn until<F: Future<Output = bool>>(what: &str, mut happened: impl FnMut() -> F) {
    let started = Instant::now();
    while !happened().await {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
