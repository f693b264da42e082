//! Reading a file: open, it stays readable as it is when it is replaced or deleted.
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::disk::list::head_of;
use crate::disk::{Disk, not_found};
use crate::error::{blocking, io};
use crate::read::CHUNK_BYTES;
use crate::{BlobError, Head};

/// What is left to read of an open file.
pub struct Reader {
    file: Arc<File>,
    position: u64,
    left: u64,
}

impl Disk {
    pub async fn open_object(self: &Arc<Self>, key: &str) -> Result<(Head, File), BlobError> {
        let (disk, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let path = disk.path(&key);
            let file = File::open(&path).map_err(not_found(&key, "opening", &path))?;
            let found = file.metadata().map_err(io("looking at", &path))?;
            if found.is_file() {
                Ok((head_of(key, &found), file))
            } else {
                Err(BlobError::NotFound { key })
            }
        })
        .await
    }

    pub async fn head(self: &Arc<Self>, key: &str) -> Result<Head, BlobError> {
        let (disk, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let path = disk.path(&key);
            let found = std::fs::metadata(&path).map_err(not_found(&key, "looking at", &path))?;
            if found.is_file() {
                Ok(head_of(key, &found))
            } else {
                Err(BlobError::NotFound { key })
            }
        })
        .await
    }
}

impl Reader {
    pub fn new(file: File, part: Range<u64>) -> Self {
        Self {
            file: Arc::new(file),
            position: part.start,
            left: part.end - part.start,
        }
    }

    pub async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        if self.left == 0 {
            return None;
        }
        let (file, position, length) = (self.file.clone(), self.position, self.left.min(CHUNK_BYTES));
        let read = spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(length).expect("a chunk fits into memory")];
            // An object is never cut, so running out of bytes is damage and not the end.
            file.read_exact_at(&mut bytes, position)
                .map(|()| Bytes::from(bytes))
        });
        let read = read
            .await
            .unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)));
        match &read {
            Ok(_) => {
                self.position += length;
                self.left -= length;
            }
            Err(_) => self.left = 0,
        }
        Some(read)
    }
}
