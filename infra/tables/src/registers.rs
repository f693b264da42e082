//! Registers: small values by name, on which several nodes agree.
use std::sync::Arc;

use bytes::Bytes;

use crate::{CqlSettings, TablesError, cql};

/// The handle to the registers in a keyspace of a CQL server. Clones share the connection. They are no view: nothing can
/// make them again from the log, so they belong into a keyspace, and a backup, of their own.
#[derive(Clone)]
pub struct Registers(Arc<cql::Registers>);

/// What became of [`Registers::swap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swapped {
    Done,
    /// Nothing was changed; this is what stands there, if anything.
    Stands(Option<Bytes>),
}

impl Registers {
    /// Opens the registers in the keyspace, which is laid out if it is missing. `TablesError::Setup` and
    /// `TablesError::Unavailable` say in one line what is wrong.
    pub fn cql(settings: CqlSettings) -> Result<Self, TablesError> {
        Ok(Self(Arc::new(cql::Registers::open(settings)?)))
    }

    /// The value that stands under `name`.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, TablesError> {
        self.0.get(name)
    }

    /// Puts `new` under `name` if `expected` stands there (`None`: nothing). Of several that expect the same, one
    /// succeeds. After `TablesError::Unavailable` nobody knows whether it did: a value that nobody else can have written tells.
    pub fn swap(&self, name: &str, expected: Option<&[u8]>, new: &[u8]) -> Result<Swapped, TablesError> {
        self.0.swap(name, expected, new)
    }
}
