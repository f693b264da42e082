//! Measures commands per second through `Commands::give` by 1, 16 and 128 tasks, each on a stream of its own, beside
//! bare `Log::append` of records of the same size to the same partitions. Prints one JSON line for each number of tasks.
//!
//! `cargo run --release -p spool-commands --example bench_give [-- SECONDS ROUNDS [DIR]]`: DIR must be on the disk to
//! be measured (default: the target directory). Both sides take turns, because a disk's mood changes by the second.

use bytes::Bytes;
use spool_commands::{Ask, Commands, Parts};
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::videos::{Command, Described, Source, Visibility};
use spool_log::{Config, Log};
use spool_platform::clock::Clock;
use spool_tables::Tables;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What one round of one side did.
struct Round {
    per_second: f64,
    cpu_us: f64,
    latencies_us: Vec<u32>,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(2.0), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let disk = arguments.next().map_or_else(target, PathBuf::from);
    let dir = tempfile::Builder::new().prefix("bench-give-").tempdir_in(disk)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let time = Duration::from_secs_f64(seconds);
    let commands = open(dir.path())?;
    let bare = Log::open(Config::new(dir.path().join("bare")))?;
    for tasks in [1, 16, 128] {
        let record = runtime.block_on(record_of(&commands, tasks))?;
        let (mut given, mut appended) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            appended.push(runtime.block_on(run_append(&bare, &record, tasks, time))?);
            given.push(runtime.block_on(run_give(&commands, tasks, time))?);
        }
        report(tasks, record.len(), given, appended);
    }
    Ok(())
}

fn open(dir: &Path) -> Result<Commands, Failure> {
    Ok(Commands::open(Parts {
        log: Log::open(Config::new(dir.join("log")))?,
        tables: Tables::open(dir.join("tables"))?,
        clock: Clock::system(),
    })?)
}

fn video(task: usize) -> VideoId {
    VideoId(Uuid::new_v5(&Uuid::NAMESPACE_OID, &task.to_le_bytes()))
}

fn owner(task: usize) -> Actor {
    Actor::Person {
        account: AccountId(video(task).0),
        role: spool_domain::actors::Role::Creator,
    }
}

fn described(n: u64) -> Described {
    Described {
        title: format!("A film that is renamed often, title number {n:010}"),
        description: "Two lines about it.\nAnd that was the second.".into(),
        visibility: Visibility::Public,
    }
}

/// Makes the streams, and returns a record as the measured commands write it.
async fn record_of(commands: &Commands, tasks: usize) -> Result<Bytes, Failure> {
    for task in 0..tasks {
        let create = Command::Create {
            owner: AccountId(video(task).0),
            description: described(0),
            upload: UploadId::of(video(task)),
            source: Source {
                blob: "originals/film".into(),
                file_name: "film.mp4".into(),
                bytes: 1,
                sha256: String::new(),
                container: "mp4".into(),
            },
        };
        commands
            .give(video(task).stream(), create, Ask::fresh(owner(task)))
            .await?;
    }
    let new_title = u64::MAX - tasks as u64;
    let outcome = commands
        .give(
            video(0).stream(),
            describe(owner(0), new_title),
            Ask::fresh(owner(0)),
        )
        .await?;
    let (partition, offset) = outcome.position.ok_or("there was nothing to say")?;
    let records = commands.log().read(partition, offset, 1)?;
    Ok(records.first().ok_or("the record is not there")?.payload.clone())
}

fn describe(by: Actor, n: u64) -> Command {
    Command::Describe {
        by,
        description: described(n),
    }
}

async fn run_give(commands: &Commands, tasks: usize, time: Duration) -> Result<Round, Failure> {
    let (started, cpu) = (Instant::now(), cpu_time());
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let commands = commands.clone();
            tokio::spawn(async move {
                let (mut latencies_us, stream, by) = (Vec::new(), video(task).stream(), owner(task));
                while started.elapsed() < time {
                    let asked = Instant::now();
                    let n = latencies_us.len() as u64;
                    let outcome = commands.give(stream, describe(by, n), Ask::fresh(by)).await?;
                    assert!(n == 0 || outcome.position.is_some(), "every title is another");
                    latencies_us.push(microseconds(asked.elapsed()));
                }
                Ok::<_, Failure>(latencies_us)
            })
        })
        .collect();
    finish(running, started, cpu).await
}

async fn run_append(log: &Log, record: &Bytes, tasks: usize, time: Duration) -> Result<Round, Failure> {
    let next: Arc<Vec<Mutex<u64>>> =
        Arc::new((0..log.partitions()).map(|p| Mutex::new(log.head(p))).collect());
    let (started, cpu) = (Instant::now(), cpu_time());
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (log, next, record) = (log.clone(), Arc::clone(&next), record.clone());
            let partition = video(task).stream().partition(log.partitions());
            tokio::spawn(async move {
                let mut latencies_us = Vec::new();
                while started.elapsed() < time {
                    let asked = Instant::now();
                    let appending = {
                        let mut next = next[usize::from(partition)].lock().expect("no task panics");
                        let appending = log.append(partition, *next, vec![record.clone()]);
                        *next += 1;
                        appending
                    };
                    appending.await?;
                    latencies_us.push(microseconds(asked.elapsed()));
                }
                Ok::<_, Failure>(latencies_us)
            })
        })
        .collect();
    finish(running, started, cpu).await
}

type Running = tokio::task::JoinHandle<Result<Vec<u32>, Failure>>;

async fn finish(running: Vec<Running>, started: Instant, cpu: Duration) -> Result<Round, Failure> {
    let mut latencies_us = Vec::new();
    for task in running {
        latencies_us.extend(task.await??);
    }
    let count = latencies_us.len() as f64;
    Ok(Round {
        per_second: count / started.elapsed().as_secs_f64(),
        cpu_us: (cpu_time() - cpu).as_secs_f64() * 1e6 / count,
        latencies_us,
    })
}

fn report(tasks: usize, bytes: usize, given: Vec<Round>, appended: Vec<Round>) {
    // Neighbours are compared, so that a slow minute counts on both sides.
    let ratios = given.iter().zip(&appended);
    let ratio = median(
        ratios
            .map(|(given, appended)| given.per_second / appended.per_second)
            .collect(),
    );
    let per_second = |rounds: &[Round]| median(rounds.iter().map(|round| round.per_second).collect());
    let cpu_us = |rounds: &[Round]| median(rounds.iter().map(|round| round.cpu_us).collect());
    println!(
        "{{\"bench\":\"commands\",\"tasks\":{tasks},\"record_bytes\":{bytes},\"per_second\":{:.0},\
         \"append_per_second\":{:.0},\"ratio\":{ratio:.3},\"cpu_us\":{:.1},\"append_cpu_us\":{:.1},{},{}}}",
        per_second(&given),
        per_second(&appended),
        cpu_us(&given),
        cpu_us(&appended),
        quantiles("", given),
        quantiles("append_", appended),
    );
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The 50th and the 99th percentile of all rounds together.
fn quantiles(side: &str, rounds: Vec<Round>) -> String {
    let mut all: Vec<u32> = rounds.into_iter().flat_map(|round| round.latencies_us).collect();
    all.sort_unstable();
    let (p50, p99) = (all[all.len() / 2], all[all.len() * 99 / 100]);
    format!("\"{side}p50_us\":{p50},\"{side}p99_us\":{p99}")
}

fn microseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// What this process has used of all cores, in ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    if target.is_dir() {
        target
    } else {
        PathBuf::from(".")
    }
}
