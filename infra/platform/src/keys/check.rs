//! A wrong master key is noticed at the start, not at the first person who cannot be read.
use spool_tables::{Registers, Swapped};

use super::KeysError;
use super::master::Master;

/// What the master key that comes first wraps, for those that come later.
pub(super) const TEXT: &[u8] = b"the master key opens this";

const REGISTER: &str = "master";

pub(super) fn shared(registers: &Registers, master: &Master) -> Result<(), KeysError> {
    let stands = match registers.get(REGISTER)? {
        Some(stands) => stands,
        None => match registers.swap(REGISTER, None, &master.wrap(TEXT, TEXT))? {
            Swapped::Done => return Ok(()),
            Swapped::Stands(stands) => stands.unwrap_or_default(),
        },
    };
    opens(master, &stands, || "the shared keys".to_owned())
}

pub(super) fn opens(master: &Master, wrapped: &[u8], what: impl FnOnce() -> String) -> Result<(), KeysError> {
    match master.unwrap(wrapped, TEXT) {
        Some(_) => Ok(()),
        None => Err(KeysError::WrongMaster(what())),
    }
}
