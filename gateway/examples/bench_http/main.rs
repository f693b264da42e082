//! Measures the gateway beside bare axum routes: commands over HTTP, and a page of the catalogue.
//!
//! One process, one runtime, loopback, 64 keep-alive connections without pipelining; rounds of the product and of
//! the ideal alternate, and medians are compared. Prints a line of JSON for each figure. Arguments: seconds per round
//! (1.5), rounds (7).

mod bare;
mod load;
mod world;

use load::{Load, Round};
use std::time::Duration;
use world::World;

const CONNECTIONS: usize = 64;

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
    runtime.block_on(measure(Duration::from_secs_f64(seconds), rounds as usize));
    // Threads of the views end with the process.
    runtime.shutdown_background();
}

async fn measure(length: Duration, rounds: usize) {
    let world = World::open(CONNECTIONS).await;
    let product = world.serve().await;
    let bare = bare::serve(world.folder(), world.sample_commit()).await;

    let commands: Vec<Vec<Vec<u8>>> = (0..CONNECTIONS).map(|number| world.changes(number)).collect();
    let command = Load::new(product, commands, "200");
    let ideal = Load::new(
        bare,
        vec![vec![bare::append_request(&world.change_body("A"))]; CONNECTIONS],
        "200",
    );
    let pairs = alternate(&command, &ideal, length, rounds).await;
    report("commands over HTTP", "commands/s", &pairs, 0.5);

    let page = Load::new(product, vec![vec![world.list_request("")]; CONNECTIONS], "200");
    let body = page.once().await;
    let same_bytes = bare::serve_bytes(body).await;
    let ideal = Load::new(same_bytes, vec![vec![world.list_request("")]; CONNECTIONS], "200");
    let pairs = alternate(&page, &ideal, length, rounds).await;
    report("page of 20, cached", "requests/s", &pairs, 0.6);

    // A reader that brings a consistency token is never answered from the kept bytes.
    let uncached = Load::new(
        product,
        vec![vec![world.list_request("Consistency-Token: 0:0\r\n")]; CONNECTIONS],
        "200",
    );
    let pairs = alternate(&uncached, &ideal, length, rounds.min(3)).await;
    report("page of 20, uncached", "requests/s", &pairs, 0.0);
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

fn report(figure: &str, unit: &str, pairs: &[(Round, Round)], wanted: f64) {
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
        "wanted": wanted,
        "p50_ms": of(|pair| pair.0.p50_ms),
        "p99_ms": of(|pair| pair.0.p99_ms),
        "ideal_p50_ms": of(|pair| pair.1.p50_ms),
        "ideal_p99_ms": of(|pair| pair.1.p99_ms),
    });
    println!("{line}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
