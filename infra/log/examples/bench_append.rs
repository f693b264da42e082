//! Measures durable appends of 300 bytes by 1, 16 and 128 callers beside an ideal loop that writes the same bytes to a
//! zero-filled file with one fdatasync for all callers. Prints one JSON line for each number of callers.
//!
//! `cargo run --release -p spool-log --example bench_append [-- SECONDS ROUNDS [DIR]]`: DIR must be on the disk to be
//! measured (default: the target directory). Product and ideal take turns, because a disk's mood changes by the second;
//! the ratio is the median of those of neighbours. `BENCH_ROUNDS=1` prints each round to stderr. `BENCH_SYNC_US=60` with
//! /dev/shm as DIR lets both sides sleep instead of syncing, which shows what the log itself costs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use spool_log::{Config, Log, Operation};

const EVENT_BYTES: usize = 300;
/// The least that the product should reach of the ideal.
const GOAL: f64 = 0.7;
const IDEAL_FILE_BYTES: u64 = 128 << 20;

/// What one round of one side did.
struct Round {
    per_second: f64,
    latencies_us: Vec<u32>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(2.0), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let disk = arguments.next().map_or_else(target, PathBuf::from);
    let dir = tempfile::Builder::new()
        .prefix("bench-append-")
        .tempdir_in(disk)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ideal_file = zero_filled(&dir.path().join("ideal"))?;
    let mut config = Config::new(dir.path().join("log"));
    let simulated_sync = std::env::var("BENCH_SYNC_US")
        .ok()
        .and_then(|us| us.parse().ok())
        .map(Duration::from_micros);
    if let Some(time) = simulated_sync {
        config.inject = Some(Arc::new(move |operation| {
            if operation == Operation::Sync {
                std::thread::sleep(time);
            }
            Ok(())
        }));
    }
    let log = Log::open(config)?;
    let time = Duration::from_secs_f64(seconds);
    let mut ideal_at = 0;
    for callers in [1, 16, 128] {
        let (mut product, mut ideal) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            // Each goes first as often as the other, and neither while the log fills its next segment with zeros from
            // the round before: that is the product's work, and it is in the product's rounds that it must count.
            for side in [round % 2, (round + 1) % 2] {
                settle();
                if side == 0 {
                    ideal.push(run_ideal(
                        (&ideal_file, &mut ideal_at),
                        callers,
                        time,
                        simulated_sync,
                    )?);
                } else {
                    product.push(runtime.block_on(run_product(&log, callers, time))?);
                }
            }
        }
        if std::env::var_os("BENCH_ROUNDS").is_some() {
            for (product, ideal) in product.iter().zip(&ideal) {
                eprintln!(
                    "{callers} callers: {:.0}/s, ideal {:.0}/s",
                    product.per_second, ideal.per_second
                );
            }
        }
        report(callers, product, ideal);
    }
    log.close();
    Ok(())
}

async fn run_product(log: &Log, callers: usize, time: Duration) -> Result<Round, Box<dyn std::error::Error>> {
    let partitions = usize::from(log.partitions());
    let next: Arc<Vec<Mutex<u64>>> =
        Arc::new((0..log.partitions()).map(|p| Mutex::new(log.head(p))).collect());
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (log, next, at) = (log.clone(), Arc::clone(&next), caller % partitions);
            let event = Bytes::from(vec![b'e'; EVENT_BYTES]);
            tokio::spawn(async move {
                let mut latencies_us = Vec::new();
                let partition = u16::try_from(at).expect("a remainder of the number of partitions");
                while started.elapsed() < time {
                    let asked = Instant::now();
                    let appending = {
                        let mut next = next[at].lock().expect("no caller panics");
                        let appending = log.append(partition, *next, vec![event.clone()]);
                        *next += 1;
                        appending
                    };
                    appending.await?;
                    latencies_us.push(microseconds(asked.elapsed()));
                }
                Ok::<_, spool_log::AppendError>(latencies_us)
            })
        })
        .collect();
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await??);
    }
    Ok(Round {
        per_second: latencies_us.len() as f64 / started.elapsed().as_secs_f64(),
        latencies_us,
    })
}

fn run_ideal(
    (file, at): (&File, &mut u64),
    callers: usize,
    time: Duration,
    sync: Option<Duration>,
) -> std::io::Result<Round> {
    let bytes = vec![b'e'; callers * EVENT_BYTES];
    let mut latencies_us = Vec::new();
    let started = Instant::now();
    while started.elapsed() < time {
        let asked = Instant::now();
        if *at + bytes.len() as u64 > IDEAL_FILE_BYTES {
            *at = 0;
        }
        file.write_all_at(&bytes, *at)?;
        if let Some(time) = sync {
            std::thread::sleep(time);
        }
        file.sync_data()?;
        *at += bytes.len() as u64;
        latencies_us.push(microseconds(asked.elapsed()));
    }
    let per_second = (latencies_us.len() * callers) as f64 / started.elapsed().as_secs_f64();
    Ok(Round {
        per_second,
        latencies_us,
    })
}

fn report(callers: usize, product: Vec<Round>, ideal: Vec<Round>) {
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
        let of_goal = ratio.map_or_else(String::new, |ratio| {
            format!(",\"ratio\":{ratio:.3},\"goal\":{GOAL}")
        });
        println!(
            "{{\"bench\":\"append\",\"figure\":\"{what}, {callers} {caller}\",\"unit\":\"{unit}\",\"value\":{value:.0},\
             \"ideal\":{ideal:.0}{of_goal}}}"
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
