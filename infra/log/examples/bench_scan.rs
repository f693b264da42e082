//! Measures reading a log of a million 300-byte events from the page cache: a scan of all partitions, and one partition
//! by reads of 1 MiB. Prints JSON lines. `cargo run --release -p spool-log --example bench_scan [-- EVENTS [DIR]]`

use std::time::Instant;

use bytes::Bytes;
use spool_log::{Config, Log};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let events: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let disk = arguments.next().unwrap_or_else(|| ".".into());
    let dir = tempfile::Builder::new().prefix("bench-scan-").tempdir_in(disk)?;
    let log = Log::open(Config::new(dir.path().join("log")))?;
    let partitions = u64::from(log.partitions());
    let event = Bytes::from(vec![b'e'; 300]);
    let mut last = Vec::new();
    for n in 0..events {
        let partition = u16::try_from(n % partitions)?;
        last.push(log.append(partition, n / partitions, vec![event.clone()]));
        if last.len() == 10_000 {
            last.drain(..)
                .try_for_each(|appending| appending.wait().map(drop))?;
        }
    }
    last.drain(..)
        .try_for_each(|appending| appending.wait().map(drop))?;
    log.close();

    let started = Instant::now();
    let log = Log::open(Config::new(dir.path().join("log")))?;
    println!(
        "{{\"bench\":\"open\",\"events\":{events},\"ms\":{}}}",
        started.elapsed().as_millis()
    );
    for _ in 0..5 {
        let started = Instant::now();
        let mut bytes = 0;
        for record in log.scan(&vec![0; usize::from(log.partitions())])? {
            bytes += record?.payload.len();
        }
        let per_second = events as f64 / started.elapsed().as_secs_f64();
        println!(
            "{{\"bench\":\"scan\",\"events\":{events},\"bytes\":{bytes},\"per_second\":{per_second:.0}}}"
        );
    }
    let started = Instant::now();
    let mut next = 0;
    while next < log.head(3) {
        next += log.read(3, next, 1 << 20)?.len() as u64;
    }
    let per_second = next as f64 / started.elapsed().as_secs_f64();
    println!(
        "{{\"bench\":\"read\",\"partitions\":{partitions},\"events\":{next},\"per_second\":{per_second:.0}}}"
    );
    let started = Instant::now();
    let report = log.verify();
    println!(
        "{{\"bench\":\"verify\",\"sound\":{},\"ms\":{}}}",
        report.is_sound(),
        started.elapsed().as_millis()
    );
    Ok(())
}
