//! The term protocol: one writer for a partition of a log that has no conditional append, such as Kafka's.
//!
//! Writers put their terms into the log itself, as claims. Whoever reads the log folds it by the same rules ([`Fold`])
//! and so comes to the same answer which records count and which are void. A writer ([`Seat`]) acknowledges a
//! commit once its own fold has accepted it. There is no input or output here, no clock and no randomness: `tests/sim`
//! drives exactly this code through lost, repeated and late messages, crashes and paused writers.

mod barriers;
mod fold;
mod record;
mod rules;
mod seat;

pub use fold::{Fold, Verdict};
pub use record::{Claim, Commits, Damage, HEADER_BYTES, Record};
pub use rules::{Rules, Sound};
pub use seat::{Me, Output, Seat, Timing};
