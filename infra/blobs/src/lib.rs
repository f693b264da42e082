//! Large objects: on the local disk with signed, expiring URLs and range reads, or in a bucket of an S3 server.
//!
//! [`Blobs`] is one handle over both, and both pass the same suite (`tests/it/contract.rs`). An object is written beside
//! its place and put there whole: nobody ever reads half of one, and what a crash leaves behind is taken away later.
//!
//! What differs on S3:
//! - **Durable at once.** The store acknowledges only what it keeps, so [`Durability::Lazy`] costs the same, and
//!   [`Blobs::sync`] only looks whether the objects are there.
//! - **Old readers may fail.** A reader of an object that is replaced or deleted meanwhile goes on with what it has on
//!   the way, and then fails (`Changed`, `NotFound`) instead of reading on; it never gives a mix of two objects.
//! - **Folders are no promise.** A key that is also the folder of another is refused by servers that keep files
//!   (versitygw), and taken by others (MinIO). Ours never are.
//! - **Deleting a prefix takes time** and can stop half-way; asking again goes on. In a bucket with versions, what is
//!   deleted stays as an old version until a life cycle rule ends it.
//! - **No free space to look at**: [`Blobs::free_bytes`] is `None`. A store that is full says so when it is written to.
//! - **Left-overs** are parts of uploads that nobody finished: [`Blobs::sweep`] takes them away after a while.
//! - **It can be away.** Small requests are tried for about ten seconds, then they are `Unavailable`; a reader asks on
//!   from where it was. The handle needs no reopening.
//! - **A tag is of the content**, so writing the same again leaves it as it was. It is the store's own and not made from
//!   our SHA-256: that is known only at the end of an upload, when S3 takes no more metadata.
mod blobs;
mod disk;
mod error;
mod key;
mod list;
pub mod range;
mod read;
mod s3;
pub mod urls;
mod write;

pub use blobs::Blobs;
pub use disk::Settings;
pub use error::BlobError;
pub use list::Head;
pub use read::{BlobReader, Opened};
pub use s3::{Access, Cors, Direct, Part, S3Settings, Shown, Signed, Upload};
pub use urls::{SignatureError, UrlSigner};
pub use write::{BlobWriter, Durability, Stored, etag_of};
