//! Makes a cluster of a single node: copies its keys, its films and its log, in this order, so that no fact is there before
//! what it speaks of. The views are not copied: whichever node of the cluster starts first fills them from the log.
//!
//! Everything here can be cut short and repeated; what has arrived is not copied again.

pub mod films;
pub mod leading;
pub mod log;
#[cfg(test)]
mod tests;
