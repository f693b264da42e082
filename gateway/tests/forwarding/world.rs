//! Nodes on one log, each with its own address on loopback.

use axum::Router;
use spool_commands::managers::Settings as ManagerSettings;
use spool_commands::{Commands, Parts, Peers, ServiceToken};
use spool_gateway::Internal;
use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_log::{KafkaConfig, Log};
use spool_platform::clock::Clock;
use spool_platform::config::Config;
use spool_platform::keys::Keys;
use spool_services::{Kafka, fresh_name};
use spool_tables::Tables;
use std::future::Future;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const PARTITIONS: u16 = 4;
pub const PATIENCE: Duration = Duration::from_secs(60);
/// 2027-01-15, in milliseconds.
const START_MS: i64 = 1_800_000_000_000;

/// What all nodes have in common.
pub struct Place {
    settings: Settings,
    pub clock: Clock,
    pub keys: Keys,
    /// Where the managers write how far they are.
    tables: Tables,
    _dir: TempDir,
}

pub struct Node {
    pub log: Log,
    pub commands: Commands,
    pub internal: Internal,
    pub url: String,
    stop: CancellationToken,
    running: JoinSet<()>,
    _dir: TempDir,
}

impl Place {
    pub async fn new() -> Self {
        let bootstrap = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap().to_owned())
            .await
            .expect("a broker starts");
        let settings = Settings::new(bootstrap).with_prefix(fresh_name("forwarding") + ".");
        let connection = Connection::open(&settings, PATIENCE)
            .await
            .expect("the broker answers");
        ensure(&connection, &[TopicSpec::log(PARTITIONS, 1)])
            .await
            .expect("the topic is made");
        let dir = tempfile::tempdir().expect("a directory for the test");
        Self {
            settings,
            clock: Clock::manual(START_MS),
            keys: Keys::open(&dir.path().join("keys")).expect("the keys open"),
            tables: Tables::open(dir.path().join("tables")).expect("the tables open"),
            _dir: dir,
        }
    }

    /// With executors, and what belongs to them.
    pub async fn node(&self, name: &str) -> Node {
        self.node_behind(name, |routes| routes).await
    }

    /// The same with something between it and the other nodes.
    pub async fn node_behind(&self, name: &str, put_before: impl FnOnce(Router) -> Router) -> Node {
        let listener = listener().await;
        let url = url(&listener);
        let (dir, log) = self.open(name, &url).await;
        let tables = Tables::open(dir.path().join("tables")).expect("the tables open");
        let parts = Parts {
            log: log.clone(),
            tables,
            clock: self.clock.clone(),
        };
        let opening = tokio::task::spawn_blocking(move || Commands::open(parts));
        let commands = opening.await.expect("opening does not panic");
        let commands = commands
            .expect("the executors start")
            .with_peers(self.peers(PATIENCE));
        let mut node = self.start(log, commands, url, dir);
        let routes = put_before(node.internal.routes());
        let stop = node.stop.clone().cancelled_owned();
        node.running.spawn(async move {
            let serving = axum::serve(listener, routes).with_graceful_shutdown(stop);
            serving.await.expect("it serves");
        });
        let (commands, stop) = (node.commands.clone(), node.stop.clone());
        node.running
            .spawn(async move { commands.run_following(stop).await });
        node
    }

    /// Without executors. What it asks has to be answered within `deadline`.
    pub async fn visitor(&self, deadline: Duration) -> Node {
        let (dir, log) = self.open("visitor", "http://nobody.invalid").await;
        let commands = Commands::remote(log.clone(), self.peers(deadline));
        self.start(log, commands, String::new(), dir)
    }

    /// Timers and process managers.
    pub fn run_followups(&self, node: &mut Node) {
        let (commands, stop) = (node.commands.clone(), node.stop.clone());
        node.running.spawn(async move { commands.run_timers(stop).await });
        let (commands, stop, tables) = (node.commands.clone(), node.stop.clone(), self.tables.clone());
        let settings = ManagerSettings::of(&Config::default());
        node.running.spawn(async move {
            let ran = commands.run_managers(&tables, settings, stop).await;
            ran.expect("the managers' checkpoints open");
        });
    }

    /// A log of its own for a node that takes requests at `url`.
    pub async fn open(&self, name: &str, url: &str) -> (TempDir, Log) {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let config = KafkaConfig {
            partitions: PARTITIONS,
            ..KafkaConfig::new(self.settings.clone(), dir.path().join("log"), name, url)
        };
        let opening = tokio::task::spawn_blocking(move || Log::kafka(config));
        let log = opening.await.expect("opening does not panic");
        (dir, log.expect("the log opens"))
    }

    fn peers(&self, deadline: Duration) -> Peers {
        let peers = Peers::new(ServiceToken::of(&self.keys)).expect("there is an HTTP client");
        peers.within(deadline)
    }

    fn start(&self, log: Log, commands: Commands, url: String, dir: TempDir) -> Node {
        Node {
            internal: Internal::new(commands.clone(), ServiceToken::of(&self.keys)),
            log,
            commands,
            url,
            stop: CancellationToken::new(),
            running: JoinSet::new(),
            _dir: dir,
        }
    }
}

impl Node {
    /// Whoever else still tries to lead may get there first, and then this one claims again.
    pub async fn lead_all(&self) {
        lead_all(&self.log).await;
    }

    pub async fn close(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.expect("nothing that runs panics");
        }
        close(self.log).await;
    }
}

pub async fn lead_all(log: &Log) {
    until("it leads", async || {
        (0..PARTITIONS).for_each(|partition| log.claim(partition));
        (0..PARTITIONS).all(|partition| log.leads(partition))
    })
    .await;
}

pub async fn close(log: Log) {
    let closing = tokio::task::spawn_blocking(move || log.close());
    closing.await.expect("closing does not panic");
}

pub async fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("there is a free port")
}

pub fn url(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().expect("it has an address"))
}

/// Waits for something that must come, and panics when it does not.
pub async fn until<F: Future<Output = bool>>(what: &str, mut happened: impl FnMut() -> F) {
    let started = Instant::now();
    while !happened().await {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
