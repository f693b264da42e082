//! The rules: pure deciders, asking for nothing. Time, ids and the actor come in as arguments.

#![warn(missing_docs)]

pub mod accounts;
pub mod actors;
pub mod decider;
pub mod ids;
pub mod jobs;
pub mod media;
pub mod reservations;
pub mod sealed;
pub mod text;
pub mod time;
pub mod uploads;
pub mod videos;
pub mod views;
