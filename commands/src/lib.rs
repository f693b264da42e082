//! Command to facts: the partition executor, dedup, timers, process managers.

pub mod accounts;
mod answer;
mod executor;
mod features;
mod flight;
mod following;
mod handle;
pub mod ids;
pub mod managers;
mod partition;
pub mod placement;
mod restore;
mod snapshots;
mod streams;
mod timers;
mod token;
mod undo;
pub mod videos;
mod window;

pub use answer::{Ask, CommandError, Outcome};
pub use features::{AnyCommand, AnyRefusal, Feature};
pub use handle::{Commands, OpenError, Parts};
pub use token::Token;
