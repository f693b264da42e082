//! Measures commits into a real Apache Cassandra beside a bare loop of prepared inserts of the same rows, with as many of
//! them on their way at once. Prints one JSON line for each figure; the ratio is product to bare.
//!
//! `cargo run --release -p spool-tables --example bench_cql [-- ROWS ROUNDS]`, on a server of its own or the one that
//! `SPOOL_TEST_CASSANDRA` names. Product and bare loop take turns, because a server's mood changes by the second; the ratio
//! is the median of those of neighbours. `BENCH_ROUNDS=1` prints each round to stderr.
use std::error::Error;
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use spool_services::{Cassandra, fresh_name};
use spool_tables::{Batch, CqlSettings, Credentials, Position, Tables, TablesError, ViewTables};

/// As many as the product sends in bulk.
const IN_FLIGHT: usize = 256;
/// What a rebuild writes at once.
const BATCH_ROWS: usize = 4_000;
const ROW_BYTES: usize = 300;
const SINGLE_COMMITS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows: usize = arguments.next().map_or(Ok(40_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let cassandra = Cassandra::shared();
    let keyspace = fresh_name("bench_");
    let mut settings = CqlSettings::new([cassandra.contact_point()]);
    settings.credentials = Some(Credentials::new(cassandra.user(), cassandra.password()));
    settings.keyspace.clone_from(&keyspace);
    let view = Tables::cql(settings)?.view("bench", 1)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let bare = runtime.block_on(Bare::connect(cassandra, &keyspace))?;
    let mut next = 0;
    // The first rows go through code that the server has not compiled yet.
    product(&view, rows / 2, 1, &mut next)?;
    runtime.block_on(bare.insert(rows / 2, 1, &mut next))?;
    for (figure, together) in [("rows", 1), ("rows that share a partition by 20", 20)] {
        let mut pairs = Vec::new();
        for round in 0..rounds {
            let (mut ours, mut theirs) = (0.0, 0.0);
            for side in [round % 2, (round + 1) % 2] {
                if side == 0 {
                    theirs = runtime.block_on(bare.insert(rows, together, &mut next))?;
                } else {
                    ours = product(&view, rows, together, &mut next)?;
                }
            }
            pairs.push((ours, theirs));
        }
        report(figure, "rows/s", pairs);
    }
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        let theirs = runtime.block_on(bare.one_by_one(&mut next))?;
        pairs.push((one_by_one(&view, &mut next)?, theirs));
    }
    report("a commit of one row", "ms", pairs);
    Ok(())
}

/// Partition key and sort key of the row with this number, as ids are: in no order.
fn key(row: usize, together: usize) -> (String, String) {
    let partition = (row / together).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (format!("{partition:016x}"), format!("{:04}", row % together))
}

/// Rows a second.
fn product(view: &ViewTables, rows: usize, together: usize, next: &mut usize) -> Result<f64, TablesError> {
    let value = vec![b'x'; ROW_BYTES];
    view.begin_bulk()?;
    let started = Instant::now();
    let mut batch = Batch::new();
    let until = *next + rows;
    while *next < until {
        let (pk, sk) = key(*next, together);
        batch.put("rows", &pk, &sk, value.clone(), at(*next));
        *next += 1;
        if batch.len() == BATCH_ROWS || *next == until {
            view.commit(&batch)?;
            batch.clear();
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    view.finish_bulk()?;
    Ok(rows as f64 / seconds)
}

/// The median in milliseconds.
fn one_by_one(view: &ViewTables, next: &mut usize) -> Result<f64, TablesError> {
    let mut times = Vec::new();
    for _ in 0..SINGLE_COMMITS {
        let (pk, sk) = key(*next, 1);
        let mut batch = Batch::new();
        batch.put("rows", &pk, &sk, vec![b'x'; ROW_BYTES], at(*next));
        *next += 1;
        let started = Instant::now();
        view.commit(&batch)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times))
}

fn at(row: usize) -> Position {
    let offset = row as u64;
    Position { partition: 0, offset }
}

/// The driver, a table like ours, and nothing else.
struct Bare {
    session: Session,
    insert: PreparedStatement,
}

impl Bare {
    async fn connect(cassandra: &Cassandra, keyspace: &str) -> Result<Self, Box<dyn Error>> {
        let session = SessionBuilder::new()
            .known_node(cassandra.contact_point())
            .user(cassandra.user(), cassandra.password())
            .build()
            .await?;
        let columns =
            "pk text, sk text, value blob, log_partition int, log_offset bigint, PRIMARY KEY (pk, sk)";
        let create = format!("CREATE TABLE {keyspace}.bare ({columns})");
        session.query_unpaged(create, ()).await?;
        let insert = format!(
            "INSERT INTO {keyspace}.bare (pk, sk, value, log_partition, log_offset) VALUES (?, ?, ?, ?, ?)"
        );
        let insert = session.prepare(insert).await?;
        Ok(Self { session, insert })
    }

    /// Rows a second.
    async fn insert(&self, rows: usize, together: usize, next: &mut usize) -> Result<f64, Box<dyn Error>> {
        let value = vec![b'x'; ROW_BYTES];
        let started = Instant::now();
        let mut sending = FuturesUnordered::new();
        for row in *next..*next + rows {
            if sending.len() >= IN_FLIGHT {
                sending.try_next().await?;
            }
            let (pk, sk) = key(row, together);
            let values = (pk, sk, value.clone(), 0, row as i64);
            sending.push(self.session.execute_unpaged(&self.insert, values));
        }
        while sending.try_next().await?.is_some() {}
        *next += rows;
        Ok(rows as f64 / started.elapsed().as_secs_f64())
    }

    /// The median in milliseconds.
    async fn one_by_one(&self, next: &mut usize) -> Result<f64, Box<dyn Error>> {
        let mut times = Vec::new();
        for _ in 0..SINGLE_COMMITS {
            let (pk, sk) = key(*next, 1);
            let values = (pk, sk, vec![b'x'; ROW_BYTES], 0, *next as i64);
            *next += 1;
            let started = Instant::now();
            self.session.execute_unpaged(&self.insert, values).await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times))
    }
}

fn report(figure: &str, unit: &str, pairs: Vec<(f64, f64)>) {
    if std::env::var_os("BENCH_ROUNDS").is_some() {
        for (ours, theirs) in &pairs {
            eprintln!("{figure}: {ours:.2} {unit}, bare {theirs:.2}");
        }
    }
    let ratio = median(pairs.iter().map(|(ours, theirs)| ours / theirs).collect());
    let value = median(pairs.into_iter().map(|(ours, _)| ours).collect());
    println!(
        r#"{{"bench":"cql","figure":"{figure}","value":{value:.3},"unit":"{unit}","ratio":{ratio:.3}}}"#
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
