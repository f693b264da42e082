//! Facts to work outside: media jobs, housekeeping and mail.

mod attempt;
mod ending;
mod housekeeping;
mod identity;
pub mod mail;
pub mod media_child;
mod outages;
mod passes;
mod progress;
mod publisher;
mod runner;

pub use runner::{Parts, Workers};
