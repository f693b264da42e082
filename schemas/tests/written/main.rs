//! What is written: it is read for ever, it is described, and any of it is read back as it was.

// The same odd values that the rules are tested with; a crate of their own would be compiled into both.
#[path = "../../../domain/tests/deciders/anything.rs"]
mod anything;
mod compatibility;
mod drift;
mod files;
mod golden;
mod records;
mod round_trip;
mod samples;
mod sealed_texts;
