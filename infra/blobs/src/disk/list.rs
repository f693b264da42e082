//! Listing objects in the order of their keys, page by page.
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::{blocking, io};
use crate::{BlobError, Head};

/// The tag is of size, time and place on the disk, so it changes whenever the object is written (the place alone tells
/// two writes within one tick of the clock apart: the new file is made before the old one goes).
pub(super) fn head_of(key: String, found: &Metadata) -> Head {
    let (size, seconds, nanoseconds) = (found.size(), found.mtime(), found.mtime_nsec());
    let modified_ms = seconds
        .saturating_mul(1_000)
        .saturating_add(nanoseconds / 1_000_000);
    let etag = format!("\"{size:x}-{seconds:x}{nanoseconds:08x}-{:x}\"", found.ino());
    Head {
        key,
        size,
        modified_ms,
        etag,
    }
}

impl Disk {
    pub async fn list(
        self: &Arc<Self>,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Head>, BlobError> {
        let disk = self.clone();
        let (prefix, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        blocking(move || {
            let mut walk = Walk {
                prefix: &prefix,
                after: &after,
                limit,
                found: Vec::new(),
            };
            walk.folder(&disk.objects, "")?;
            Ok(walk.found)
        })
        .await
    }
}

struct Walk<'a> {
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    found: Vec<Head>,
}

impl Walk<'_> {
    /// `above` is the key of the folder with its slash, empty for the top.
    fn folder(&mut self, folder: &Path, above: &str) -> Result<(), BlobError> {
        for (key, path) in self.entries(folder, above)? {
            if self.found.len() >= self.limit {
                return Ok(());
            }
            if key.ends_with('/') {
                self.folder(&path, &key)?;
                continue;
            }
            match std::fs::metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => self
                    .found
                    .push(head_of(key, &found.map_err(io("looking at", &path))?)),
            }
        }
        Ok(())
    }

    /// What may hold keys that are asked for, sorted. With its slash a folder sorts where its keys belong.
    fn entries(&self, folder: &Path, above: &str) -> Result<Vec<(String, std::path::PathBuf)>, BlobError> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io("listing", folder))?,
        };
        let mut wanted = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io("listing", folder))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let slash = if is_folder { "/" } else { "" };
            let key = format!("{above}{}{slash}", entry.file_name().to_string_lossy());
            if self.wants(&key, is_folder) {
                wanted.push((key, entry.path()));
            }
        }
        wanted.sort_unstable();
        Ok(wanted)
    }

    fn wants(&self, key: &str, is_folder: bool) -> bool {
        let matches = key.starts_with(self.prefix) || (is_folder && self.prefix.starts_with(key));
        let follows = key > self.after || (is_folder && self.after.starts_with(key));
        matches && follows
    }
}
