//! The term protocol in a world where messages get lost, come twice or late, and nodes crash, sleep and claim at once.

mod broken;
mod clients;
mod nodes;
mod random;
mod weather;
mod world;

use spool_log::term::Sound;

/// Repeats one seed when it is set.
const SEED: &str = "SPOOL_SIM_SEED";
/// How many seeds to run instead of 10,000.
const SEEDS: &str = "SPOOL_SIM_SEEDS";

#[test]
fn what_is_acknowledged_is_in_the_log_once_whatever_happens() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number(SEED) {
        Some(seed) => seed..seed + 1,
        None => 0..number(SEEDS).unwrap_or(10_000),
    };
    let told = world::run_all::<Sound>(seeds.clone()).unwrap_or_else(|failed| {
        panic!("{failed}; run it again with {SEED}={}", failed.seed);
    });
    println!("{} seeds: {told:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start >= 1000 {
        assert!(
            told.is_eventful(),
            "the weather was too fine to prove anything: {told:?}"
        );
    }
}

#[test]
fn a_seed_always_tells_the_same_story() {
    for seed in 0..50 {
        let first = world::run::<Sound>(seed).expect("a sound run");
        let second = world::run::<Sound>(seed).expect("a sound run");
        assert_eq!(first, second, "seed {seed}");
    }
}
