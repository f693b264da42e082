//! The views: what facts do to rows, and that rows are a function of the log whatever happens in between.

mod catalogue;
mod following;
mod histories;
mod lookups;
mod playlists;
mod poison;
mod queue;
mod rebuilding;
mod story;
mod world;
