//! The handle to all views: opens, lists and drops their versions.
use std::path::PathBuf;

use crate::cql::Keyspace;
use crate::embedded::Folder;
use crate::{CqlSettings, TablesError, ViewTables};

/// All tables of a node or a cluster. Clones share what is open.
#[derive(Clone)]
pub struct Tables(Backend);

#[derive(Clone)]
enum Backend {
    Embedded(Folder),
    Cql(Keyspace),
}

impl Tables {
    /// The tables below `dir`, which is made if it is missing. No file is opened yet.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, TablesError> {
        Ok(Self(Backend::Embedded(Folder::open(dir)?)))
    }

    /// The tables in a keyspace of a CQL server, which is laid out if it is missing. Returns once the server has answered;
    /// `TablesError::Setup` and `TablesError::Unavailable` say in one line what is wrong.
    pub fn cql(settings: CqlSettings) -> Result<Self, TablesError> {
        Ok(Self(Backend::Cql(Keyspace::open(settings)?)))
    }

    /// Opens or creates a version of a view; the same one while it is open. See `ViewTables::opened` for what was found.
    pub fn view(&self, name: &str, version: u32) -> Result<ViewTables, TablesError> {
        match &self.0 {
            Backend::Embedded(folder) => folder.view(name, version).map(ViewTables::embedded),
            Backend::Cql(keyspace) => keyspace.view(name, version).map(ViewTables::cql),
        }
    }

    /// The versions of a view that are stored, ascending. One whose dropping was cut short is among them.
    pub fn versions(&self, name: &str) -> Result<Vec<u32>, TablesError> {
        match &self.0 {
            Backend::Embedded(folder) => folder.versions(name),
            Backend::Cql(keyspace) => keyspace.versions(name),
        }
    }

    /// The views of which there is any version, by name.
    pub fn views(&self) -> Result<Vec<String>, TablesError> {
        match &self.0 {
            Backend::Embedded(folder) => folder.views(),
            Backend::Cql(keyspace) => keyspace.views(),
        }
    }

    /// Removes a version; quiet when there is none. Handles to it that are still around answer `Dropped`. One that was cut
    /// short is finished by calling it again.
    pub fn drop_version(&self, name: &str, version: u32) -> Result<(), TablesError> {
        match &self.0 {
            Backend::Embedded(folder) => folder.drop_version(name, version),
            Backend::Cql(keyspace) => keyspace.drop_version(name, version),
        }
    }
}
