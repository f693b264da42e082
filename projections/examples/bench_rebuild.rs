//! Rebuild of the analytics view from a million events, beside decoding and folding the same bytes in memory
//! without tables: alternating, in one run, with as many threads.

#[path = "films/log.rs"]
mod films;
#[path = "../tests/views/story.rs"]
#[expect(dead_code, reason = "the tests tell of more than films that go well")]
mod story;

use bytes::Bytes;
use films::{Written, append, commits_of_a_film, open, switcher, write_log};
use spool_log::Log;
use spool_projections::{Position, Projections, fold_in_memory};
use spool_tables::Tables;
use std::path::Path;
use std::time::{Duration, Instant};

const EVENTS: u64 = 1_000_000;
const ROUNDS: usize = 5;
/// Modes of the process that shows its memory; the first leaves the rows that the second finds.
const FILL: &str = "--fill";
const REBUILD: &str = "--rebuild";
const PATIENCE: Duration = Duration::from_secs(600);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, dir] = arguments.as_slice()
        && [FILL, REBUILD].contains(&mode.as_str())
    {
        return runtime.block_on(show_memory(Path::new(dir), mode == REBUILD));
    }
    let events = arguments
        .get(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(EVENTS);
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let written = runtime.block_on(write_log(dir.path(), events));
    show(
        "bytes of a commit",
        written.bytes as f64 / written.commits as f64,
        "B",
        None,
    );
    show("events", written.events as f64, "events", None);
    for (figure, mode) in [
        ("peak memory, all views filled from nothing", FILL),
        ("peak memory, analytics rebuilt", REBUILD),
    ] {
        show(figure, memory_of(dir.path(), mode), "MiB", None);
    }
    runtime.block_on(compare(dir.path(), &written));
}

async fn compare(dir: &Path, written: &Written) {
    let log = open(dir);
    let began = Instant::now();
    let projections = start(&log, &dir.join("tables"));
    projections.caught_up(PATIENCE).await.expect("the views come up");
    let rate = written.events as f64 / began.elapsed().as_secs_f64();
    show(
        "all four views, one after the other, from nothing",
        rate,
        "events/s",
        None,
    );

    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let shards = read_all(&log, threads);
    let (mut rebuilds, mut folds) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        folds.push(fold(&shards));
        let began = Instant::now();
        let rebuild = projections
            .rebuild("analytics")
            .expect("nothing else rebuilds it");
        rebuild.finished().await.expect("the rebuild ends well");
        rebuilds.push(began.elapsed());
    }
    let rate = |times: &mut Vec<Duration>| {
        times.sort();
        written.events as f64 / times[times.len() / 2].as_secs_f64()
    };
    let (fold, rebuild) = (rate(&mut folds), rate(&mut rebuilds));
    let decode_and_fold = format!("decode and fold in memory, {threads} threads");
    show(&decode_and_fold, fold, "events/s", None);
    show(
        "rebuild of analytics, switch included",
        rebuild,
        "events/s",
        Some(rebuild / fold),
    );

    show_latency(&log, &projections).await;
    let began = Instant::now();
    let catalogue = projections
        .rebuild("catalogue")
        .expect("nothing else rebuilds it");
    catalogue.finished().await.expect("the rebuild ends well");
    show(
        "rebuild of the catalogue",
        written.events as f64 / began.elapsed().as_secs_f64(),
        "events/s",
        None,
    );
    tokio::task::spawn_blocking(move || projections.end_writing())
        .await
        .expect("stopping does not panic");
}

/// From the moment a commit is durable until every view shows it, when there is nothing else to do.
async fn show_latency(log: &Log, projections: &Projections) {
    let mut times = vec![];
    let mut written = Written::default();
    for commit in (2_000_000..2_000_010).flat_map(commits_of_a_film) {
        append(log, &[commit], &mut written).await;
        let durable = Instant::now();
        projections.caught_up(PATIENCE).await.expect("the views follow");
        times.push(durable.elapsed());
    }
    times.sort();
    for (figure, of_hundred) in [
        ("a commit is in all views, p50", 50),
        ("a commit is in all views, p99", 99),
    ] {
        let milliseconds = times[times.len() * of_hundred / 100].as_secs_f64() * 1000.0;
        show(figure, milliseconds, "ms", None);
    }
}

/// All records in memory, the partitions spread over `threads`.
fn read_all(log: &Log, threads: usize) -> Vec<Vec<(Position, Bytes)>> {
    let mut shards = vec![vec![]; threads];
    for record in log
        .scan(&vec![0; usize::from(log.partitions())])
        .expect("the log can be read")
    {
        let record = record.expect("the log can be read");
        let (partition, offset) = (record.partition, record.offset);
        shards[usize::from(partition) % threads].push((Position { partition, offset }, record.payload));
    }
    shards
}

fn fold(shards: &[Vec<(Position, Bytes)>]) -> Duration {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for shard in shards {
            scope.spawn(|| {
                let records = shard.iter().map(|(at, payload)| (*at, payload.as_ref()));
                fold_in_memory("analytics", records).expect("every event can be folded")
            });
        }
    });
    began.elapsed()
}

/// In a process of its own, because this one holds the whole log in memory.
fn memory_of(dir: &Path, mode: &str) -> f64 {
    let program = std::env::current_exe().expect("this program has a file");
    let output = std::process::Command::new(program).arg(mode).arg(dir).output();
    let output = output.expect("the program starts again").stdout;
    let text = String::from_utf8(output).expect("a number is text");
    text.trim().parse().expect("the program prints a number")
}

async fn show_memory(dir: &Path, rebuilds: bool) {
    let log = open(dir);
    let projections = start(&log, &dir.join("tables-of-the-other-process"));
    projections.caught_up(PATIENCE).await.expect("the views come up");
    if rebuilds {
        let rebuild = projections
            .rebuild("analytics")
            .expect("nothing else rebuilds it");
        rebuild.finished().await.expect("the rebuild ends well");
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = peak
        .and_then(|text| text.split_whitespace().next())
        .and_then(|text| text.parse().ok())
        .expect("the kernel says how much");
    println!("{:.1}", kib / 1024.0);
    tokio::task::spawn_blocking(move || projections.end_writing())
        .await
        .expect("stopping does not panic");
}

fn start(log: &Log, tables: &Path) -> Projections {
    let tables = Tables::open(tables).expect("a directory for tables can be made");
    Projections::start(log.clone(), tables, switcher(log.clone())).expect("the views start")
}

fn show(figure: &str, value: f64, unit: &str, ratio: Option<f64>) {
    let ratio = ratio.map_or_else(|| "null".to_owned(), |ratio| format!("{ratio:.3}"));
    println!(
        r#"{{"bench":"rebuild","figure":"{figure}","value":{value:.3},"unit":"{unit}","ratio":{ratio}}}"#
    );
}
