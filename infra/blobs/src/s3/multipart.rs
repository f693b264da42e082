//! The steps of an upload in parts: begin, bring parts, put them together or give them up.
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use super::failure::{answered, failed};
use super::write::random_name;
use super::{Bucket, patience};
use crate::BlobError;

/// An upload in parts that has begun. Whoever knows the id can go on with it, after a restart too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub key: String,
    pub id: String,
    /// Ours alone, on the object too; it tells what became of the upload when an answer was lost.
    pub mark: String,
}

/// The name of the mark in the object's metadata.
const MARK: &str = "spool-upload";

impl Bucket {
    pub(super) async fn begin_upload(
        &self,
        key: &str,
        content_type: &str,
        checksums: Option<ChecksumAlgorithm>,
    ) -> Result<Upload, BlobError> {
        let mark = random_name();
        let asked = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(self.name_of(key))
            .content_type(content_type)
            .metadata(MARK, &mark)
            .set_checksum_algorithm(checksums);
        let begun = asked
            .send()
            .await
            .map_err(failed("beginning an upload to", key))?;
        Ok(Upload {
            key: key.to_owned(),
            id: begun.upload_id().unwrap_or_default().to_owned(),
            mark,
        })
    }

    /// Puts the parts together. That may have happened when the answer was lost and the question asked again, and the
    /// upload is gone then: whether it has, the object's mark tells.
    pub(super) async fn complete_upload(
        &self,
        upload: &Upload,
        parts: Vec<CompletedPart>,
    ) -> Result<(), BlobError> {
        let together = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let asked = self
            .client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(self.name_of(&upload.key))
            .upload_id(&upload.id)
            .multipart_upload(together)
            .customize()
            .config_override(patience::server_works());
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let is_gone = matches!(answered(&error), Some((_, "NoSuchUpload")));
                if is_gone && self.has_mark(upload).await? {
                    return Ok(());
                }
                Err(failed("finishing the upload to", &upload.key)(error))
            }
        }
    }

    /// Quiet when it is over already.
    pub(super) async fn abort_upload(&self, upload: &Upload) -> Result<(), BlobError> {
        let asked = self
            .client
            .abort_multipart_upload()
            .bucket(&self.name)
            .key(self.name_of(&upload.key))
            .upload_id(&upload.id);
        match asked.send().await {
            Err(error) if !matches!(answered(&error), Some((_, "NoSuchUpload"))) => {
                Err(failed("giving up the upload to", &upload.key)(error))
            }
            _ => Ok(()),
        }
    }

    async fn has_mark(&self, upload: &Upload) -> Result<bool, BlobError> {
        let Upload { key, mark, .. } = upload;
        let asked = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(self.name_of(key));
        let found = asked.send().await.map_err(failed("looking at", key))?;
        Ok(found
            .metadata()
            .and_then(|all| all.get(MARK))
            .is_some_and(|found| found == mark))
    }
}
