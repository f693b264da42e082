//! Housekeeping: what nothing refers to any more is taken away, so that a refused, cut off or deleted film
//! leaves nothing behind.

use crate::runner::Parts;
use spool_blobs::BlobError;
use spool_commands::CommandError;
use spool_domain::ids::VideoId;
use spool_domain::videos::Video;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// All blobs are looked through this often; deleted videos' go at once.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// Younger blobs may belong to an upload whose facts are being written.
const SPARE_YOUNGER_THAN: Duration = Duration::from_secs(900);
const PAGE: usize = 1_000;
/// No upload takes so long: what is left of one that began before is nobody's.
const UPLOADS_END_WITHIN: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error(transparent)]
    Commands(#[from] CommandError),
}

/// Sweeps at the start and from time to time, and follows deletions, until `stop`.
pub async fn run(parts: &Parts, stop: CancellationToken) {
    let mut changes = parts.projections.catalogue().changes();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = sweep.tick() => {
                if let Err(error) = sweep_all(parts).await {
                    tracing::warn!(%error, "housekeeping was cut short; it goes on later");
                }
            }
            changed = changes.recv() => {
                // A lag is made good by the next sweep.
                let Ok(changed) = changed else { continue };
                if let spool_projections::Changes::Keys(keys) = &*changed {
                    for video in keys.iter().filter_map(|key| Uuid::try_parse(key).ok()).map(VideoId) {
                        if let Err(error) = remove_if_deleted(parts, video).await {
                            tracing::warn!(%video, %error, "a deleted video's files are still there");
                        }
                    }
                }
            }
        }
    }
}

async fn remove_if_deleted(parts: &Parts, video: VideoId) -> Result<(), SweepError> {
    let (state, _) = parts.commands.state::<Video>(video.stream()).await?;
    if matches!(state, Video::Deleted { .. }) {
        remove(parts, video).await?;
    }
    Ok(())
}

async fn remove(parts: &Parts, video: VideoId) -> Result<(), SweepError> {
    parts.blobs.delete_prefix(&format!("originals/{video}/")).await?;
    parts.blobs.delete_prefix(&format!("renditions/{video}/")).await?;
    Ok(())
}

/// Removes the blobs of videos that are deleted or never came to be.
async fn sweep_all(parts: &Parts) -> Result<(), SweepError> {
    if let Err(error) = parts.blobs.sweep(UPLOADS_END_WITHIN).await {
        tracing::warn!(%error, "what is left of unfinished uploads stays a while longer");
    }
    for folder in ["originals/", "renditions/"] {
        let mut after = None::<String>;
        let mut seen = BTreeSet::new();
        loop {
            let page = parts.blobs.list(folder, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            let spared = i64::try_from(SPARE_YOUNGER_THAN.as_millis()).unwrap_or(i64::MAX);
            let old = |modified_ms: i64| parts.clock.now_ms() - modified_ms > spared;
            for blob in page.iter().filter(|blob| old(blob.modified_ms)) {
                let owner = blob
                    .key
                    .split('/')
                    .nth(1)
                    .and_then(|id| Uuid::try_parse(id).ok())
                    .map(VideoId);
                if let Some(video) = owner
                    && seen.insert(video)
                {
                    let (state, _) = parts.commands.state::<Video>(video.stream()).await?;
                    if !matches!(state, Video::Existing(_)) {
                        tracing::info!(%video, "removing files that belong to no video");
                        remove(parts, video).await?;
                    }
                }
            }
        }
    }
    Ok(())
}
