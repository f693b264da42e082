//! The local disk as an object store: `objects/` holds the objects, `temporary/` those being written.
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use crate::BlobError;
use crate::error::{blocking, io};

mod list;
mod read;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::Writer;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Made if it is missing.
    pub dir: PathBuf,
    /// Writes are refused as `Full` while the disk has less room than this.
    pub min_free_bytes: u64,
}

pub(crate) struct Disk {
    pub objects: PathBuf,
    pub temporary: PathBuf,
    pub min_free_bytes: u64,
    /// Read by whoever makes folders and puts a file in them, written by whoever removes folders.
    pub folders: RwLock<()>,
    /// Held while the handle lives, so that another process does not take our temporary files for left-overs.
    _lock: File,
}

impl Disk {
    /// Blocking. Removes what writers of an earlier process left unfinished.
    pub fn open(settings: Settings) -> Result<Arc<Self>, BlobError> {
        let Settings { dir, min_free_bytes } = settings;
        let (objects, temporary) = (dir.join("objects"), dir.join("temporary"));
        for folder in [&objects, &temporary] {
            std::fs::create_dir_all(folder).map_err(io("creating", folder))?;
        }
        for folder in dir
            .parent()
            .into_iter()
            .filter(|parent| !parent.as_os_str().is_empty())
            .chain([dir.as_path()])
        {
            sync(folder)?;
        }
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(io("creating", &path))?;
        match lock.try_lock() {
            Ok(()) => sweep(&temporary)?,
            Err(TryLockError::WouldBlock) => {
                tracing::warn!(dir = %dir.display(), "another handle has these objects open; leaving its temporary files");
            }
            Err(TryLockError::Error(error)) => return Err(io("locking", &path)(error)),
        }
        Ok(Arc::new(Self {
            objects,
            temporary,
            min_free_bytes,
            folders: RwLock::new(()),
            _lock: lock,
        }))
    }

    pub async fn sync(self: &Arc<Self>, keys: &[String]) -> Result<(), BlobError> {
        let (disk, keys) = (self.clone(), keys.to_vec());
        blocking(move || {
            let mut folders = std::collections::BTreeSet::new();
            for key in &keys {
                let path = disk.path(key);
                let file = File::open(&path).map_err(not_found(key, "opening", &path))?;
                file.sync_all().map_err(io("syncing", &path))?;
                // New folders between are new entries of their own parents.
                folders.extend(disk.folders_of(&path).map(Path::to_owned));
            }
            folders.iter().try_for_each(|folder| sync(folder))
        })
        .await
    }

    pub async fn delete(self: &Arc<Self>, key: &str) -> Result<(), BlobError> {
        let (disk, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let path = disk.path(&key);
            match std::fs::remove_file(&path) {
                Err(error) if !is_absent(&error) => Err(io("removing", &path)(error)),
                _ => disk.settle_removal(&path),
            }
        })
        .await
    }

    /// All of it disappears at once.
    pub async fn delete_folder(self: &Arc<Self>, folder: &str) -> Result<(), BlobError> {
        let (disk, folder) = (self.clone(), folder.to_owned());
        blocking(move || {
            let path = disk.path(&folder);
            let doomed = disk.temporary.join(write::temporary_name());
            // With the slash at its end this is never an object that happens to have the name.
            let renamed = {
                let _alone = disk.removing_folders();
                std::fs::rename(path.join(""), &doomed)
            };
            match renamed {
                Err(error) if is_absent(&error) => return Ok(()),
                moved => moved.map_err(io("removing", &path))?,
            }
            disk.settle_removal(&path)?;
            remove_any(&doomed)
        })
        .await
    }

    pub fn path(&self, key: &str) -> PathBuf {
        self.objects.join(key)
    }

    pub fn free_bytes(&self) -> Result<u64, BlobError> {
        let found = rustix::fs::statvfs(&self.objects)
            .map_err(|error| io("looking at", &self.objects)(error.into()))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    pub fn check_room(&self) -> Result<(), BlobError> {
        if self.free_bytes()? < self.min_free_bytes {
            Err(BlobError::Full)
        } else {
            Ok(())
        }
    }

    /// The folders that hold `path`, the nearest first, `objects` the last.
    pub fn folders_of<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Path> {
        path.ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&self.objects))
    }

    fn removing_folders(&self) -> RwLockWriteGuard<'_, ()> {
        self.folders.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the folders that a removal left empty, and makes the removal last through a power cut.
    fn settle_removal(&self, path: &Path) -> Result<(), BlobError> {
        let alone = self.removing_folders();
        let is_left = |folder: &&Path| **folder == self.objects || std::fs::remove_dir(folder).is_err();
        let left = self.folders_of(path).find(is_left).unwrap_or(&self.objects);
        let left = File::open(left).map(|folder| (folder, left));
        drop(alone);
        match left {
            // Somebody else removed it already, and syncs what is left.
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(io("opening", path)(error)),
            Ok((folder, left)) => folder.sync_all().map_err(io("syncing", left)),
        }
    }
}

/// A part of the path being an object means that nothing is below it, and a folder is no object.
pub(crate) fn is_absent(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

pub(crate) fn not_found(
    key: &str,
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> BlobError {
    move |error| {
        if is_absent(&error) {
            BlobError::NotFound { key: key.to_owned() }
        } else {
            io(doing, path)(error)
        }
    }
}

pub(crate) fn sync(folder: &Path) -> Result<(), BlobError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("syncing", folder))
}

fn sweep(temporary: &Path) -> Result<(), BlobError> {
    for entry in std::fs::read_dir(temporary).map_err(io("listing", temporary))? {
        let path = entry.map_err(io("listing", temporary))?.path();
        remove_any(&path)?;
    }
    Ok(())
}

fn remove_any(path: &Path) -> Result<(), BlobError> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("removing", path)(error)),
        _ => Ok(()),
    }
}
