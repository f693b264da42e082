//! Which pages may read and write objects by their addresses.
use aws_sdk_s3::types::{CorsConfiguration, CorsRule};

use super::Bucket;
use super::failure::{answered, failed};
use crate::BlobError;

/// What came of [`crate::Blobs::ensure_cors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cors {
    Set,
    /// It was so already.
    Unchanged,
    /// This server has no rules for a bucket: whoever runs it sets them for all of it (MinIO:
    /// `MINIO_API_CORS_ALLOW_ORIGIN`), or browsers cannot use the addresses.
    NotSupported,
    /// Objects on the disk are served by the gateway, which has its own rules.
    OfTheGateway,
}

impl Bucket {
    pub async fn ensure_cors(&self, origins: &[String]) -> Result<Cors, BlobError> {
        let wanted = vec![rule(origins)];
        let asked = self.client.get_bucket_cors().bucket(&self.name);
        let found = match asked.send().await {
            Ok(found) => found.cors_rules.unwrap_or_default(),
            Err(error) => match answered(&error) {
                Some((501, _)) => return Ok(Cors::NotSupported),
                Some((404, code)) if code != "NoSuchBucket" => Vec::new(),
                _ => return Err(failed("reading the CORS rules of", &self.name)(error)),
            },
        };
        if found == wanted {
            return Ok(Cors::Unchanged);
        }
        let rules = CorsConfiguration::builder().set_cors_rules(Some(wanted));
        let asked = self
            .client
            .put_bucket_cors()
            .bucket(&self.name)
            .cors_configuration(rules.build().expect("it has rules"));
        match asked.send().await {
            Ok(_) => Ok(Cors::Set),
            Err(error) if matches!(answered(&error), Some((501, _))) => Ok(Cors::NotSupported),
            Err(error) => Err(failed("setting the CORS rules of", &self.name)(error)),
        }
    }
}

fn rule(origins: &[String]) -> CorsRule {
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    CorsRule::builder()
        .set_allowed_origins(Some(origins.to_vec()))
        .set_allowed_methods(texts(&["GET", "HEAD", "PUT"]))
        .set_allowed_headers(texts(&["*"]))
        // A page needs the tag of each part it has brought.
        .set_expose_headers(texts(&["ETag", "Content-Range", "Accept-Ranges"]))
        .max_age_seconds(3_600)
        .build()
        .expect("it has origins and methods")
}
