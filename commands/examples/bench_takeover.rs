//! Measures how long commands are not taken after the leader of their partition fell silent: three nodes in one process on a
//! real broker, one of which stops beating without a word, as after `kill -9`. Prints the medians, a JSON line each: from the
//! silence to the first accepted command, and of that from the claim.
//!
//! `cargo run --release -p spool-commands --example bench_takeover [-- ROUNDS]`

use spool_commands::placement::{Placement, ROLE};
use spool_commands::{Ask, Commands, Parts};
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::videos::{Command, Described, Source, Visibility};
use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_log::{KafkaConfig, Log, Role};
use spool_platform::clock::Clock;
use spool_platform::members::{Member, Members};
use spool_platform::signals::Signals;
use spool_services::{Kafka, fresh_name};
use spool_tables::Tables;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const NODES: [&str; 3] = ["a", "b", "c"];
const PARTITIONS: u16 = 16;

struct Node {
    name: &'static str,
    log: Log,
    commands: Commands,
    tasks: JoinSet<()>,
    _dir: TempDir,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let bootstrap = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap().to_owned()).await?;
    let settings = Settings::new(bootstrap).with_prefix(fresh_name("takeover") + ".");
    let connection = Connection::open(&settings, Duration::from_secs(20)).await?;
    let specs = [TopicSpec::log(PARTITIONS, 1), TopicSpec::signals(1)];
    ensure(&connection, &specs).await?;
    let mut nodes = Vec::new();
    for name in NODES {
        nodes.push(node(&settings, name).await?);
    }
    let (mut silences, mut claims) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        all_is_led(&nodes).await;
        let (silence, claim) = takeover(&settings, &mut nodes, round).await?;
        silences.push(silence);
        claims.push(claim);
    }
    for (figure, value, goal) in [
        (
            "from the death of the owner to the next accepted command, median",
            median(silences),
            3_000,
        ),
        ("of that from the claim, median", median(claims), 250),
    ] {
        println!(
            "{{\"bench\":\"takeover\",\"figure\":\"{figure}\",\"value\":{value:.0},\"unit\":\"ms\",\"goal\":{goal}}}"
        );
    }
    Ok(())
}

async fn node(settings: &Settings, name: &'static str) -> Result<Node, Failure> {
    let dir = tempfile::tempdir()?;
    let url = format!("http://{name}");
    let config = KafkaConfig {
        partitions: PARTITIONS,
        ..KafkaConfig::new(settings.clone(), dir.path().join("log"), name, &url)
    };
    let tables = Tables::open(dir.path().join("tables"))?;
    let opened = tokio::task::spawn_blocking(move || -> Result<(Log, Commands), Failure> {
        let log = Log::kafka(config)?;
        let clock = Clock::system();
        let parts = Parts {
            log: log.clone(),
            tables,
            clock,
        };
        Ok((log, Commands::open(parts)?))
    });
    let (log, commands) = opened.await??;
    let signals = Signals::over_kafka(settings).await?;
    let me = Member::new(name, url, vec![ROLE.to_owned()]);
    let placement = Placement::new(log.clone(), Members::join(signals, me));
    let mut tasks = JoinSet::new();
    let following = commands.clone();
    tasks.spawn(async move { following.run_following(CancellationToken::new()).await });
    tasks.spawn(placement.run(CancellationToken::new()));
    Ok(Node {
        name,
        log,
        commands,
        tasks,
        _dir: dir,
    })
}

/// Each partition by somebody, and by the same one for as long as handing over takes.
async fn all_is_led(nodes: &[Node]) {
    let leaders = || -> Vec<Option<&str>> {
        let leader = |partition| {
            let node = nodes.iter().find(|node| node.log.leads(partition));
            node.map(|node| node.name)
        };
        (0..PARTITIONS).map(leader).collect()
    };
    let (mut before, mut since) = (leaders(), Instant::now());
    while before.contains(&None) || since.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = leaders();
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

/// One node falls silent and comes back. How long its commands were not taken, and of that after the claim; milliseconds.
async fn takeover(settings: &Settings, nodes: &mut Vec<Node>, round: usize) -> Result<(f64, f64), Failure> {
    let mut dead = nodes.remove(0);
    let (video, partition) = (0..)
        .map(|number| video(round, number))
        .map(|video| (video, video.stream().partition(PARTITIONS)))
        .find(|(_, partition)| dead.log.leads(*partition))
        .expect("it leads some");
    let given = dead
        .commands
        .give(video.stream(), create(video), Ask::fresh(owner()));
    given.await?;

    let killed_at = Instant::now();
    dead.tasks.abort_all();
    let mut claimed_at = None;
    let accepted_at = loop {
        let heir = nodes
            .iter()
            .find(|node| node.log.standing(partition).borrow().role != Role::Following);
        let Some(heir) = heir else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        claimed_at.get_or_insert_with(Instant::now);
        let given = heir
            .commands
            .give(video.stream(), describe(round), Ask::fresh(owner()));
        if given.await.is_ok() {
            break Instant::now();
        }
    };
    let claimed_at = claimed_at.expect("it was claimed before it was led");

    let name = dead.name;
    let log = dead.log;
    tokio::task::spawn_blocking(move || log.close()).await?;
    nodes.push(node(settings, name).await?);
    let milliseconds = |from: Instant| (accepted_at - from).as_secs_f64() * 1e3;
    Ok((milliseconds(killed_at), milliseconds(claimed_at)))
}

fn video(round: usize, number: u64) -> VideoId {
    VideoId(Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("{round} {number}").as_bytes(),
    ))
}

/// Who owns the film, and renames it.
fn owner() -> Actor {
    Actor::Person {
        account: AccountId(Uuid::NAMESPACE_OID),
        role: spool_domain::actors::Role::Creator,
    }
}

fn described(title: String) -> Described {
    Described {
        title,
        description: String::new(),
        visibility: Visibility::Public,
    }
}

fn create(video: VideoId) -> Command {
    Command::Create {
        owner: AccountId(Uuid::NAMESPACE_OID),
        description: described("before".to_owned()),
        upload: UploadId::of(video),
        source: Source {
            blob: "originals/film".into(),
            file_name: "film.mp4".into(),
            bytes: 1,
            sha256: String::new(),
            container: "mp4".into(),
        },
    }
}

fn describe(round: usize) -> Command {
    Command::Describe {
        by: owner(),
        description: described(format!("after {round}")),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
