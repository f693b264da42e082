//! Reading an object: as a file for a child process, as bytes, or as a stream of chunks for an answer.
use std::fs::File;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{self, Stream};

use crate::{BlobError, disk, s3};

/// What [`BlobReader::next`] gives at most.
pub(crate) const CHUNK_BYTES: u64 = 256 << 10;

/// An object open for reading: never a mix of two, whatever happens to it meanwhile. On a disk it stays readable as it
/// is when it is replaced or deleted; on S3 reading on may then fail.
#[derive(Debug)]
pub struct Opened {
    pub size: u64,
    /// Strong, in its quotes.
    pub etag: String,
    pub(crate) source: Source,
}

#[derive(Debug)]
pub(crate) enum Source {
    Disk(File),
    S3(s3::Object),
}

/// Chunks of an object, or of a part of it.
pub struct BlobReader {
    /// Bytes still to come.
    pub size: u64,
    inner: Reader,
}

enum Reader {
    Disk(disk::Reader),
    S3(Box<s3::Reader>),
}

impl Opened {
    /// A range past the end is cut to what there is.
    pub fn reader(self, range: Option<Range<u64>>) -> BlobReader {
        let part = within(range, self.size);
        BlobReader {
            size: part.end - part.start,
            inner: match self.source {
                Source::Disk(file) => Reader::Disk(disk::Reader::new(file, part)),
                Source::S3(object) => Reader::S3(Box::new(s3::Reader::new(object, part))),
            },
        }
    }

    /// The object as a file, read-only and at its start, for a program that needs one. From S3 it is fetched first,
    /// whole, into a file without a name that is gone when it is closed.
    /// Errors: `Full`, `Io`, and on S3 what reading may say.
    pub async fn into_file(self) -> Result<File, BlobError> {
        match self.source {
            Source::Disk(file) => Ok(file),
            Source::S3(object) => object.into_file().await,
        }
    }
}

impl BlobReader {
    /// The next chunk of at most 256 KiB; `None` at the end and after an error, which has the [`BlobError`] of S3 as its
    /// source. Not cancel safe: a chunk may be read twice, never lost.
    pub async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        let chunk = match &mut self.inner {
            Reader::Disk(reader) => reader.next().await,
            Reader::S3(reader) => reader
                .next()
                .await
                .map(|chunk| chunk.map_err(std::io::Error::other)),
        };
        match &chunk {
            Some(Ok(bytes)) => self.size -= bytes.len() as u64,
            Some(Err(_)) | None => self.size = 0,
        }
        chunk
    }

    /// The chunks as the body of an answer takes them.
    pub fn into_stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        stream::unfold(self, async |mut reader| {
            reader.next().await.map(|chunk| (chunk, reader))
        })
    }
}

fn within(range: Option<Range<u64>>, size: u64) -> Range<u64> {
    let Range { start, end } = range.unwrap_or(0..size);
    let end = end.min(size);
    start.min(end)..end
}
