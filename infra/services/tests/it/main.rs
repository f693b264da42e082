//! The servers start, keep their data over a kill, and leave nothing behind, whatever ends the process that holds them.

mod kafka;
mod tcp;
