//! Rounds of a measurement on Kafka: callers that ask again and again, beside a bare producer, in turns.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one round of one side did.
pub struct Round {
    pub per_second: f64,
    /// Rising, in microseconds.
    latencies_us: Vec<u32>,
}

/// Each caller asks again as soon as it has its answer.
pub async fn round<F>(
    callers: usize,
    time: Duration,
    ask: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Round
where
    F: Future<Output = ()> + Send,
{
    let ask = Arc::new(ask);
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let ask = Arc::clone(&ask);
            tokio::spawn(async move {
                let mut latencies_us = Vec::new();
                while started.elapsed() < time {
                    let asked = Instant::now();
                    ask(caller).await;
                    latencies_us.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                latencies_us
            })
        })
        .collect();
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await.expect("no caller panics"));
    }
    latencies_us.sort_unstable();
    Round {
        per_second: latencies_us.len() as f64 / started.elapsed().as_secs_f64(),
        latencies_us,
    }
}

/// Prints latency and rate of `what` by so many callers beside the bare producer's, a JSON line each. `bench` is the name of the
/// measurement.
pub fn report(bench: &str, what: &str, callers: usize, ours: &[Round], theirs: &[Round]) {
    let quantile = |round: &Round, of_hundred: usize| {
        f64::from(round.latencies_us[round.latencies_us.len() * of_hundred / 100])
    };
    let name = if callers == 1 {
        "1 caller".to_owned()
    } else {
        format!("{callers} callers")
    };
    let p50 = |round: &Round| quantile(round, 50);
    let p99 = |round: &Round| quantile(round, 99);
    let rate = |round: &Round| round.per_second;
    let (fast, many) = ((callers <= 64).then_some(2.0), (callers == 256).then_some(0.6));
    figure(
        bench,
        &format!("{what} p50, {name}"),
        "µs",
        (ours, theirs),
        p50,
        fast,
    );
    figure(
        bench,
        &format!("{what} p99, {name}"),
        "µs",
        (ours, theirs),
        p99,
        None,
    );
    figure(
        bench,
        &format!("{what}s, {name}"),
        "1/s",
        (ours, theirs),
        rate,
        many,
    );
}

/// Neighbouring rounds are compared, so that a slow minute counts on both sides.
fn figure(
    bench: &str,
    name: &str,
    unit: &str,
    (ours, theirs): (&[Round], &[Round]),
    of: impl Fn(&Round) -> f64,
    goal: Option<f64>,
) {
    let pairs = ours.iter().zip(theirs);
    let ratio = median(pairs.map(|(ours, theirs)| of(ours) / of(theirs)).collect());
    let value = median(ours.iter().map(&of).collect());
    let ideal = median(theirs.iter().map(&of).collect());
    let goal = goal.map_or_else(String::new, |goal| format!(",\"goal\":{goal}"));
    println!(
        "{{\"bench\":\"{bench}\",\"figure\":\"{name}\",\"value\":{value:.0},\"unit\":\"{unit}\",\"ideal\":{ideal:.0},\
         \"ratio\":{ratio:.3}{goal}}}"
    );
}

/// The number in the middle.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
