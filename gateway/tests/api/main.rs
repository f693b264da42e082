//! API stories over the in-process router, on the real embedded parts or on real servers, with snapshots of what leaves
//! the system.

mod accounts;
mod avatars;
mod bad_input;
mod conforming;
mod conventions;
mod documents;
mod edge;
mod forms;
mod fuzz;
mod jobs;
mod live;
mod mail;
mod matrix;
mod media;
mod personal;
mod place;
mod requests;
mod serving;
mod shown;
mod uploads;
mod users;
mod videos;
mod visitors;
mod ways_in;
mod wire;
mod world;
