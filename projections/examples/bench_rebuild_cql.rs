//! Rebuild of the catalogue into a real Apache Cassandra, beside a bare loop of prepared inserts of the rows that it leaves
//! there, with as many of them on their way at once. Prints one JSON line for each figure; the ratio is product to bare.
//!
//! `cargo run --release -p spool-projections --example bench_rebuild_cql [-- EVENTS ROUNDS]`, on a server of its own or the one
//! that `SPOOL_TEST_CASSANDRA` names. Rebuild and bare loop take turns, because a server's mood changes by the second; the ratio
//! is the median of those of neighbours. `BENCH_ROUNDS=1` prints each round to stderr.

#[path = "films/log.rs"]
mod films;
#[path = "../tests/views/story.rs"]
#[expect(dead_code, reason = "the tests tell of more than films that go well")]
mod story;

use films::{open, switcher, write_log};
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use spool_projections::Projections;
use spool_services::rounds::median;
use spool_services::{Cassandra, fresh_name};
use spool_tables::{CqlSettings, Credentials, Row, Tables, TablesError};
use std::error::Error;
use std::time::{Duration, Instant};

const EVENTS: u64 = 500_000;
const ROUNDS: usize = 5;
const VIEW: &str = "catalogue";
/// As many as the product sends in bulk.
const IN_FLIGHT: usize = 256;
const PATIENCE: Duration = Duration::from_secs(600);
const PAGE_ROWS: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().map_or(Ok(EVENTS), |text| text.parse())?;
    let rounds = arguments.next().map_or(Ok(ROUNDS), |text| text.parse())?;
    let cassandra = Cassandra::shared();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(compare(cassandra, events, rounds))
}

async fn compare(cassandra: &Cassandra, events: u64, rounds: usize) -> Result<(), Box<dyn Error>> {
    let keyspace = fresh_name("bench_");
    let mut settings = CqlSettings::new([cassandra.contact_point()]);
    settings.credentials = Some(Credentials::new(cassandra.user(), cassandra.password()));
    settings.keyspace.clone_from(&keyspace);
    let tables = Tables::cql(settings)?;

    let dir = tempfile::tempdir()?;
    let written = write_log(dir.path(), events).await;
    let log = open(dir.path());
    let projections = Projections::start(log.clone(), tables.clone(), switcher(log))?;
    projections.caught_up(PATIENCE).await?;
    // The first one goes through code that the server has not compiled yet.
    rebuild(&projections).await?;
    let rows = rows_of(&tables, &projections)?;
    let count: usize = rows.iter().map(|(_, rows)| rows.len()).sum();
    let bare = Bare::connect(cassandra, &keyspace, &rows).await?;
    bare.insert(&rows).await?;

    let mut pairs = Vec::new();
    for round in 0..rounds {
        let (mut ours, mut theirs) = (0.0, 0.0);
        for side in [round % 2, (round + 1) % 2] {
            if side == 0 {
                theirs = count as f64 / bare.insert(&rows).await?;
            } else {
                ours = count as f64 / rebuild(&projections).await?;
            }
        }
        if std::env::var_os("BENCH_ROUNDS").is_some() {
            eprintln!("rebuild {ours:.0} rows/s, bare {theirs:.0}");
        }
        pairs.push((ours, theirs));
    }
    let ratio = median(pairs.iter().map(|(ours, theirs)| ours / theirs).collect());
    let ideal = median(pairs.iter().map(|(_, theirs)| *theirs).collect());
    let ours = median(pairs.into_iter().map(|(ours, _)| ours).collect());
    show("rows that are left", count as f64, "rows", "");
    let beside = format!(",\"ideal\":{ideal:.3},\"ratio\":{ratio:.3}");
    show(
        "rebuild of the catalogue, tables made and switch included",
        ours,
        "rows/s",
        &beside,
    );
    let events_per_second = ours * written.events as f64 / count as f64;
    show("the same in events of the log", events_per_second, "events/s", "");
    tokio::task::spawn_blocking(move || projections.end_writing()).await?;
    Ok(())
}

/// Seconds.
async fn rebuild(projections: &Projections) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    projections.rebuild(VIEW)?.finished().await?;
    Ok(began.elapsed().as_secs_f64())
}

/// All rows of the version that serves, by table.
fn rows_of(tables: &Tables, projections: &Projections) -> Result<Vec<(String, Vec<Row>)>, TablesError> {
    let status = projections.status();
    let status = status.into_iter().find(|status| status.name == VIEW);
    let status = status.expect("there is such a view");
    let version = status.version.expect("it has just been rebuilt");
    let view = tables.view(&format!("{VIEW}_r{}", status.schema), version)?;
    let rows_of = |table: String| {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let last = rows.last().map(|row| (row.pk.as_str(), row.sk.as_str()));
            let page = view.scan(&table, last, PAGE_ROWS)?;
            if page.is_empty() {
                return Ok((table, rows));
            }
            rows.extend(page);
        }
    };
    view.tables().into_iter().map(rows_of).collect()
}

/// The driver, tables like ours, and nothing else.
struct Bare {
    session: Session,
    /// For each table one.
    inserts: Vec<PreparedStatement>,
}

impl Bare {
    async fn connect(
        cassandra: &Cassandra,
        keyspace: &str,
        rows: &[(String, Vec<Row>)],
    ) -> Result<Self, Box<dyn Error>> {
        let session = SessionBuilder::new()
            .known_node(cassandra.contact_point())
            .user(cassandra.user(), cassandra.password())
            .build()
            .await?;
        let mut inserts = Vec::new();
        for (table, _) in rows {
            let columns =
                "pk text, sk text, value blob, log_partition int, log_offset bigint, PRIMARY KEY (pk, sk)";
            let create = format!("CREATE TABLE {keyspace}.bare_{table} ({columns})");
            session.query_unpaged(create, ()).await?;
            let insert = format!(
                "INSERT INTO {keyspace}.bare_{table} (pk, sk, value, log_partition, log_offset) VALUES (?, ?, ?, ?, ?)"
            );
            inserts.push(session.prepare(insert).await?);
        }
        Ok(Self { session, inserts })
    }

    /// Seconds.
    async fn insert(&self, rows: &[(String, Vec<Row>)]) -> Result<f64, Box<dyn Error>> {
        let began = Instant::now();
        let mut sending = FuturesUnordered::new();
        for (insert, (_, rows)) in self.inserts.iter().zip(rows) {
            for row in rows {
                if sending.len() >= IN_FLIGHT {
                    sending.try_next().await?;
                }
                // An empty partition key is none in CQL.
                let pk = if row.pk.is_empty() { "-" } else { &row.pk };
                let (partition, offset) = (
                    i32::from(row.position.partition),
                    row.position.offset.cast_signed(),
                );
                let values = (pk, &row.sk, &row.value, partition, offset);
                sending.push(self.session.execute_unpaged(insert, values));
            }
        }
        while sending.try_next().await?.is_some() {}
        Ok(began.elapsed().as_secs_f64())
    }
}

/// `beside` is what else the line has.
fn show(figure: &str, value: f64, unit: &str, beside: &str) {
    println!(r#"{{"bench":"rebuild_cql","figure":"{figure}","value":{value:.3},"unit":"{unit}"{beside}}}"#);
}
