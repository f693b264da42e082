//! Facts to views: checkpoints, rebuild, switch, and the queries.
//!
//! Every view is a pure fold of the log ([`View`]), kept in tables that can be thrown away: [`Projections`]
//! follows the log and feeds them, [`Catalogue`], [`Jobs`], [`Analytics`], [`Accounts`] and [`Audit`] answer from them.
//! Queries block for some tens of microseconds; call them from where that is allowed.

pub mod accounts;
pub mod analytics;
pub mod audit;
pub mod catalogue;
mod error;
mod facts;
pub mod jobs;
pub mod playlists;
pub mod publisher;
mod reading;
mod rows;
mod runtime;
mod switches;
mod view;

pub use accounts::Accounts;
pub use analytics::Analytics;
pub use audit::Audit;
pub use catalogue::Catalogue;
pub use error::{QueryError, RebuildError, StartError, VerifyError, WaitError, Writer};
pub use facts::{Fact, Facts};
pub use jobs::{Job, Jobs};
pub use publisher::Publisher;
#[cfg(fuzzing)]
pub use reading::{cursor, place};
pub use rows::Rows;
pub use runtime::{
    Changes, Phase, Progress, Projections, Rebuild, Serving, Switcher, Verified, ViewStatus, fold_in_memory,
    no_switcher,
};
pub use spool_tables::Position;
pub use view::{View, ViewError};
