//! What is known of an object without reading it.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub key: String,
    pub size: u64,
    /// Milliseconds since the epoch; S3 knows whole seconds only.
    pub modified_ms: i64,
    /// Strong, in its quotes: another one whenever the object is written (on S3: whenever it is written with other
    /// content).
    pub etag: String,
}
