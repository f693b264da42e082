//! Whether the bucket can be worked with, asked once at the start; what is wrong is told in one line, with what to do.
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::Bucket;
use super::failure::{answered, cause};
use super::write::random_name;
use crate::BlobError;

impl Bucket {
    pub async fn check(&self) -> Result<(), BlobError> {
        match self.look().await {
            Err(error) if self.create && matches!(answered(&error), Some((_, "NoSuchBucket"))) => {
                self.make().await?;
            }
            looked => looked.map_err(|error| self.complaint(&error))?,
        }
        self.try_writing().await
    }

    /// A listing, because an answer to it says what is wrong, and one to `HeadBucket` has no body to say it in.
    async fn look(
        &self,
    ) -> Result<(), SdkError<aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error, HttpResponse>> {
        let asked = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(&self.prefix)
            .max_keys(1);
        asked.send().await.map(drop)
    }

    async fn make(&self) -> Result<(), BlobError> {
        let region = self.client.config().region().map(ToString::to_string);
        // Amazon's first region is the one that must not be named.
        let elsewhere = region.filter(|region| region != "us-east-1").map(|region| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region.as_str()))
                .build()
        });
        let asked = self
            .client
            .create_bucket()
            .bucket(&self.name)
            .set_create_bucket_configuration(elsewhere);
        match asked.send().await {
            Ok(_) => {
                tracing::info!(
                    bucket = self.name,
                    endpoint = self.endpoint,
                    "made the bucket for objects"
                );
                Ok(())
            }
            // Another node was faster.
            Err(error) if matches!(answered(&error), Some((_, "BucketAlreadyOwnedByYou"))) => Ok(()),
            Err(error) => Err(BlobError::Setup(format!(
                "the bucket {} is not there and could not be made at {}: {}; make it by hand, or see what these credentials may do",
                self.name,
                self.endpoint,
                cause(&error)
            ))),
        }
    }

    async fn try_writing(&self) -> Result<(), BlobError> {
        let name = self.name_of(&format!("check-{}", random_name()));
        let put = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(&name)
            .body(ByteStream::from_static(b"can this be written?"));
        let put = put.send().await;
        put.map_err(|error| self.read_only("written", "s3:PutObject", &error))?;
        let deleted = self.client.delete_object().bucket(&self.name).key(&name);
        let deleted = deleted.send().await;
        deleted
            .map(drop)
            .map_err(|error| self.read_only("deleted", "s3:DeleteObject", &error))
    }

    fn read_only<E>(&self, done: &str, right: &str, error: &SdkError<E, HttpResponse>) -> BlobError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match answered(error) {
            Some((403 | 405, _)) => BlobError::Setup(format!(
                "objects in the bucket {} at {} can be read but not {done} ({}): give {right} below {:?} to these credentials, or choose another s3.bucket",
                self.name,
                self.endpoint,
                cause(error),
                self.prefix,
            )),
            _ => self.complaint(error),
        }
    }

    fn complaint<E>(&self, error: &SdkError<E, HttpResponse>) -> BlobError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (name, endpoint, cause) = (&self.name, &self.endpoint, cause(error));
        BlobError::Setup(match answered(error) {
            None => format!(
                "no object store answers at {endpoint} ({cause}): see whether it runs and whether s3.endpoint is right"
            ),
            Some((_, "NoSuchBucket")) => format!(
                "there is no bucket {name} at {endpoint}: make it, set s3.create_bucket, or correct s3.bucket"
            ),
            // The second is versitygw's.
            Some((_, "InvalidAccessKeyId" | "XAdminUserNotFound")) => {
                format!("{endpoint} does not know the access key: correct s3.access_key ({cause})")
            }
            Some((_, "SignatureDoesNotMatch")) => format!(
                "{endpoint} does not accept the signature: correct s3.secret_key, and s3.region if that is right ({cause})"
            ),
            Some((
                _,
                "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException",
            )) => {
                format!("the bucket {name} is in another region: correct s3.region ({cause})")
            }
            Some((_, "RequestTimeTooSkewed")) => {
                format!("the clocks of this machine and of {endpoint} differ too much: set them ({cause})")
            }
            Some((403, _)) => format!(
                "{endpoint} refuses access to the bucket {name} ({cause}): correct the credentials, or give them s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject"
            ),
            Some((500.., _)) => {
                format!("the object store at {endpoint} is in trouble ({cause}): see its own log")
            }
            Some(_) => format!("the bucket {name} at {endpoint} cannot be used ({cause})"),
        })
    }
}
