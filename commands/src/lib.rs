//! Command to facts: the partition executor, dedup, timers, process managers.

pub mod accounts;
mod answer;
mod asked;
pub mod erasures;
mod executor;
mod features;
mod figures;
mod flight;
mod following;
mod handle;
pub mod ids;
pub mod links;
mod mail;
pub mod managers;
mod partition;
mod peers;
pub mod placement;
mod restore;
mod search;
mod service_token;
mod snapshots;
mod standing;
mod streams;
mod timers;
mod token;
mod undo;
pub mod videos;
mod window;
mod wire;

pub use answer::{Ask, CommandError, Outcome};
pub use asked::Reply;
pub use features::{AnyCommand, AnyRefusal, Feature};
pub use handle::{Commands, OpenError, Parts};
pub use peers::{GIVE, LOOK, Peers, PeersError};
pub use service_token::ServiceToken;
pub use token::Token;
