//! Addresses at which others, such as a browser, read and write objects without us: signed, and for a while.
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::types::CompletedPart;

use super::Bucket;
use super::failure::failed;
pub use super::multipart::Upload;
use super::objects::quoted;
use super::write::content_type;
use crate::{BlobError, Head, key};

/// The longest that S3 allows.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// From [`crate::Blobs::direct`]. An address lives for `expires`, at most seven days, and is made here, without asking
/// the store; whoever has it can use it.
#[derive(Clone, Debug)]
pub struct Direct(Arc<Bucket>);

/// What the answer to a signed address says of the object, if not what the store knows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub content_type: Option<String>,
    /// Such as `attachment; filename="film.mp4"`.
    pub content_disposition: Option<String>,
}

/// An address, and the headers that a request to it must have; the length of its body every client tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub url: String,
    pub headers: Vec<(String, String)>,
}

/// A part that has been brought, from 1, and the tag that the store answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub number: u16,
    pub etag: String,
    pub size: u64,
}

impl Direct {
    pub(crate) fn of(bucket: Arc<Bucket>) -> Self {
        Self(bucket)
    }

    /// Lets the object be read, also in parts.
    pub async fn get_url(&self, key: &str, expires: Duration, shown: Shown) -> Result<String, BlobError> {
        key::check(key)?;
        let asked = self
            .0
            .signing
            .get_object()
            .bucket(&self.0.name)
            .key(self.0.name_of(key))
            .set_response_content_type(shown.content_type)
            .set_response_content_disposition(shown.content_disposition);
        let signed = asked.presigned(for_a_while(expires)).await;
        Ok(Signed::of(&signed.map_err(failed("signing an address for", key))?).url)
    }

    /// Lets the object be written, once or more, in one request; of exactly so many bytes, if that is known.
    pub async fn put_url(
        &self,
        key: &str,
        expires: Duration,
        bytes: Option<u64>,
    ) -> Result<Signed, BlobError> {
        key::check(key)?;
        let asked = self
            .0
            .signing
            .put_object()
            .bucket(&self.0.name)
            .key(self.0.name_of(key))
            .content_type(content_type(key))
            .set_content_length(bytes.and_then(|bytes| i64::try_from(bytes).ok()));
        let signed = asked.presigned(for_a_while(expires)).await;
        Ok(Signed::of(
            &signed.map_err(failed("signing an address for", key))?,
        ))
    }

    /// Begins an object that is brought in parts of 5 MiB to 5 GiB, the last also smaller, at most 10,000.
    pub async fn begin(&self, key: &str) -> Result<Upload, BlobError> {
        key::check(key)?;
        self.0.begin_upload(key, content_type(key), None).await
    }

    /// Lets one part be written, from 1; again and again, until it is right.
    pub async fn part_url(
        &self,
        upload: &Upload,
        number: u16,
        expires: Duration,
    ) -> Result<Signed, BlobError> {
        let asked = self
            .0
            .signing
            .upload_part()
            .bucket(&self.0.name)
            .key(self.0.name_of(&upload.key))
            .upload_id(&upload.id)
            .part_number(i32::from(number));
        let signed = asked.presigned(for_a_while(expires)).await;
        Ok(Signed::of(&signed.map_err(failed(
            "signing an address for a part of",
            &upload.key,
        ))?))
    }

    /// The parts that have been brought, by number, so that an upload can be resumed. `NotFound` when it is over.
    pub async fn parts(&self, upload: &Upload) -> Result<Vec<Part>, BlobError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let asked = self
                .0
                .client
                .list_parts()
                .bucket(&self.0.name)
                .key(self.0.name_of(&upload.key))
                .upload_id(&upload.id)
                .set_part_number_marker(after);
            let page = asked
                .send()
                .await
                .map_err(failed("listing the parts of", &upload.key))?;
            found.extend(page.parts().iter().map(|part| {
                Part {
                    number: part
                        .part_number()
                        .and_then(|number| u16::try_from(number).ok())
                        .unwrap_or(0),
                    etag: quoted(part.e_tag()),
                    size: part.size().unwrap_or(0).unsigned_abs(),
                }
            }));
            after = page.next_part_number_marker().map(str::to_owned);
            let is_over = page.is_truncated() != Some(true) || after.is_none();
            if is_over {
                return Ok(found);
            }
        }
    }

    /// Makes the object of these parts, in the order of their numbers; only then it appears.
    pub async fn complete(&self, upload: &Upload, parts: &[Part]) -> Result<Head, BlobError> {
        let parts = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(i32::from(part.number))
                .e_tag(&part.etag)
                .build()
        });
        self.0.complete_upload(upload, parts.collect()).await?;
        self.0.head(&upload.key).await
    }

    /// Uploads that were begun, by us too, and neither completed nor given up. Their marks are not known.
    pub async fn unfinished(&self) -> Result<Vec<Upload>, BlobError> {
        let found = self.0.unfinished().await?;
        Ok(found.into_iter().map(|(upload, _)| upload).collect())
    }

    /// Gives the upload up, with its parts; quiet when it is over.
    pub async fn abort(&self, upload: &Upload) -> Result<(), BlobError> {
        self.0.abort_upload(upload).await
    }
}

impl Signed {
    fn of(request: &PresignedRequest) -> Self {
        let headers = request.headers().filter(|(name, _)| *name != "content-length");
        Self {
            url: request.uri().to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

fn for_a_while(expires: Duration) -> PresigningConfig {
    PresigningConfig::expires_in(expires.min(LONGEST)).expect("not longer than S3 allows")
}
