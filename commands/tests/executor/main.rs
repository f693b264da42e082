//! The executor on the real embedded log, tables and keys: what is answered is durable, once, and in order.

mod answers;
mod clock;
mod cut;
mod dice;
mod followups;
mod format;
mod given;
mod history;
mod identities;
mod names;
mod placed;
mod room;
mod several;
mod snapshots;
mod storm;
mod world;
