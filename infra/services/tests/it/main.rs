//! The servers start, keep their data over a kill, and leave nothing behind, whatever ends the process that holds them.

mod cassandra;
mod ending;
mod kafka;
mod mail;
mod oidc;
mod s3;
mod signed;
mod tcp;
