//! Measures durable appends of 300 bytes by 1, 16 and 128 callers beside an ideal loop that writes the same bytes to a
//! zero-filled file with one fdatasync for all callers. Prints one JSON line for each number of callers.
//!
//! `cargo run --release -p spool-log --example bench_append [-- ROUNDS [DIR]]`: DIR must be on the disk to be measured
//! (default: the target directory) and have 3 GB of room. Product and ideal take turns, because a disk's mood changes by the second;
//! the ratio is the median of those of neighbours. `BENCH_ROUNDS=1` prints each round to stderr. `BENCH_SYNC_US=60` with
//! /dev/shm as DIR lets both sides sleep instead of syncing, which shows what the log itself costs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mimalloc::MiMalloc;
use spool_log::{Config, Log, Operation};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const EVENT_BYTES: usize = 300;
static EVENT: [u8; EVENT_BYTES] = [b'e'; EVENT_BYTES];
const IDEAL_FILE_BYTES: u64 = 128 << 20;

/// What one round of one side did.
struct Round {
    per_second: f64,
    latencies_us: Vec<u32>,
}

/// Where the product writes to.
struct Setting {
    /// Before the names of its figures.
    name: &'static str,
    segment_bytes: u64,
    seconds: f64,
    /// The least that the product should reach of the ideal.
    goal: Option<f64>,
}

/// Both sides write to room that was filled with zeros before.
const PREPARED: Setting = Setting {
    name: "",
    segment_bytes: 2 << 30,
    seconds: 1.0,
    goal: Some(0.7),
};
/// Without pause, so that the product fills the next segments with zeros meanwhile: every byte is written twice.
const SUSTAINED: Setting = Setting {
    name: "sustained ",
    segment_bytes: 64 << 20,
    seconds: 2.0,
    goal: None,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let disk = arguments.next().map_or_else(target, PathBuf::from);
    let dir = tempfile::Builder::new()
        .prefix("bench-append-")
        .tempdir_in(disk)?;
    // One core is the writer's.
    let workers = std::thread::available_parallelism()?
        .get()
        .saturating_sub(1)
        .max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let mut ideal = Ideal {
        file: zero_filled(&dir.path().join("ideal"))?,
        at: 0,
        simulated_sync: std::env::var("BENCH_SYNC_US")
            .ok()
            .and_then(|us| us.parse().ok())
            .map(Duration::from_micros),
    };
    for (setting, callers) in [(PREPARED, [1, 16, 128].as_slice()), (SUSTAINED, &[128])] {
        let log_dir = dir.path().join("log");
        let log = Log::open(config(&log_dir, &setting, ideal.simulated_sync))?;
        for &callers in callers {
            measure(&runtime, &log, &mut ideal, &setting, callers, rounds)?;
        }
        log.close();
        std::fs::remove_dir_all(log_dir)?;
    }
    Ok(())
}

fn config(dir: &Path, setting: &Setting, simulated_sync: Option<Duration>) -> Config {
    let mut config = Config::new(dir);
    config.segment_bytes = setting.segment_bytes;
    if let Some(time) = simulated_sync {
        config.inject = Some(Arc::new(move |operation| {
            if operation == Operation::Sync {
                std::thread::sleep(time);
            }
            Ok(())
        }));
    }
    config
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    log: &Log,
    ideal: &mut Ideal,
    setting: &Setting,
    callers: usize,
    rounds: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let time = Duration::from_secs_f64(setting.seconds);
    let mut both = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Each goes first as often as the other, and neither while the log fills its next segment with zeros from the
        // round before: that is the product's work, and it is in the product's rounds that it must count.
        for side in [round % 2, (round + 1) % 2] {
            settle();
            if side == 0 {
                both.1.push(ideal.run(callers, time)?);
            } else {
                both.0.push(runtime.block_on(run_product(log, callers, time))?);
            }
        }
    }
    if std::env::var_os("BENCH_ROUNDS").is_some() {
        for (product, ideal) in both.0.iter().zip(&both.1) {
            let (product, ideal) = (product.per_second, ideal.per_second);
            eprintln!("{callers} callers: {product:.0}/s, ideal {ideal:.0}/s");
        }
    }
    report(setting, callers, both.0, both.1);
    Ok(())
}

async fn run_product(log: &Log, callers: usize, time: Duration) -> Result<Round, Box<dyn std::error::Error>> {
    let partitions = usize::from(log.partitions());
    let next: Arc<Vec<Mutex<u64>>> =
        Arc::new((0..log.partitions()).map(|p| Mutex::new(log.head(p))).collect());
    let is_over = Arc::new(AtomicBool::new(false));
    // The kernel takes milliseconds to hand out memory for all of them, which is no part of an append.
    let books: Vec<Vec<u32>> = (0..callers).map(|_| touched(1 << 15)).collect();
    let started = Instant::now();
    let tasks: Vec<_> = books
        .into_iter()
        .enumerate()
        .map(|(caller, mut latencies_us)| {
            let (log, next, at) = (log.clone(), Arc::clone(&next), caller % partitions);
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move {
                let partition = u16::try_from(at).expect("a remainder of the number of partitions");
                let mut asked = Instant::now();
                while !is_over.load(Ordering::Relaxed) {
                    let appending = {
                        let mut next = next[at].lock().expect("no caller panics");
                        let appending = log.append(partition, *next, vec![Bytes::from_static(&EVENT)]);
                        *next += 1;
                        appending
                    };
                    appending.await?;
                    let answered = Instant::now();
                    latencies_us.push(microseconds(answered - asked));
                    asked = answered;
                }
                Ok::<_, spool_log::AppendError>(latencies_us)
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    is_over.store(true, Ordering::Relaxed);
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await??);
    }
    Ok(Round {
        per_second: latencies_us.len() as f64 / started.elapsed().as_secs_f64(),
        latencies_us,
    })
}

/// An empty list with room that is there.
fn touched(capacity: usize) -> Vec<u32> {
    let mut list = vec![u32::MAX; capacity];
    list.clear();
    list
}

/// The loop to compare with, on a file full of zeros.
struct Ideal {
    file: File,
    at: u64,
    simulated_sync: Option<Duration>,
}

impl Ideal {
    fn run(&mut self, callers: usize, time: Duration) -> std::io::Result<Round> {
        let bytes = vec![b'e'; callers * EVENT_BYTES];
        let mut latencies_us = Vec::new();
        let started = Instant::now();
        while started.elapsed() < time {
            let asked = Instant::now();
            if self.at + bytes.len() as u64 > IDEAL_FILE_BYTES {
                self.at = 0;
            }
            self.file.write_all_at(&bytes, self.at)?;
            if let Some(time) = self.simulated_sync {
                std::thread::sleep(time);
            }
            self.file.sync_data()?;
            self.at += bytes.len() as u64;
            latencies_us.push(microseconds(asked.elapsed()));
        }
        let per_second = (latencies_us.len() * callers) as f64 / started.elapsed().as_secs_f64();
        Ok(Round {
            per_second,
            latencies_us,
        })
    }
}

fn report(setting: &Setting, callers: usize, product: Vec<Round>, ideal: Vec<Round>) {
    // Neighbours are compared, so that a slow minute counts on both sides.
    let ratios = product
        .iter()
        .zip(&ideal)
        .map(|(product, ideal)| product.per_second / ideal.per_second);
    let ratio = median(ratios.collect());
    let per_second = |rounds: &[Round]| median(rounds.iter().map(|round| round.per_second).collect());
    let (product_rate, ideal_rate) = (per_second(&product), per_second(&ideal));
    let (product_us, ideal_us) = (quantiles(product), quantiles(ideal));
    let figures = [
        ("appends", "1/s", product_rate, ideal_rate, Some(ratio)),
        ("p50", "µs", product_us.0, ideal_us.0, None),
        ("p99", "µs", product_us.1, ideal_us.1, None),
    ];
    for (what, unit, value, ideal, ratio) in figures {
        let caller = if callers == 1 { "caller" } else { "callers" };
        let goal = setting
            .goal
            .map_or_else(String::new, |goal| format!(",\"goal\":{goal}"));
        let of_goal = ratio.map_or_else(String::new, |ratio| format!(",\"ratio\":{ratio:.3}{goal}"));
        println!(
            "{{\"bench\":\"append\",\"figure\":\"{}{what}, {callers} {caller}\",\"unit\":\"{unit}\",\"value\":{value:.0},\
             \"ideal\":{ideal:.0}{of_goal}}}",
            setting.name
        );
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The 50th and the 99th percentile of the median round. Pooled, one fast round with its many samples would hide all
/// the slow ones.
fn quantiles(rounds: Vec<Round>) -> (f64, f64) {
    let of_round = |round: Round| {
        let mut all = round.latencies_us;
        all.sort_unstable();
        (
            f64::from(all[all.len() / 2]),
            f64::from(all[all.len() * 99 / 100]),
        )
    };
    let (p50, p99) = rounds.into_iter().map(of_round).unzip();
    (median(p50), median(p99))
}

fn microseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Longer than it takes the log to write its mark and to stop filling the next segment.
fn settle() {
    std::thread::sleep(Duration::from_millis(150));
}

fn zero_filled(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)?;
    let zeros = vec![0; 1 << 20];
    for at in (0..IDEAL_FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    if target.is_dir() {
        target
    } else {
        PathBuf::from(".")
    }
}
