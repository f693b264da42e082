//! Chores around the product, started as `cargo xtask NAME`.

mod bench;
mod campaign;
mod cargo;
mod check;
mod demo;
mod flags;
mod http;
mod json;
mod machine;
mod say;
mod services;
mod setup;
mod test;
mod tidy;
mod web;

use std::process::ExitCode;

use anyhow::Result;
use flags::Flags;

/// One chore. The table below is also what `tidy` holds the README against.
pub struct Chore {
    pub name: &'static str,
    pub about: &'static str,
    pub help: &'static str,
    run: fn(Flags) -> Result<()>,
}

pub const CHORES: &[Chore] = &[
    Chore {
        name: "demo",
        about: "build Spool, start it and upload a film",
        help: demo::HELP,
        run: demo::run,
    },
    Chore {
        name: "test",
        about: "run every test; this is what CI runs",
        help: test::HELP,
        run: test::run,
    },
    Chore {
        name: "check",
        about: "formatting, lints, tidy and unit tests",
        help: check::HELP,
        run: check::run,
    },
    Chore {
        name: "tidy",
        about: "hold the tree against its own rules",
        help: tidy::HELP,
        run: tidy::run,
    },
    Chore {
        name: "bench",
        about: "measure, and write infra/docs/BENCHMARKS.md",
        help: bench::HELP,
        run: bench::run,
    },
    Chore {
        name: "campaign",
        about: "run a whole campaign of crashes, films or attacks",
        help: campaign::HELP,
        run: campaign::run,
    },
    Chore {
        name: "services",
        about: "start and end Kafka, Cassandra and an S3 server on this machine",
        help: services::HELP,
        run: services::run,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        print!("{}", overview());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprintln!("xtask: there is no chore named {name:?}\n\n{}", overview());
        return ExitCode::from(2);
    };
    let flags = Flags::from_words(words);
    if flags.asks_for_help() {
        println!("{}", chore.help.trim());
        return ExitCode::SUCCESS;
    }
    match (chore.run)(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn overview() -> String {
    let mut text = String::from("Chores of Spool: cargo xtask NAME [--help]\n\n");
    for chore in CHORES {
        text.push_str(&format!("  {:<10} {}\n", chore.name, chore.about));
    }
    text
}
