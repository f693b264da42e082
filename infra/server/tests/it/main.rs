//! Stories, campaigns and faults on the real binary: the pages, power cuts, kill -9, failing disks, hostile films.

mod account;
mod broken;
mod campaign;
mod clips;
mod cluster;
mod command;
mod corpus;
mod crowd;
mod disk;
mod edge;
mod erasure;
mod faults;
mod generated_client;
mod kill;
mod mail;
mod oidc;
mod pages;
mod person;
mod place;
mod playback;
mod powercut;
mod promotion;
mod public_topics;
mod raw;
mod server;
mod waiting;
