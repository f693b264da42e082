//! What can be made to go wrong with the next appends.

use std::sync::atomic::{AtomicU32, Ordering};

use tonic::Status;

#[derive(Default)]
pub struct Faults {
    pub refused: AtomicU32,
    pub unanswered: AtomicU32,
}

impl Faults {
    pub fn before_append(&self) -> Result<(), Status> {
        match take(&self.refused) {
            true => Err(Status::unavailable("Server Is Not Ready")),
            false => Ok(()),
        }
    }

    pub fn after_append(&self) -> Result<(), Status> {
        match take(&self.unanswered) {
            true => Err(Status::unavailable("the connection was lost")),
            false => Ok(()),
        }
    }
}

fn take(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1))
        .is_ok()
}
