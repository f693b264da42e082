//! The tests of the log: what every backend promises, and what damage, faults and power cuts may do to the embedded one.

mod contract;
mod damage;
mod eventstore;
mod faults;
mod kafka;
mod power;
mod prefix;
mod suite;
