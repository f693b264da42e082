//! Borrowed from the host and its neighbours: clock, config, telemetry, signals, members, keys.
pub mod clock;
pub mod config;
pub mod keys;
pub mod members;
pub mod signals;
pub mod telemetry;

pub use clock::Clock;
pub use config::Config;
pub use keys::Keys;
pub use members::Members;
pub use signals::{SignalMessage, Signals, Subscription};
pub use telemetry::Metrics;
