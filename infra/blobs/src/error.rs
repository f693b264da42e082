//! What can go wrong with objects.
use std::io::ErrorKind;
use std::path::Path;

/// `NotFound` is an answer; `InvalidKey` and `Unsupported` are the caller's mistake; `Full` may be tried again when
/// there is room, `Unavailable` a little later, `Changed` at once and from the start; `Io`, `Refused` and `Setup` are
/// the operator's trouble.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("there is no object {key}")]
    NotFound { key: String },
    #[error("{key:?} cannot be the key of an object: {reason}")]
    InvalidKey { key: String, reason: &'static str },
    /// Nothing of the object was kept.
    #[error("no room for the object")]
    Full,
    #[error("{doing}")]
    Io { doing: String, source: std::io::Error },
    /// The store is away or too slow. A write may have happened.
    #[error("the object store does not answer: {doing}: {cause}")]
    Unavailable { doing: String, cause: String },
    /// What was read so far and what is there now are two objects.
    #[error("the object {key} was replaced while it was read")]
    Changed { key: String },
    /// Nothing that trying again would change: credentials, policies, or a request that this server does not like.
    #[error("the object store refused: {doing}: {cause}")]
    Refused { doing: String, cause: String },
    #[error("this store of objects has no {0}")]
    Unsupported(&'static str),
    /// The store cannot be used as it is set up. The line says what to do.
    #[error("{0}")]
    Setup(String),
}

impl BlobError {
    /// What a reader said, as it was before it became the error of a stream.
    pub(crate) fn reading(key: &str, error: std::io::Error) -> Self {
        error.downcast().unwrap_or_else(|source| Self::Io {
            doing: format!("reading {key}"),
            source,
        })
    }
}

pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BlobError {
    move |source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::Full,
        _ => BlobError::Io {
            doing: format!("{doing} {}", path.display()),
            source,
        },
    }
}

/// Runs work on the disk where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    joined(tokio::task::spawn_blocking(work).await)
}

pub(crate) fn joined<T>(
    outcome: Result<Result<T, BlobError>, tokio::task::JoinError>,
) -> Result<T, BlobError> {
    outcome.unwrap_or_else(|stopped| {
        let source = std::io::Error::other(stopped);
        Err(BlobError::Io {
            doing: "working on the disk while the process stops".to_owned(),
            source,
        })
    })
}
