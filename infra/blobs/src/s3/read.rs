//! Reading from S3: one request for all that is wanted, and another for the rest when it breaks off. All of them name
//! the tag that was seen first, so nobody gets a mix.
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;

use super::failure::{Doing, answered};
use super::write::random_name;
use super::{Bucket, patience};
use crate::error::io;
use crate::read::CHUNK_BYTES;
use crate::{BlobError, Head};

/// An object as it was when it was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    bucket: Arc<Bucket>,
    key: String,
    size: u64,
    etag: String,
}

pub(crate) struct Reader {
    object: Object,
    /// What is still to come from the server.
    part: Range<u64>,
    body: Option<ByteStream>,
    /// Has come, and was not given out yet.
    collected: BytesMut,
    /// Since when nothing has come although it was asked for.
    failing_since: Option<Instant>,
}

impl Object {
    pub fn of(bucket: Arc<Bucket>, head: &Head) -> Self {
        Self {
            bucket,
            key: head.key.clone(),
            size: head.size,
            etag: head.etag.clone(),
        }
    }

    pub async fn into_file(self) -> Result<File, BlobError> {
        let path = self.bucket.scratch_dir.join(format!("spool-{}", random_name()));
        let writing = File::create_new(&path).map_err(io("creating", &path))?;
        let reading = File::open(&path).map_err(io("opening", &path));
        std::fs::remove_file(&path).map_err(io("taking the name from", &path))?;
        let mut writing = tokio::fs::File::from_std(writing);
        let size = self.size;
        let mut reader = Reader::new(self, 0..size);
        while let Some(chunk) = reader.next().await {
            writing.write_all(&chunk?).await.map_err(io("writing", &path))?;
        }
        writing.flush().await.map_err(io("writing", &path))?;
        reading
    }

    async fn ask(&self, part: &Range<u64>) -> Result<ByteStream, BlobError> {
        let asked = self
            .bucket
            .client
            .get_object()
            .bucket(&self.bucket.name)
            .key(self.bucket.name_of(&self.key))
            .if_match(&self.etag);
        let is_whole = *part == (0..self.size);
        let asked = if is_whole {
            asked.checksum_mode(ChecksumMode::Enabled)
        } else {
            asked.range(format!("bytes={}-{}", part.start, part.end - 1))
        };
        match asked.send().await {
            Ok(answer) => Ok(answer.body),
            Err(error) => Err(match answered(&error) {
                // What was cut or replaced by something shorter, if a server looks at the range first.
                Some((416, _)) => BlobError::Changed {
                    key: self.key.clone(),
                },
                _ => self.doing().meaning(&error),
            }),
        }
    }

    fn doing(&self) -> Doing<'_> {
        Doing {
            what: "reading",
            key: &self.key,
        }
    }
}

impl Reader {
    /// Asks nobody yet.
    pub fn new(object: Object, part: Range<u64>) -> Self {
        Self {
            object,
            part,
            body: None,
            collected: BytesMut::new(),
            failing_since: None,
        }
    }

    pub async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        while (self.collected.len() as u64) < CHUNK_BYTES && !self.part.is_empty() {
            if let Err(error) = self.more().await {
                self.part = 0..0;
                self.collected.clear();
                return Some(Err(error));
            }
        }
        let length = self
            .collected
            .len()
            .min(usize::try_from(CHUNK_BYTES).expect("a chunk fits into memory"));
        (length > 0).then(|| Ok(self.collected.split_to(length).freeze()))
    }

    /// Waits for the next bytes, asking again if they do not come.
    async fn more(&mut self) -> Result<(), BlobError> {
        let trouble = match self.once().await {
            Ok(()) => {
                self.failing_since = None;
                return Ok(());
            }
            Err(BlobError::Unavailable { doing, cause }) => BlobError::Unavailable { doing, cause },
            Err(final_word) => return Err(final_word),
        };
        self.body = None;
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= patience::BEFORE_GIVING_UP {
            return Err(trouble);
        }
        tracing::debug!(error = %trouble, "asking again for the rest of an object");
        tokio::time::sleep(patience::BETWEEN_QUESTIONS).await;
        Ok(())
    }

    async fn once(&mut self) -> Result<(), BlobError> {
        if self.body.is_none() {
            self.body = Some(self.object.ask(&self.part).await?);
        }
        let body = self.body.as_mut().expect("there is one now");
        let bytes = match tokio::time::timeout(patience::WITHOUT_A_BYTE, body.next()).await {
            Ok(Some(Ok(bytes))) => bytes,
            Ok(Some(Err(error))) => return Err(self.broken(&error.to_string())),
            Ok(None) => return Err(self.broken("the answer was too short")),
            Err(_) => return Err(self.broken("nothing came for some seconds")),
        };
        let is_last = bytes.len() as u64 >= self.part.end - self.part.start;
        if is_last {
            // Only the end tells whether it was what the server once took; asked again, it would not tell.
            match tokio::time::timeout(patience::WITHOUT_A_BYTE, body.next()).await {
                Ok(None) => {}
                Ok(Some(Ok(_))) => return Err(self.damaged("it is longer than it was")),
                Ok(Some(Err(error))) => return Err(self.damaged(error)),
                Err(_) => return Err(self.broken("the answer did not end")),
            }
        }
        self.part.start += bytes.len() as u64;
        self.collected.extend_from_slice(&bytes);
        Ok(())
    }

    fn damaged(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BlobError {
        BlobError::Io {
            doing: format!("reading {}: what came is not what was written", self.object.key),
            source: std::io::Error::new(ErrorKind::InvalidData, cause),
        }
    }

    fn broken(&self, cause: &str) -> BlobError {
        BlobError::Unavailable {
            doing: format!("reading {}", self.object.key),
            cause: cause.to_owned(),
        }
    }
}
