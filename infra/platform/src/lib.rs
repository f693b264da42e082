//! Borrowed from the host: clock, config, telemetry, signals, keys.
pub mod clock;
pub mod config;
pub mod keys;
pub mod signals;
pub mod telemetry;

pub use clock::Clock;
pub use config::Config;
pub use keys::Keys;
pub use signals::{SignalMessage, Signals, Subscription};
pub use telemetry::Metrics;
