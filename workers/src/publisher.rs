//! Publishes what an attempt makes: bytes to the blobs first, made durable, then the fact that they are there.
//!
//! Segments lie under the attempt's own prefix and are named by the fact alone, so whatever a dead or doubled
//! worker leaves behind is never part of a playlist.

use crate::outages;
use bytes::Bytes;
use spool_blobs::{BlobError, Blobs, Durability};
use spool_commands::{CommandError, Commands};
use spool_domain::ids::{JobId, VideoId};
use spool_domain::jobs::{Command, Fact};
use spool_domain::media::{Rendition, Segment};
use spool_domain::time::Millis;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Segments wait so long for others to be published with, but for a rendition's first.
const BATCH_FOR: Duration = Duration::from_millis(700);

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("segment {found} of {rendition} came after {have}")]
    OutOfOrder {
        rendition: String,
        have: u32,
        found: u32,
    },
}

pub struct Publisher {
    commands: Commands,
    blobs: Blobs,
    video: VideoId,
    job: JobId,
    attempt: u32,
    lease: Millis,
    /// Facts to be told, with the blobs that must be durable before.
    waiting: Vec<Fact>,
    blobs_waiting: Vec<String>,
    oldest_waits_since: Option<Instant>,
    /// The number of segments of each rendition, waiting ones included.
    segments: BTreeMap<String, u32>,
}

impl Publisher {
    /// `segments`: how many of each rendition earlier attempts have published.
    pub fn new(
        commands: Commands,
        blobs: Blobs,
        (video, job, attempt): (VideoId, JobId, u32),
        lease: Millis,
        segments: BTreeMap<String, u32>,
    ) -> Self {
        Self {
            commands,
            blobs,
            video,
            job,
            attempt,
            lease,
            waiting: vec![],
            blobs_waiting: vec![],
            oldest_waits_since: None,
            segments,
        }
    }

    /// The number of the first segment of `rendition` that is missing.
    pub fn next_segment(&self, rendition: &str) -> u32 {
        self.segments.get(rendition).copied().unwrap_or(0)
    }

    pub async fn fact(&mut self, fact: Fact) -> Result<(), PublishError> {
        self.waiting.push(fact);
        self.flush().await
    }

    pub async fn start_rendition(&mut self, rendition: Rendition, init: Bytes) -> Result<(), PublishError> {
        self.keep(&format!("{}/init.mp4", rendition.name), init).await?;
        self.segments.entry(rendition.name.clone()).or_default();
        self.wait_with(Fact::RenditionStarted(rendition));
        Ok(())
    }

    pub async fn segment(
        &mut self,
        rendition: &str,
        index: u32,
        segment: Segment,
        bytes: Bytes,
    ) -> Result<(), PublishError> {
        let have = self.next_segment(rendition);
        if index != have {
            return Err(PublishError::OutOfOrder {
                rendition: rendition.to_owned(),
                have,
                found: index,
            });
        }
        self.keep(&format!("{rendition}/{index}.m4s"), bytes).await?;
        self.segments.insert(rendition.to_owned(), index + 1);
        self.add_segment(rendition, index, segment);
        let first = index == 0;
        if first
            || self
                .oldest_waits_since
                .is_some_and(|since| since.elapsed() >= BATCH_FOR)
        {
            self.flush().await?;
        }
        Ok(())
    }

    pub async fn thumbnail(&mut self, jpeg: Bytes) -> Result<(), PublishError> {
        let blob = self.keep("thumbnail.jpg", jpeg).await?;
        self.fact(Fact::ThumbnailMade { blob }).await
    }

    /// Tells what waits if it has waited long enough.
    pub async fn flush_old(&mut self) -> Result<(), PublishError> {
        match self.oldest_waits_since {
            Some(since) if since.elapsed() >= BATCH_FOR => self.flush().await,
            _ => Ok(()),
        }
    }

    /// Tells all that waits.
    pub async fn flush(&mut self) -> Result<(), PublishError> {
        self.oldest_waits_since = None;
        if self.waiting.is_empty() {
            return Ok(());
        }
        let keys = std::mem::take(&mut self.blobs_waiting);
        outages::stored(|| self.blobs.sync(&keys)).await?;
        let facts = std::mem::take(&mut self.waiting);
        let report = Command::Report {
            attempt: self.attempt,
            lease: self.lease,
            facts,
        };
        Ok(outages::given(&self.commands, self.job, report, self.lease).await?)
    }

    fn add_segment(&mut self, rendition: &str, index: u32, segment: Segment) {
        for fact in self.waiting.iter_mut().rev() {
            if let Fact::SegmentsPublished {
                rendition: name,
                segments,
                ..
            } = fact
                && name == rendition
            {
                segments.push(segment);
                return;
            }
        }
        let rendition = rendition.to_owned();
        self.wait_with(Fact::SegmentsPublished {
            rendition,
            from: index,
            segments: vec![segment],
        });
    }

    fn wait_with(&mut self, fact: Fact) {
        self.waiting.push(fact);
        self.oldest_waits_since.get_or_insert_with(Instant::now);
    }

    async fn keep(&mut self, name: &str, bytes: Bytes) -> Result<String, PublishError> {
        let key = format!("renditions/{}/{}/{}/{name}", self.video, self.job, self.attempt);
        outages::stored(|| self.blobs.put(&key, bytes.clone(), Durability::Lazy)).await?;
        self.blobs_waiting.push(key.clone());
        Ok(key)
    }
}
