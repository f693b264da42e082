//! All versions of all views below one folder: opened, listed and dropped.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{check_name, io};
use crate::{Opened, TablesError};

use super::View;
use super::file;

/// All tables below one folder: `<dir>/<view>/v<version>.db`. Clones share what is open. One process at a time: the
/// lock of the data directory sees to that.
#[derive(Clone)]
pub(crate) struct Folder(Arc<Shared>);

struct Shared {
    dir: PathBuf,
    open: Mutex<HashMap<(String, u32), View>>,
}

impl Folder {
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, TablesError> {
        let dir = dir.into();
        std::fs::create_dir_all(&dir).map_err(io("creating", &dir))?;
        Ok(Self(Arc::new(Shared {
            dir,
            open: Mutex::default(),
        })))
    }

    /// A file that cannot be used is moved aside, and the version starts empty.
    pub fn view(&self, name: &str, version: u32) -> Result<View, TablesError> {
        check_name(name)?;
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = open.get(&(name.to_owned(), version)) {
            return Ok(view.clone());
        }
        let path = self.path(name, version);
        let dir = path.parent().expect("a version lies in the folder of its view");
        std::fs::create_dir_all(dir).map_err(io("creating", dir))?;
        file::sync_dir(dir)?;
        let view = View::open(name, version, path)?;
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

    pub fn views(&self) -> Result<Vec<String>, TablesError> {
        let mut views = names(&self.0.dir)?;
        views.retain(|name| check_name(name).is_ok());
        views.sort_unstable();
        Ok(views)
    }

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
