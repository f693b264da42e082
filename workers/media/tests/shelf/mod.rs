//! What tests and campaigns need to run `spool-media` on films and hold its answers against the truth.
#![allow(dead_code, reason = "each test executable uses its own part")]

pub mod check;
pub mod made;
pub mod manifest;
pub mod media;
pub mod truth;
