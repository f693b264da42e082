//! Command to facts: the partition executor, dedup, timers, process managers.

pub mod accounts;
mod answer;
mod features;
mod handle;
pub mod ids;
pub mod managers;
mod partition;
mod snapshots;
mod timers;
mod token;
pub mod videos;
mod window;

pub use answer::{Ask, CommandError, Outcome};
pub use features::{AnyCommand, AnyRefusal, Feature};
pub use handle::{Commands, OpenError, Parts};
pub use token::Token;
