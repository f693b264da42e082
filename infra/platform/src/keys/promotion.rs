//! Gives the keys of a single node to a cluster.
use std::path::Path;
use std::sync::Arc;

use spool_tables::Registers;

use super::master::{self, Master};
use super::persons::Persons;
use super::signing::Signing;
use super::{Keys, KeysError, check, files};

/// What [`Keys::give_master`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    Copied,
    /// The same file was there.
    WasThere,
}

impl Keys {
    /// Copies `master.key` from the folder `from` to the folder `to`, which is made if it is missing. What is there is never
    /// replaced: one that differs is `OtherMaster`. Durable on return. Blocking.
    pub fn give_master(from: &Path, to: &Path) -> Result<Given, KeysError> {
        let (ours, theirs) = (from.join(master::FILE), to.join(master::FILE));
        let key = files::read(&ours)?.ok_or(KeysError::MasterMissing(ours))?;
        let was_there = files::read(&theirs)?;
        if was_there.is_none() {
            files::private_dir(to)?;
            files::create(&theirs, &key)?;
        }
        // Read again in any case: somebody else may have put one there meanwhile.
        match (files::read(&theirs)?, was_there) {
            (Some(there), _) if there != key => Err(KeysError::OtherMaster(theirs)),
            (_, None) => Ok(Given::Copied),
            (_, Some(_)) => Ok(Given::WasThere),
        }
    }

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
