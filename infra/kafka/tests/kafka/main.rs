//! On a real broker: what topics are made like, what is found wrong with them, and what people are told.

mod topics;
mod unreachable;
mod writing;
