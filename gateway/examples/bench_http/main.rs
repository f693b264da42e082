//! Measures the gateway beside bare axum routes: commands over HTTP, and a page of the catalogue; and beside itself: the page
//! for somebody who is signed in, and while others sign in.
//!
//! One process, one runtime, loopback, 64 keep-alive connections without pipelining; rounds of the product and of
//! the ideal alternate, and medians are compared. Prints a line of JSON for each figure. Arguments: seconds per round
//! (1.5), rounds (7), and a word that the figures to measure have in their name.

mod bare;
mod load;
mod world;

use load::{Load, Round};
use mimalloc::MiMalloc;
use std::time::Duration;
use world::World;

/// As in the server.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const CONNECTIONS: usize = 64;
/// People who sign in all the time, each on a connection of their own.
const SIGN_INS: usize = 32;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: f64| {
        arguments
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (seconds, rounds) = (number(1.5), number(7.0));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let only = arguments.next().unwrap_or_default();
    runtime.block_on(measure(Duration::from_secs_f64(seconds), rounds as usize, &only));
    // Threads of the views end with the process.
    runtime.shutdown_background();
}

async fn measure(length: Duration, rounds: usize, only: &str) {
    let world = World::open(CONNECTIONS).await;
    let product = world.serve().await;
    let everybody = |request: Vec<u8>| vec![vec![request]; CONNECTIONS];
    let compare = async |figure: &str, unit: &str, product: &Load, ideal: &Load, goal: Option<f64>| {
        if figure.contains(only) {
            report(
                figure,
                unit,
                &alternate(product, ideal, length, rounds).await,
                goal,
            );
        }
    };

    let bare = bare::serve(world.folder(), world.sample_commit().await).await;
    let changes = Load::new(
        product,
        (0..CONNECTIONS).map(|number| world.changes(number)).collect(),
    );
    let ideal = Load::new(bare, everybody(bare::append_request(&world.change_body("A"))));
    compare("commands over HTTP", "commands/s", &changes, &ideal, Some(0.5)).await;

    let page = Load::new(product, everybody(world.list_request("")));
    let same_bytes = bare::serve_bytes(page.once().await).await;
    let ideal = Load::new(same_bytes, everybody(world.list_request("")));
    compare("page of 20, cached", "requests/s", &page, &ideal, Some(0.6)).await;

    // A reader that brings a consistency token is never answered from the kept bytes.
    let uncached = Load::new(
        product,
        everybody(world.list_request("Consistency-Token: 0:0\r\n")),
    );
    compare("page of 20, uncached", "requests/s", &uncached, &ideal, None).await;

    // Beside the same page without authentication.
    let signed_in = Load::new(product, everybody(world.signed_in_list_request()));
    compare(
        "page of 20, signed in",
        "requests/s",
        &signed_in,
        &page,
        Some(0.7),
    )
    .await;

    // Beside the same requests while nobody signs in.
    let figure = "page of 20 during 32 parallel log-ins, p99";
    if figure.contains(only) {
        let sign_ins = Load::new(product, singly(world.sign_in_requests(SIGN_INS).await));
        let pairs = during(&page, &sign_ins, length, rounds).await;
        report_p99(figure, &pairs);
    }
}

/// A connection for each of the requests.
fn singly(requests: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    requests.into_iter().map(|request| vec![request]).collect()
}

/// Rounds of a load beside another and alone, after one of each to warm up.
async fn during(load: &Load, other: &Load, length: Duration, rounds: usize) -> Vec<(Round, Round)> {
    let mut pairs = vec![];
    for round in 0..=rounds {
        let (beside, _) = tokio::join!(load.run(length), other.run(length));
        let pair = (beside, load.run(length).await);
        if round > 0 {
            pairs.push(pair);
        }
    }
    pairs
}

/// Rounds of the product and of the ideal in turn, after one of each to warm up.
async fn alternate(product: &Load, ideal: &Load, length: Duration, rounds: usize) -> Vec<(Round, Round)> {
    let mut pairs = vec![];
    for round in 0..=rounds {
        let pair = (product.run(length).await, ideal.run(length).await);
        if round > 0 {
            pairs.push(pair);
        }
    }
    pairs
}

fn report(figure: &str, unit: &str, pairs: &[(Round, Round)], goal: Option<f64>) {
    let of = |pick: fn(&(Round, Round)) -> f64| median(pairs.iter().map(pick).collect());
    let (value, ideal) = (of(|pair| pair.0.per_second), of(|pair| pair.1.per_second));
    let ratio = of(|pair| pair.0.per_second / pair.1.per_second);
    let line = serde_json::json!({
        "bench": "http",
        "figure": figure,
        "value": value.round(),
        "unit": unit,
        "ideal": ideal.round(),
        "ratio": (ratio * 1000.0).round() / 1000.0,
        "goal": goal,
        "p50_ms": of(|pair| pair.0.p50_ms),
        "p99_ms": of(|pair| pair.0.p99_ms),
        "ideal_p50_ms": of(|pair| pair.1.p50_ms),
        "ideal_p99_ms": of(|pair| pair.1.p99_ms),
        "cpu_us": of(|pair| pair.0.cpu_us).round(),
        "ideal_cpu_us": of(|pair| pair.1.cpu_us).round(),
    });
    println!("{line}");
}

/// The p99 of the product beside that of the ideal.
fn report_p99(figure: &str, pairs: &[(Round, Round)]) {
    let of = |pick: fn(&(Round, Round)) -> f64| median(pairs.iter().map(pick).collect());
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let line = serde_json::json!({
        "bench": "http",
        "figure": figure,
        "value": rounded(of(|pair| pair.0.p99_ms)),
        "unit": "ms",
        "ideal": rounded(of(|pair| pair.1.p99_ms)),
        "ratio": rounded(of(|pair| pair.0.p99_ms / pair.1.p99_ms)),
        "per_second": of(|pair| pair.0.per_second).round(),
        "ideal_per_second": of(|pair| pair.1.per_second).round(),
    });
    println!("{line}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
