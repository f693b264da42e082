//! Facts to work outside: media jobs and housekeeping.

mod attempt;
mod ending;
mod housekeeping;
mod identity;
pub mod media_child;
mod outages;
mod passes;
mod progress;
mod publisher;
mod runner;

pub use runner::{Parts, Workers};
