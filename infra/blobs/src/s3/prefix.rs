//! What goes in numbers: all objects below a prefix, and parts that nobody put together.
use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::Bucket;
use super::failure::{answered, failed, one_line};
use super::multipart::Upload;
use super::objects::PAGE;
use crate::BlobError;

impl Bucket {
    pub async fn delete_prefix(&self, prefix: &str) -> Result<(), BlobError> {
        loop {
            let page = self.list(prefix, None, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            let names = page.iter().map(|head| {
                let name = ObjectIdentifier::builder().key(self.name_of(&head.key));
                name.build().expect("it has a key")
            });
            let doomed = Delete::builder().set_objects(Some(names.collect())).quiet(true);
            let asked = self
                .client
                .delete_objects()
                .bucket(&self.name)
                .delete(doomed.build().expect("it has objects"));
            let answer = asked.send().await.map_err(failed("deleting all below", prefix))?;
            if let Some(error) = answer.errors().first() {
                let (code, message) = (error.code().unwrap_or(""), error.message().unwrap_or(""));
                return Err(BlobError::Refused {
                    doing: format!("deleting {}", error.key().unwrap_or(prefix)),
                    cause: one_line(&format!("{code}: {message}")),
                });
            }
        }
    }

    pub async fn sweep(&self, older_than: Duration) -> Result<usize, BlobError> {
        let mut swept = 0;
        for (upload, began_at) in self.unfinished().await? {
            let age = SystemTime::now().duration_since(began_at);
            if age.is_ok_and(|age| age >= older_than) {
                tracing::info!(
                    key = upload.key,
                    "taking away what is left of an upload that nobody finished"
                );
                self.abort_upload(&upload).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Uploads that were begun and neither finished nor given up, and when; without their marks. None on a server that
    /// cannot tell.
    pub(super) async fn unfinished(&self) -> Result<Vec<(Upload, SystemTime)>, BlobError> {
        let (mut key_marker, mut upload_marker) = (None, None);
        let mut found = Vec::new();
        loop {
            let asked = self
                .client
                .list_multipart_uploads()
                .bucket(&self.name)
                .prefix(&self.prefix)
                .set_key_marker(key_marker)
                .set_upload_id_marker(upload_marker);
            let page = match asked.send().await {
                Err(error) if matches!(answered(&error), Some((501, _))) => return Ok(found),
                page => page.map_err(failed("listing unfinished uploads below", &self.prefix))?,
            };
            found.extend(page.uploads().iter().filter_map(|left| {
                let upload = Upload {
                    key: self.key_of(left.key()?)?,
                    id: left.upload_id()?.to_owned(),
                    mark: String::new(),
                };
                let began_at = left
                    .initiated()?
                    .secs()
                    .try_into()
                    .ok()
                    .map(Duration::from_secs)?;
                Some((upload, SystemTime::UNIX_EPOCH + began_at))
            }));
            key_marker = page.next_key_marker().map(str::to_owned);
            upload_marker = page.next_upload_id_marker().map(str::to_owned);
            let is_over = page.is_truncated() != Some(true) || key_marker.is_none();
            if is_over {
                return Ok(found);
            }
        }
    }
}
