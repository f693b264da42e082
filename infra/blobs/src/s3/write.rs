//! Writing to S3: small objects in one request, larger ones in parts, of which few are in memory at a time.
use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA256};
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

use super::failure::failed;
use super::multipart::Upload;
use super::{Bucket, patience};
use crate::error::{blocking, joined};
use crate::{BlobError, Stored};

/// Every part but the last has this size; S3 wants at least 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at once, beside the one that is being collected.
const ON_THE_WAY: usize = 2;
/// S3 takes no more, which limits an object to 80,000 MiB.
const PARTS_MAX: i32 = 10_000;

pub(crate) struct Writer {
    bucket: Arc<Bucket>,
    key: String,
    collected: BytesMut,
    written: u64,
    hash: digest::Context,
    parts: Option<Parts>,
    /// Something was lost on the way, or may be.
    is_broken: bool,
}

impl Writer {
    pub fn begin(bucket: Arc<Bucket>, key: String) -> Self {
        Self {
            bucket,
            key,
            collected: BytesMut::new(),
            written: 0,
            hash: digest::Context::new(&SHA256),
            parts: None,
            is_broken: false,
        }
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    pub async fn write(&mut self, mut chunk: Bytes) -> Result<(), BlobError> {
        self.written += chunk.len() as u64;
        // A part is sent when it is known that more comes after it.
        while self.collected.len() + chunk.len() > PART_BYTES {
            let missing = PART_BYTES - self.collected.len();
            let part = if self.collected.is_empty() {
                chunk.split_to(missing)
            } else {
                self.collected.extend_from_slice(&chunk.split_to(missing));
                std::mem::replace(&mut self.collected, BytesMut::with_capacity(PART_BYTES)).freeze()
            };
            self.send(part).await?;
        }
        self.collected.extend_from_slice(&chunk);
        Ok(())
    }

    pub async fn finish(mut self) -> Result<Stored, BlobError> {
        let rest = std::mem::take(&mut self.collected).freeze();
        if self.parts.is_some() || self.is_broken {
            self.send(rest).await?;
        } else {
            self.hash(&rest).await?;
            let hash = self.hash.clone().finish();
            self.bucket.put_whole(&self.key, rest, hash.as_ref()).await?;
        }
        if let Some(parts) = self.parts.take() {
            parts.finish().await?;
        }
        let sha256 = self.hash.finish();
        Ok(Stored {
            key: self.key,
            size: self.written,
            sha256: sha256.as_ref().try_into().expect("SHA-256 has 32 bytes"),
        })
    }

    pub async fn abort(mut self) {
        if let Some(parts) = self.parts.take() {
            parts.give_up().await;
        }
    }

    /// Cancelled or failed, it leaves a broken writer, which takes nothing more.
    async fn send(&mut self, part: Bytes) -> Result<(), BlobError> {
        if std::mem::replace(&mut self.is_broken, true) {
            return Err(BlobError::Unavailable {
                doing: format!("writing {}", self.key),
                cause: "an earlier part of it was lost".to_owned(),
            });
        }
        let sent = self.send_one(part).await;
        match &sent {
            Ok(()) => self.is_broken = false,
            Err(_) => self.parts = None,
        }
        sent
    }

    async fn send_one(&mut self, part: Bytes) -> Result<(), BlobError> {
        self.hash(&part).await?;
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => self
                .parts
                .insert(Parts::begin(self.bucket.clone(), &self.key).await?),
        };
        parts.send(part).await
    }

    /// Where it may take a while.
    async fn hash(&mut self, part: &Bytes) -> Result<(), BlobError> {
        let (part, mut hash) = (part.clone(), self.hash.clone());
        self.hash = blocking(move || {
            hash.update(&part);
            Ok(hash)
        })
        .await?;
        Ok(())
    }
}

impl Bucket {
    async fn put_whole(&self, key: &str, bytes: Bytes, sha256: &[u8]) -> Result<(), BlobError> {
        let patience = patience::bringing(bytes.len());
        let asked = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(self.name_of(key))
            .content_type(content_type(key))
            // The server refuses what arrives otherwise.
            .checksum_sha256(STANDARD.encode(sha256))
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(patience);
        asked.send().await.map(drop).map_err(failed("writing", key))
    }

    async fn put_part(&self, upload: &Upload, number: i32, part: Bytes) -> Result<CompletedPart, BlobError> {
        // The server refuses what arrives otherwise.
        let checked = patience::bringing(part.len())
            .request_checksum_calculation(RequestChecksumCalculation::WhenSupported);
        let asked = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(self.name_of(&upload.key))
            .upload_id(&upload.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32C)
            .body(ByteStream::from(part))
            .customize()
            .config_override(checked);
        let kept = asked
            .send()
            .await
            .map_err(failed("writing a part of", &upload.key))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(kept.e_tag().map(str::to_owned))
            .set_checksum_crc32_c(kept.checksum_crc32_c().map(str::to_owned))
            .build())
    }
}

/// An upload in parts under way. Dropped before `finish`, it is given up.
struct Parts {
    bucket: Arc<Bucket>,
    upload: Upload,
    sent: i32,
    on_the_way: JoinSet<Result<CompletedPart, BlobError>>,
    kept: Vec<CompletedPart>,
    is_over: bool,
}

impl Parts {
    async fn begin(bucket: Arc<Bucket>, key: &str) -> Result<Self, BlobError> {
        let upload = bucket
            .begin_upload(key, content_type(key), Some(ChecksumAlgorithm::Crc32C))
            .await?;
        Ok(Self {
            bucket,
            upload,
            sent: 0,
            on_the_way: JoinSet::new(),
            kept: Vec::new(),
            is_over: false,
        })
    }

    async fn send(&mut self, part: Bytes) -> Result<(), BlobError> {
        if self.sent == PARTS_MAX {
            return Err(BlobError::Refused {
                doing: format!("writing {}", self.upload.key),
                cause: format!("an object has at most {PARTS_MAX} parts of {PART_BYTES} bytes"),
            });
        }
        while self.on_the_way.len() >= ON_THE_WAY {
            self.arrive().await?;
        }
        self.sent += 1;
        let (bucket, upload, number) = (self.bucket.clone(), self.upload.clone(), self.sent);
        self.on_the_way
            .spawn(async move { bucket.put_part(&upload, number, part).await });
        Ok(())
    }

    async fn arrive(&mut self) -> Result<(), BlobError> {
        if let Some(kept) = self.on_the_way.join_next().await {
            self.kept.push(joined(kept)?);
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), BlobError> {
        while !self.on_the_way.is_empty() {
            self.arrive().await?;
        }
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_unstable_by_key(|part| part.part_number());
        self.bucket.complete_upload(&self.upload, kept).await?;
        self.is_over = true;
        Ok(())
    }

    async fn give_up(mut self) {
        self.is_over = true;
        let on_the_way = std::mem::take(&mut self.on_the_way);
        give_up(self.bucket.clone(), self.upload.clone(), on_the_way).await;
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        // Outside a runtime, as at the end of the process, it is left to the sweep.
        if !self.is_over
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let on_the_way = std::mem::take(&mut self.on_the_way);
            runtime.spawn(give_up(self.bucket.clone(), self.upload.clone(), on_the_way));
        }
    }
}

async fn give_up(
    bucket: Arc<Bucket>,
    upload: Upload,
    mut on_the_way: JoinSet<Result<CompletedPart, BlobError>>,
) {
    // A part that is taken in after the upload was given up brings it back on some servers, and a request that is cut
    // off may be taken in still: so what is on its way arrives first.
    while on_the_way.join_next().await.is_some() {}
    if let Err(error) = bucket.abort_upload(&upload).await {
        tracing::warn!(key = upload.key, %error, "what is left of an upload stays until it is swept");
    }
}

/// For who reads the object without us, such as a CDN.
pub(super) fn content_type(key: &str) -> &'static str {
    match key.rsplit('.').next() {
        Some("mp4") => "video/mp4",
        Some("m4s") => "video/iso.segment",
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("jpg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("vtt") => "text/vtt",
        Some("txt") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

pub(super) fn random_name() -> String {
    let mut name = [0; 16];
    aws_lc_rs::rand::fill(&mut name).expect("the system has randomness once it has started");
    name.iter().map(|byte| format!("{byte:02x}")).collect()
}
