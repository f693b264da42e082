//! Several nodes on one log (a real Kafka): who leads a partition decides, everybody follows, and leaders change at the
//! worst time.

use crate::dice::{Dice, seeds};
use crate::given::{ask, create, describe, fresh, video};
use crate::history::History;
use crate::storm::{Answers, Guest, all_are_there};
use crate::world::{START_MS, until};
use spool_commands::{CommandError, Commands, Parts};
use spool_domain::videos::Video;
use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_log::{KafkaConfig, Log};
use spool_platform::clock::Clock;
use spool_platform::keys::Keys;
use spool_services::{Kafka, fresh_name};
use spool_tables::Tables;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const PARTITIONS: u16 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// A log that no node has open yet.
struct Place {
    settings: Settings,
    clock: Clock,
}

struct Node {
    log: Log,
    commands: Commands,
    stop: CancellationToken,
    running: JoinSet<()>,
    dir: TempDir,
}

impl Place {
    async fn new() -> Self {
        let bootstrap = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap().to_owned())
            .await
            .expect("a broker starts");
        let settings = Settings::new(bootstrap).with_prefix(fresh_name("commands") + ".");
        let connection = Connection::open(&settings, PATIENCE)
            .await
            .expect("the broker answers");
        ensure(&connection, &[TopicSpec::log(PARTITIONS, 1)])
            .await
            .expect("the topic is made");
        let clock = Clock::manual(START_MS);
        Self { settings, clock }
    }

    async fn node(&self, name: &str) -> Node {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let config = KafkaConfig {
            partitions: PARTITIONS,
            ..KafkaConfig::new(
                self.settings.clone(),
                dir.path().join("log"),
                name,
                format!("http://{name}"),
            )
        };
        let (clock, path) = (self.clock.clone(), dir.path().to_owned());
        let open = move || {
            let log = Log::kafka(config).expect("the log opens");
            let tables = Tables::open(path.join("tables")).expect("the tables open");
            let parts = Parts {
                log: log.clone(),
                tables,
                clock,
            };
            (log, Commands::open(parts).expect("the executors start"))
        };
        let (log, commands) = tokio::task::spawn_blocking(open)
            .await
            .expect("opening does not panic");
        let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
        let (following, until) = (commands.clone(), stop.clone());
        running.spawn(async move { following.run_following(until).await });
        Node {
            log,
            commands,
            stop,
            running,
            dir,
        }
    }
}

impl Node {
    /// Whoever else still tries to lead may get there first, and then this one claims again.
    async fn lead_all(&self) {
        until("it leads", async || {
            (0..PARTITIONS).for_each(|partition| self.log.claim(partition));
            (0..PARTITIONS).all(|partition| self.log.leads(partition))
        })
        .await;
    }

    async fn close(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
        let (commands, log) = (self.commands, self.log);
        tokio::task::spawn_blocking(move || {
            commands.write_snapshots().expect("there is room for snapshots");
            log.close();
        })
        .await
        .expect("closing does not panic");
        drop(self.dir);
    }
}

fn is_elsewhere<T>(given: &Result<T, CommandError>, url: &str) -> bool {
    matches!(given, Err(CommandError::Elsewhere(Some(owner))) if owner == url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_takeover_keeps_everything_and_who_led_before_says_where_to_go() {
    let place = Place::new().await;
    let (one, other) = (place.node("one").await, place.node("other").await);
    let stream = video(1).stream();

    one.lead_all().await;
    let created = one
        .commands
        .give(stream, create(1), ask(1, "aa"))
        .await
        .expect("accepted");
    let described = one
        .commands
        .give(stream, describe("first"), ask(2, "aa"))
        .await
        .expect("accepted");
    until("the other has heard who leads", async || {
        is_elsewhere(
            &other.commands.give(stream, describe("second"), fresh()).await,
            "http://one",
        )
    })
    .await;

    other.lead_all().await;
    let again = other
        .commands
        .give(stream, create(1), ask(1, "aa"))
        .await
        .expect("accepted before");
    assert!(again.repeated);
    assert_eq!(
        (again.version, again.position),
        (created.version, created.position)
    );
    let last = other
        .commands
        .give(stream, describe("second"), ask(3, "aa"))
        .await
        .expect("accepted");
    assert_eq!(last.version, described.version + 1);
    until("the first has heard who leads", async || {
        is_elsewhere(&one.commands.state::<Video>(stream).await, "http://other")
    })
    .await;

    one.lead_all().await;
    let (_, version) = one.commands.state::<Video>(stream).await.expect("it leads again");
    assert_eq!(version, last.version);
    let again = one
        .commands
        .give(stream, describe("second"), ask(3, "aa"))
        .await
        .expect("accepted before");
    assert!(again.repeated);
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_starts_again_goes_on_from_its_snapshot() {
    let place = Place::new().await;
    let mut node = place.node("one").await;
    node.lead_all().await;
    for number in 0..20 {
        let given = node
            .commands
            .give(video(number).stream(), create(number), ask(number, "aa"))
            .await;
        given.expect("accepted");
    }
    // The directory is kept for the next one.
    let dir = std::mem::replace(&mut node.dir, tempfile::tempdir().expect("a directory"));
    node.close().await;
    let tables = Tables::open(dir.path().join("tables")).expect("the tables open");
    let config = KafkaConfig {
        partitions: PARTITIONS,
        ..KafkaConfig::new(
            place.settings.clone(),
            dir.path().join("log"),
            "one",
            "http://one",
        )
    };
    let clock = place.clock.clone();
    let open = move || {
        let log = Log::kafka(config).expect("the log opens");
        let parts = Parts {
            log: log.clone(),
            tables,
            clock,
        };
        (log, Commands::open(parts).expect("the executors start"))
    };
    let (log, commands) = tokio::task::spawn_blocking(open)
        .await
        .expect("opening does not panic");
    (0..PARTITIONS).for_each(|partition| log.claim(partition));
    until("it leads", async || {
        (0..PARTITIONS).all(|partition| log.leads(partition))
    })
    .await;
    History::of(&log).is_what_they_know(&commands).await;
    let again = commands
        .give(video(3).stream(), create(3), ask(3, "aa"))
        .await
        .expect("accepted before");
    assert!(again.repeated);
    tokio::task::spawn_blocking(move || log.close())
        .await
        .expect("closing does not panic");
}

async fn coups(seed: u64) {
    let mut dice = Dice::new(seed);
    let place = Place::new().await;
    let nodes = [place.node("one").await, place.node("other").await];
    let keys_dir = tempfile::tempdir().expect("a directory for the keys");
    let keys = Keys::open(keys_dir.path()).expect("the keys open");
    let answers = Answers::default();
    nodes[0].lead_all().await;
    for _ in 0..3 {
        let mut guests = JoinSet::new();
        for _ in 0..32 {
            let guest = Guest {
                nodes: nodes.iter().map(|node| node.commands.clone()).collect(),
                keys: keys.clone(),
                clock: place.clock.clone(),
                answers: answers.clone(),
            };
            guests.spawn(guest.stay(Dice::new(dice.next())));
        }
        while !guests.is_empty() {
            let usurper = &nodes[dice.below(2) as usize];
            usurper.log.claim(dice.below(PARTITIONS.into()) as u16);
            if dice.one_in(4) {
                let commands = usurper.commands.clone();
                let written = tokio::task::spawn_blocking(move || commands.write_snapshots()).await;
                written.expect("writing does not panic").expect("there is room");
            }
            let pause = Duration::from_millis(5 + dice.below(60));
            if let Ok(Some(ended)) = tokio::time::timeout(pause, guests.join_next()).await {
                ended.expect("no guest panics");
            }
        }
        for node in &nodes {
            node.lead_all().await;
            let history = History::of(&node.log);
            history.is_what_they_know(&node.commands).await;
            all_are_there(&history, &answers);
        }
    }
    assert!(
        answers.lock().expect("no panic").len() > 50,
        "the storm was a breeze"
    );
    for node in nodes {
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn coups_under_load_lose_nothing_and_double_nothing() {
    for seed in seeds(2) {
        coups(seed).await;
    }
}
