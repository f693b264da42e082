//! The handle: objects by key, wherever they are kept.
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::disk::Disk;
use crate::read::Source;
use crate::s3::Bucket;
use crate::write::Writer;
use crate::{
    BlobError, BlobReader, BlobWriter, Cors, Direct, Durability, Head, Opened, S3Settings, Settings, Stored,
    disk, key, s3,
};

/// The handle. Clones share the same store.
#[derive(Clone)]
pub struct Blobs(Backend);

#[derive(Clone)]
enum Backend {
    Disk(Arc<Disk>),
    S3(Arc<Bucket>),
}

impl Blobs {
    /// Objects on the local disk. Blocking. Removes what writers of an earlier process left unfinished.
    pub fn open(settings: Settings) -> Result<Self, BlobError> {
        Ok(Self(Backend::Disk(Disk::open(settings)?)))
    }

    /// Objects in a bucket of an S3 server. Checks first that it can be written and read: `Setup` says in one line
    /// what is wrong and what to do.
    pub async fn s3(settings: S3Settings) -> Result<Self, BlobError> {
        let bucket = Bucket::connect(settings)?;
        bucket.check().await?;
        Ok(Self(Backend::S3(bucket)))
    }

    /// Begins an object. What is at `key` stays readable until [`BlobWriter::finish`] replaces it.
    /// Errors: `InvalidKey`, `Full`, `Io`.
    pub async fn put_stream(&self, key: &str, durability: Durability) -> Result<BlobWriter, BlobError> {
        key::check(key)?;
        let key = key.to_owned();
        Ok(BlobWriter(match &self.0 {
            Backend::Disk(disk) => Writer::Disk(disk::Writer::begin(disk.clone(), key, durability).await?),
            Backend::S3(bucket) => Writer::S3(Box::new(s3::Writer::begin(bucket.clone(), key))),
        }))
    }

    /// Writes a small object at once, replacing what was there.
    pub async fn put(&self, key: &str, bytes: Bytes, durability: Durability) -> Result<Stored, BlobError> {
        let mut writer = self.put_stream(key, durability).await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// Errors: `NotFound`, `InvalidKey`, `Io`, `Unavailable`, `Refused`.
    pub async fn open_file(&self, key: &str) -> Result<Opened, BlobError> {
        key::check(key)?;
        let (head, source) = match &self.0 {
            Backend::Disk(disk) => {
                let (head, file) = disk.open_object(key).await?;
                (head, Source::Disk(file))
            }
            Backend::S3(bucket) => {
                let head = bucket.head(key).await?;
                let object = s3::Object::of(bucket.clone(), &head);
                (head, Source::S3(object))
            }
        };
        Ok(Opened {
            size: head.size,
            etag: head.etag,
            source,
        })
    }

    /// The object, or the part of it, in memory: for small ones. A range past the end is cut to what there is.
    pub async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Bytes, BlobError> {
        let mut reader = self.read_stream(key, range).await?;
        let mut whole = BytesMut::with_capacity(usize::try_from(reader.size).unwrap_or(0));
        while let Some(chunk) = reader.next().await {
            whole.extend_from_slice(&chunk.map_err(|error| BlobError::reading(key, error))?);
        }
        Ok(whole.freeze())
    }

    /// The object, or the part of it, in chunks. To look at size and tag first: `open_file`, then `Opened::reader`.
    pub async fn read_stream(&self, key: &str, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        Ok(self.open_file(key).await?.reader(range))
    }

    /// Size, time and tag of an object. Errors: `NotFound`, `InvalidKey`, `Io`, `Unavailable`, `Refused`.
    pub async fn head(&self, key: &str) -> Result<Head, BlobError> {
        key::check(key)?;
        match &self.0 {
            Backend::Disk(disk) => disk.head(key).await,
            Backend::S3(bucket) => bucket.head(key).await,
        }
    }

    /// At most `limit` objects whose keys start with `prefix` (which may end anywhere, or be empty) and come after
    /// `after`, by the bytes of their keys. Objects that come and go meanwhile may be in it or not.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Head>, BlobError> {
        match &self.0 {
            Backend::Disk(disk) => disk.list(prefix, after, limit).await,
            Backend::S3(bucket) => bucket.list(prefix, after, limit).await,
        }
    }

    /// Makes objects that were written lazily durable (on S3 they are already). `NotFound` when one is not there.
    pub async fn sync(&self, keys: &[String]) -> Result<(), BlobError> {
        keys.iter().try_for_each(|key| key::check(key))?;
        match &self.0 {
            Backend::Disk(disk) => disk.sync(keys).await,
            Backend::S3(bucket) => bucket.sync(keys).await,
        }
    }

    /// Copies an object without its bytes passing through here where the store can do it; durable when it returns.
    /// S3 servers copy at most 5 GiB at once and refuse more.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), BlobError> {
        key::check(from)?;
        key::check(to)?;
        if from == to {
            // S3 refuses this.
            return self.head(from).await.map(drop);
        }
        match &self.0 {
            Backend::Disk(disk) => disk.copy(from, to).await.map(drop),
            Backend::S3(bucket) => bucket.copy(from, to).await,
        }
    }

    /// Removes an object; quiet when there is none. Who has it open reads on; on S3 that may fail.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        key::check(key)?;
        match &self.0 {
            Backend::Disk(disk) => disk.delete(key).await,
            Backend::S3(bucket) => bucket.delete(key).await,
        }
    }

    /// Removes all objects whose keys start with `prefix`, which ends with `/`. On a disk they disappear together; on
    /// S3 a thousand at a time, and after an error some may be left: ask again.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<(), BlobError> {
        let folder = key::check_folder(prefix)?;
        match &self.0 {
            Backend::Disk(disk) => disk.delete_folder(folder).await,
            Backend::S3(bucket) => bucket.delete_prefix(prefix).await,
        }
    }

    /// Takes away what writers that died left behind and that is older than this; says how much it was. On a disk
    /// [`Blobs::open`] has done it.
    pub async fn sweep(&self, older_than: Duration) -> Result<usize, BlobError> {
        match &self.0 {
            Backend::Disk(_) => Ok(0),
            Backend::S3(bucket) => bucket.sweep(older_than).await,
        }
    }

    /// Bytes that can still be written to the disk; `None` where nobody knows an end, as on S3. Blocks for
    /// microseconds.
    pub fn free_bytes(&self) -> Result<Option<u64>, BlobError> {
        match &self.0 {
            Backend::Disk(disk) => disk.free_bytes().map(Some),
            Backend::S3(_) => Ok(None),
        }
    }

    /// Whether the store answers, within two seconds or so.
    pub async fn ready(&self) -> Result<(), BlobError> {
        match &self.0 {
            Backend::Disk(disk) => disk.free_bytes().map(drop),
            Backend::S3(bucket) => bucket.ready().await,
        }
    }

    /// Addresses at which others reach objects without us; `Unsupported` on a disk, whose signed addresses are the
    /// gateway's ([`crate::UrlSigner`]).
    pub fn direct(&self) -> Result<Direct, BlobError> {
        match &self.0 {
            Backend::Disk(_) => Err(BlobError::Unsupported("addresses of its own for objects")),
            Backend::S3(bucket) => Ok(Direct::of(bucket.clone())),
        }
    }

    /// Where the object is for everybody, below `cdn_url`; `None` when that is not set, and on a disk.
    pub fn public_url(&self, key: &str) -> Option<String> {
        match &self.0 {
            Backend::Disk(_) => None,
            Backend::S3(bucket) => bucket.public_url(key),
        }
    }

    /// Lets pages of these origins (`https://example.org`, or `*`) read and write by the addresses of
    /// [`Blobs::direct`], and nobody else's. A store that cannot be told is no error: see [`Cors`].
    pub async fn ensure_cors(&self, origins: &[String]) -> Result<Cors, BlobError> {
        match &self.0 {
            Backend::Disk(_) => Ok(Cors::OfTheGateway),
            Backend::S3(bucket) => bucket.ensure_cors(origins).await,
        }
    }
}
