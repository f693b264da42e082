//! Measures commits into tables: rows a second in bulk and live, and reads. Arguments: folder, rows, bytes a row.
use std::ops::Bound::Unbounded;
use std::path::PathBuf;
use std::time::Instant;

use spool_tables::{Batch, Order, Position, Tables, TablesError, ViewTables};

const EVENTS_A_BATCH: u64 = 10_000;

fn main() -> Result<(), TablesError> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments
        .next()
        .map_or_else(|| std::env::temp_dir().join("spool-bench-tables"), PathBuf::from);
    let mut number = |or: u64| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (rows, bytes) = (number(1_000_000), number(300));
    let value = vec![b'x'; usize::try_from(bytes).expect("a row fits into memory")];
    let tables = Tables::open(dir)?;
    let shapes = [
        ("every event a new row, keys by time", Keys::ByTime),
        ("every event a new row, keys at random", Keys::AtRandom(u64::MAX)),
        ("1,000 rows changed again and again", Keys::AtRandom(1_000)),
    ];
    for (shape, keys) in shapes {
        tables.drop_version("bench", 1)?;
        let view = tables.view("bench", 1)?;
        let (started, cpu) = (Instant::now(), cpu_seconds());
        fill(&view, rows, keys, &value)?;
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        println!(
            "bulk, {shape}: {:.0} events/s, {:.0} a CPU second",
            rows as f64 / seconds,
            rows as f64 / cpu
        );
        read(&view, rows, keys)?;
    }
    tables.drop_version("bench", 1)
}

fn timed<T>(work: impl FnOnce() -> Result<T, TablesError>) -> Result<f64, TablesError> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

#[derive(Clone, Copy)]
enum Keys {
    /// As UUIDv7 are, a few writers mixed.
    ByTime,
    /// So many different ones, in no order.
    AtRandom(u64),
}

/// In steps of 10 ms, which is what Linux counts in.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Spreads the keys as ids are: odd multipliers visit every number once.
fn key(event: u64, keys: Keys) -> String {
    match keys {
        Keys::ByTime => format!("{:012x}{:04x}", event / 8, (event % 8).wrapping_mul(0x9e37)),
        Keys::AtRandom(different) => {
            format!("{:016x}", (event % different).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        }
    }
}

fn fill(view: &ViewTables, rows: u64, keys: Keys, value: &[u8]) -> Result<(), TablesError> {
    view.begin_bulk()?;
    let mut batch = Batch::new();
    for event in 0..rows {
        let at = Position {
            partition: 0,
            offset: event,
        };
        batch.put("rows", &key(event, keys), "", value.to_vec(), at);
        if (event + 1) % EVENTS_A_BATCH == 0 || event + 1 == rows {
            view.commit(&batch)?;
            batch.clear();
        }
    }
    view.finish_bulk()
}

fn read(view: &ViewTables, rows: u64, keys: Keys) -> Result<(), TablesError> {
    const READS: u64 = 50_000;
    let gets =
        timed(|| (0..READS).try_for_each(|read| view.get("rows", &key(read % rows, keys), "").map(drop)))?;
    println!("get: {:.1} µs", gets / READS as f64 * 1e6);
    let pages = timed(|| {
        (0..READS / 10).try_for_each(|read| {
            view.range(
                "rows",
                &key(read % rows, keys),
                (Unbounded, Unbounded),
                Order::Ascending,
                20,
            )
            .map(drop)
        })
    })?;
    println!("range: {:.1} µs", pages / (READS / 10) as f64 * 1e6);
    Ok(())
}
