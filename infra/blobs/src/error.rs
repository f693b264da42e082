//! What can go wrong with objects.
use std::io::ErrorKind;
use std::path::Path;

/// `NotFound` is an answer; `InvalidKey` is the caller's mistake; `Full` may be tried again when there is room;
/// `Io` is the operator's trouble.
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
