//! Campaigns and faults on the real binary: power cuts, kill -9, failing disks, hostile requests and films.

mod broken;
mod campaign;
mod clips;
mod command;
mod corpus;
mod crowd;
mod disk;
mod faults;
mod kill;
mod person;
mod playback;
mod powercut;
mod raw;
mod server;
mod waiting;
