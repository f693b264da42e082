//! Runs the simulator of the term protocol over many seeds, on all cores: `cargo run --release -p spool-log --example simulate
//! [-- SEEDS [FIRST]]` (1,000,000 from 0). Prints what happened in them, or the seed that failed and how to repeat it.

#[path = "../tests/sim/clients.rs"]
mod clients;
#[path = "../tests/sim/nodes.rs"]
mod nodes;
#[path = "../tests/sim/random.rs"]
mod random;
#[path = "../tests/sim/weather.rs"]
mod weather;
#[path = "../tests/sim/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spool_log::term::Sound;
use world::{Failed, Told};

/// Seeds that a thread takes at once.
const PIECE: u64 = 1000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (Ok(seeds), Ok(first)) = (number(1_000_000), number(0)) else {
        eprintln!("usage: simulate [SEEDS [FIRST]], both numbers");
        return ExitCode::FAILURE;
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicU64::new(first), AtomicBool::new(false));
    let work = || -> Result<Told, Failed> {
        let mut all = Told::default();
        while !failed.load(Ordering::Relaxed) {
            let from = next.fetch_add(PIECE, Ordering::Relaxed);
            if from >= first + seeds {
                break;
            }
            let told = world::run_all::<Sound>(from..(from + PIECE).min(first + seeds));
            let told = told.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            all.add(&told);
        }
        Ok(all)
    };
    let mut all = Told::default();
    let mut sound = true;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            match thread.join().expect("the simulator does not panic") {
                Ok(told) => all.add(&told),
                Err(failed) => {
                    sound = false;
                    println!(
                        "{failed}\nrepeat it: SPOOL_SIM_SEED={} cargo test -p spool-log --test sim",
                        failed.seed
                    );
                }
            }
        }
    });
    if sound && all.is_eventful() {
        println!("{seeds} seeds from {first}, nothing wrong: {all:?}");
        ExitCode::SUCCESS
    } else {
        println!("so far: {all:?}");
        ExitCode::FAILURE
    }
}
