//! The binary `spool`: reads the command line and does the one thing it says.

mod accounts;
mod backends;
mod cli;
mod kafka;
mod leading;
mod local;
mod node;
mod operator;
mod promote;
mod roles;

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Requests free on one thread what was allocated on another, which glibc makes dear.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("spool: starting the runtime failed: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("spool: {error:#}");
            ExitCode::FAILURE
        }
    }
}
