//! Reading an object: as a file for a child process, as bytes, or as a stream of chunks for an answer.
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::task::spawn_blocking;

use crate::disk::{Disk, not_found};
use crate::error::{blocking, io};
use crate::list::{Head, head_of};
use crate::{BlobError, Blobs, key};

const CHUNK_BYTES: u64 = 256 << 10;

/// An object open for reading; it stays readable as it is when the object is replaced or deleted.
#[derive(Debug)]
pub struct Opened {
    pub size: u64,
    pub etag: String,
    /// Read-only, at the start.
    pub file: File,
}

/// Chunks of an object, or of a part of it.
pub struct BlobReader {
    /// Bytes still to come.
    pub size: u64,
    file: Arc<File>,
    position: u64,
}

impl Blobs {
    /// Errors: `NotFound`, `InvalidKey`, `Io`.
    pub async fn open_file(&self, key: &str) -> Result<Opened, BlobError> {
        key::check(key)?;
        let (disk, key) = (self.disk().clone(), key.to_owned());
        blocking(move || open(&disk, &key)).await
    }

    /// The object, or the part of it, in memory: for small ones. A range past the end is cut to what there is.
    pub async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Bytes, BlobError> {
        key::check(key)?;
        let (disk, key) = (self.disk().clone(), key.to_owned());
        blocking(move || {
            let opened = open(&disk, &key)?;
            let Range { start, end } = within(range, opened.size);
            let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(usize::MAX)];
            opened
                .file
                .read_exact_at(&mut bytes, start)
                .map_err(io("reading", &disk.path(&key)))?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    /// The object, or the part of it, in chunks. To look at size and tag first: `open_file`, then `Opened::reader`.
    pub async fn read_stream(&self, key: &str, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        Ok(self.open_file(key).await?.reader(range))
    }

    /// Size, time and tag of an object. Errors: `NotFound`, `InvalidKey`, `Io`.
    pub async fn head(&self, key: &str) -> Result<Head, BlobError> {
        key::check(key)?;
        let (disk, key) = (self.disk().clone(), key.to_owned());
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

impl Opened {
    /// A range past the end is cut to what there is.
    pub fn reader(self, range: Option<Range<u64>>) -> BlobReader {
        let Range { start, end } = within(range, self.size);
        BlobReader {
            size: end - start,
            file: Arc::new(self.file),
            position: start,
        }
    }
}

impl BlobReader {
    /// The next chunk of at most 256 KiB; `None` at the end. Not cancel safe: a chunk may be read twice, never lost.
    pub async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        if self.size == 0 {
            return None;
        }
        let (file, position, length) = (self.file.clone(), self.position, self.size.min(CHUNK_BYTES));
        let read = spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(length).expect("a chunk fits into memory")];
            // An object is never cut, so running out of bytes is damage and not the end.
            file.read_exact_at(&mut bytes, position)
                .map(|()| Bytes::from(bytes))
        });
        match read
            .await
            .unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
        {
            Ok(bytes) => {
                self.position += length;
                self.size -= length;
                Some(Ok(bytes))
            }
            Err(error) => {
                self.size = 0;
                Some(Err(error))
            }
        }
    }

    /// The chunks as the body of an answer takes them.
    pub fn into_stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        stream::unfold(self, async |mut reader| {
            reader.next().await.map(|chunk| (chunk, reader))
        })
    }
}

fn open(disk: &Disk, key: &str) -> Result<Opened, BlobError> {
    let path = disk.path(key);
    let file = File::open(&path).map_err(not_found(key, "opening", &path))?;
    let found = file.metadata().map_err(io("looking at", &path))?;
    if !found.is_file() {
        return Err(BlobError::NotFound { key: key.to_owned() });
    }
    let Head { etag, .. } = head_of(key.to_owned(), &found);
    Ok(Opened {
        size: found.size(),
        etag,
        file,
    })
}

fn within(range: Option<Range<u64>>, size: u64) -> Range<u64> {
    let Range { start, end } = range.unwrap_or(0..size);
    let end = end.min(size);
    start.min(end)..end
}
