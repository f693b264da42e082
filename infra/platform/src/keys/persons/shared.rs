//! The persons' keys that all nodes share: a register each. It goes from nothing to a key to the mark of an erasure, each step
//! once, whoever takes it.
use spool_tables::{Registers, Swapped};
use uuid::Uuid;

use super::super::KeysError;
use super::Stored;

/// Shorter than any wrapped key.
const ERASED: &[u8] = b"erased";

pub(super) struct Shared(pub Registers);

impl Shared {
    pub fn get(&self, person: Uuid) -> Result<Option<Stored>, KeysError> {
        let stands = self.0.get(&register(person))?;
        Ok(stands.as_deref().map(stored))
    }

    pub fn add(&self, person: Uuid, wrapped: Vec<u8>) -> Result<Stored, KeysError> {
        match self.0.swap(&register(person), None, &wrapped)? {
            Swapped::Done => Ok(Stored::Wrapped(wrapped)),
            Swapped::Stands(stands) => {
                let stands = stands.ok_or_else(|| KeysError::BadShared(register(person)))?;
                Ok(stored(&stands))
            }
        }
    }

    /// This key and no other, unless it was erased.
    pub fn put(&self, person: Uuid, wrapped: &[u8]) -> Result<(), KeysError> {
        let stands = match self.get(person)? {
            Some(stands) => stands,
            None => self.add(person, wrapped.to_vec())?,
        };
        match stands {
            Stored::Wrapped(stands) if stands != wrapped => Err(KeysError::Foreign(register(person))),
            Stored::Wrapped(_) | Stored::Erased => Ok(()),
        }
    }

    pub fn erase(&self, person: Uuid) -> Result<(), KeysError> {
        let register = register(person);
        let mut before = self.0.get(&register)?;
        while before.as_deref() != Some(ERASED) {
            match self.0.swap(&register, before.as_deref(), ERASED)? {
                Swapped::Done => break,
                Swapped::Stands(stands) => before = stands,
            }
        }
        Ok(())
    }
}

pub(super) fn register(person: Uuid) -> String {
    format!("person {person}")
}

fn stored(stands: &[u8]) -> Stored {
    if stands == ERASED {
        Stored::Erased
    } else {
        Stored::Wrapped(stands.to_vec())
    }
}
