//! One object at a time: looking, copying, deleting; and the listing of many.
use std::sync::Arc;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::MetadataDirective;
use futures_util::future::try_join_all;

use super::failure::{Doing, answered, failed};
use super::{Bucket, patience};
use crate::{BlobError, Head};

/// The most that a server tells or takes at once.
pub(super) const PAGE: usize = 1_000;
/// Questions under way at once when many objects are looked at.
const AT_ONCE: usize = 16;

impl Bucket {
    pub async fn head(&self, key: &str) -> Result<Head, BlobError> {
        let asked = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(self.name_of(key));
        let found = asked.send().await.map_err(failed("looking at", key))?;
        Ok(Head {
            key: key.to_owned(),
            size: found.content_length().unwrap_or(0).unsigned_abs(),
            modified_ms: milliseconds(found.last_modified()),
            etag: quoted(found.e_tag()),
        })
    }

    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Head>, BlobError> {
        let mut found: Vec<Head> = Vec::new();
        let mut after = after.unwrap_or_default().to_owned();
        while found.len() < limit {
            let wanted = (limit - found.len()).min(PAGE);
            let asked = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(self.name_of(prefix))
                .set_start_after((!after.is_empty()).then(|| self.name_of(&after)))
                .max_keys(i32::try_from(wanted).expect("a page is small"));
            let page = asked
                .send()
                .await
                .map_err(failed("listing objects below", prefix))?;
            let heads = page.contents().iter().filter_map(|object| {
                // Servers that keep files may show a folder as an object.
                let name = object.key().filter(|name| !name.ends_with('/'))?;
                Some(Head {
                    key: self.key_of(name)?,
                    size: object.size().unwrap_or(0).unsigned_abs(),
                    modified_ms: milliseconds(object.last_modified()),
                    etag: quoted(object.e_tag()),
                })
            });
            found.extend(heads);
            let last = page.contents().last().and_then(|object| object.key());
            match last.and_then(|name| self.key_of(name)) {
                Some(last) if page.is_truncated() == Some(true) && last > after => after = last,
                _ => break,
            }
        }
        Ok(found)
    }

    pub async fn sync(&self, keys: &[String]) -> Result<(), BlobError> {
        for some in keys.chunks(AT_ONCE) {
            let mut asked = Vec::new();
            for key in some {
                asked.push(self.head(key));
            }
            try_join_all(asked).await?;
        }
        Ok(())
    }

    pub async fn copy(&self, from: &str, to: &str) -> Result<(), BlobError> {
        // Neither the bucket's name nor a key has a letter that an address would spell otherwise.
        let source = format!("{}/{}", self.name, self.name_of(from));
        let asked = self
            .client
            .copy_object()
            .bucket(&self.name)
            .copy_source(source)
            .key(self.name_of(to))
            .metadata_directive(MetadataDirective::Copy)
            .customize()
            .config_override(patience::server_works());
        asked.send().await.map(drop).map_err(failed("copying", from))
    }

    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let asked = self
            .client
            .delete_object()
            .bucket(&self.name)
            .key(self.name_of(key));
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(error) => match answered(&error) {
                // Nothing to delete, or a folder, which is none of our objects.
                Some((404, code)) if code != "NoSuchBucket" => Ok(()),
                Some((_, "ObjectParentIsFile" | "DirectoryNotEmpty")) => Ok(()),
                _ => Err(Doing {
                    what: "deleting",
                    key,
                }
                .meaning(&error)),
            },
        }
    }

    pub async fn ready(self: &Arc<Self>) -> Result<(), BlobError> {
        let asked = self.client.head_bucket().bucket(&self.name).customize();
        let answer = asked.config_override(patience::at_once()).send().await;
        answer
            .map(drop)
            .map_err(failed("looking at the bucket", &self.name))
    }
}

/// Lists tell fractions where single answers do not.
fn milliseconds(time: Option<&DateTime>) -> i64 {
    time.map_or(0, |time| time.secs().saturating_mul(1_000))
}

pub(super) fn quoted(etag: Option<&str>) -> String {
    format!("\"{}\"", etag.unwrap_or_default().trim_matches('"'))
}
