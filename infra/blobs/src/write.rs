//! Writing an object, chunk by chunk: it appears whole when finished, or not at all.
use bytes::Bytes;

use crate::{BlobError, disk, s3};

/// When an object is safe from a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When `finish` or `put` returns.
    Durable,
    /// When [`Blobs::sync`] returns for it; until then a power cut may leave it out, empty or cut. For what can be
    /// made again, or is made durable many at a time.
    Lazy,
}

/// An object being written. Dropped before [`BlobWriter::finish`], it leaves nothing behind.
pub struct BlobWriter(pub(crate) Writer);

pub(crate) enum Writer {
    Disk(disk::Writer),
    S3(Box<s3::Writer>),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub key: String,
    pub size: u64,
    pub sha256: [u8; 32],
}

/// A strong entity tag for content whose hash is known, in its quotes.
pub fn etag_of(sha256: &[u8; 32]) -> String {
    let digits: String = sha256[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

impl BlobWriter {
    /// Adds a chunk. Waits only while the disk is behind by more than a megabyte, or S3 by two parts. After an error
    /// the object is lost, and what was stored of it is taken away. Errors: `Full`, `Io`, `Unavailable`, `Refused`.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), BlobError> {
        match &mut self.0 {
            Writer::Disk(writer) => writer.write(chunk).await,
            Writer::S3(writer) => writer.write(chunk).await,
        }
    }

    /// Bytes taken so far.
    pub fn written(&self) -> u64 {
        match &self.0 {
            Writer::Disk(writer) => writer.written(),
            Writer::S3(writer) => writer.written(),
        }
    }

    /// Puts the object in its place, all of it at once. When this is cancelled, it may happen or not; the same is so
    /// after `Unavailable`. Errors: as for writing, and `InvalidKey` when the key is a folder of other keys or below
    /// an object (which not every S3 server minds).
    pub async fn finish(self) -> Result<Stored, BlobError> {
        match self.0 {
            Writer::Disk(writer) => writer.finish().await,
            Writer::S3(writer) => writer.finish().await,
        }
    }

    /// Gives the object up, and returns once nothing is left of it. Dropping does the same a little later.
    pub async fn abort(self) {
        match self.0 {
            Writer::Disk(writer) => writer.abort().await,
            Writer::S3(writer) => writer.abort().await,
        }
    }
}
