//! The public topics on a real broker: what is written there is what the log says, in its order, whatever happens.

// The same histories that the views are tested with, and not all of what they can do.
#[allow(dead_code, reason = "the views need the rest")]
#[path = "../views/story.rs"]
mod story;

mod following;
mod published;
mod shapes;
mod troubles;
mod world;
