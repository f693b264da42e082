//! Gives the keys of a single node to a cluster.
use std::path::Path;
use std::sync::Arc;

use spool_tables::Registers;

use super::master::Master;
use super::persons::Persons;
use super::signing::Signing;
use super::{Keys, KeysError, check};

impl Keys {
    /// Copies the keys in the folder `dir` to the registers of a cluster whose nodes have the same `master.key`; nobody
    /// may be using the folder. Tells `told` how many persons' keys were looked at. What is there already stays, so it can be
    /// repeated after it was cut short. Returns how many persons there are. Blocking.
    /// Errors: `WrongMaster` where the cluster has another master key, `Foreign` where it has other keys.
    pub fn promote(dir: &Path, registers: &Registers, told: impl FnMut(u64)) -> Result<u64, KeysError> {
        let master = Arc::new(Master::given(dir)?);
        check::shared(registers, &master)?;
        let persons = Persons::promote(&dir.join("persons.db"), registers, &master, told)?;
        // Last: a foreign cluster is to accept nothing of ours.
        Signing::promote(dir, registers, master)?;
        Ok(persons)
    }
}
