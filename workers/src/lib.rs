//! Facts to work outside: media jobs and housekeeping.

mod attempt;
mod housekeeping;
mod identity;
pub mod media_child;
mod progress;
mod publisher;
mod runner;

pub use runner::{Parts, Workers};
