//! Large objects: local disk with signed, expiring URLs and range reads.
//!
//! An object is written beside its place and moved there whole: nobody ever reads half of one, and what a crash
//! leaves behind lies in one folder that is emptied at the next start.
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod disk;
mod error;
mod key;
mod list;
pub mod range;
mod read;
#[cfg(test)]
mod tests;
pub mod urls;
mod write;

pub use disk::{Blobs, Durability, Settings};
pub use error::BlobError;
pub use list::Head;
pub use read::{BlobReader, Opened};
pub use urls::{SignatureError, UrlSigner};
pub use write::{BlobWriter, Stored, etag_of};
