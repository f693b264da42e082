//! The handle to all views: opens, lists and drops their versions.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{check_name, io};
use crate::{Opened, TablesError, ViewTables, file};

/// All tables below one folder: `<dir>/<view>/v<version>.db`. Clones share what is open. One process at a time: the
/// lock of the data directory sees to that.
#[derive(Clone)]
pub struct Tables(Arc<Shared>);

struct Shared {
    dir: PathBuf,
    open: Mutex<HashMap<(String, u32), ViewTables>>,
}

impl Tables {
    /// Takes `dir`, making it if it is missing. No file is opened yet.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, TablesError> {
        let dir = dir.into();
        std::fs::create_dir_all(&dir).map_err(io("creating", &dir))?;
        Ok(Self(Arc::new(Shared {
            dir,
            open: Mutex::default(),
        })))
    }

    /// Opens or creates a version of a view; the same one while it is open. See `ViewTables::opened` for what was
    /// found: a file that cannot be used is moved aside, and the version starts empty.
    pub fn view(&self, name: &str, version: u32) -> Result<ViewTables, TablesError> {
        check_name(name)?;
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = open.get(&(name.to_owned(), version)) {
            return Ok(view.clone());
        }
        let path = self.path(name, version);
        let dir = path.parent().expect("a version lies in the folder of its view");
        std::fs::create_dir_all(dir).map_err(io("creating", dir))?;
        file::sync_dir(dir)?;
        let view = ViewTables::open(name, version, path)?;
        if let Opened::Replaced { reason, .. } = view.opened() {
            tracing::warn!(
                view = name,
                version,
                reason,
                "tables could not be used and start empty"
            );
        }
        open.insert((name.to_owned(), version), view.clone());
        Ok(view)
    }

    /// The versions of a view on disk, ascending.
    pub fn versions(&self, name: &str) -> Result<Vec<u32>, TablesError> {
        check_name(name)?;
        let of_file = |file: &str| file.strip_prefix('v')?.strip_suffix(".db")?.parse().ok();
        let mut versions: Vec<u32> = names(&self.0.dir.join(name))?
            .iter()
            .filter_map(|file| of_file(file))
            .collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// The views of which there is any version, by name.
    pub fn views(&self) -> Result<Vec<String>, TablesError> {
        let mut views = names(&self.0.dir)?;
        views.retain(|name| check_name(name).is_ok());
        views.sort_unstable();
        Ok(views)
    }

    /// Removes a version; quiet when there is none. Handles to it that are still around answer `Dropped`.
    pub fn drop_version(&self, name: &str, version: u32) -> Result<(), TablesError> {
        check_name(name)?;
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(name, version);
        match open.remove(&(name.to_owned(), version)) {
            Some(view) => view.drop_files(),
            None if path.parent().is_some_and(Path::exists) => file::remove(&path),
            None => Ok(()),
        }
    }

    fn path(&self, name: &str, version: u32) -> PathBuf {
        self.0.dir.join(name).join(format!("v{version}.db"))
    }
}

/// The entries of a folder, none when it is missing.
fn names(dir: &Path) -> Result<Vec<String>, TablesError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io("listing", dir))?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names.collect::<Result<_, _>>().map_err(io("listing", dir))
}
