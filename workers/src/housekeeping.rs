//! Housekeeping: what nothing refers to any more is taken away, so that a refused, cut off or deleted film
//! leaves nothing behind.

use crate::runner::Parts;
use spool_blobs::BlobError;
use spool_commands::CommandError;
use spool_domain::ids::{UploadId, VideoId};
use spool_domain::uploads::Upload;
use spool_domain::videos::Video;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// All blobs are looked through this often; deleted videos' go at once.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
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
    let mut unknown = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = sweep.tick() => {
                if let Err(error) = sweep_all(parts, &mut unknown).await {
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

/// What the log has of the video in whose folder a blob is.
enum Owner {
    /// It was deleted.
    Gone,
    /// The log has never heard of it: an upload came to nothing, or its fact is being written.
    Unknown,
    /// It is there, or it will be when a process manager gets to it. Its film is this blob; nothing when that is not known.
    Video { original: Option<String> },
}

async fn owner_of(parts: &Parts, video: VideoId) -> Result<Owner, SweepError> {
    let (state, _) = parts.commands.state::<Video>(video.stream()).await?;
    let upload = UploadId::of(video).stream();
    let (upload, _) = parts.commands.state::<Upload>(upload).await?;
    Ok(match (state, upload) {
        (Video::Deleted { .. }, _) => Owner::Gone,
        (_, Upload::Received { source }) => Owner::Video {
            original: Some(source.blob),
        },
        (Video::Existing(_), Upload::Awaited) => Owner::Video { original: None },
        (Video::Nothing, Upload::Awaited) => Owner::Unknown,
    })
}

/// Removes the blobs of videos that are deleted, films that were sent once more, and what belongs to nobody that the log knows: no
/// time says whether its fact is still to come, so it goes when the sweep before, which gave `unknown`, has met it too.
async fn sweep_all(parts: &Parts, unknown: &mut BTreeSet<VideoId>) -> Result<(), SweepError> {
    if let Err(error) = parts.blobs.sweep(UPLOADS_END_WITHIN).await {
        tracing::warn!(%error, "what is left of unfinished uploads stays a while longer");
    }
    let mut still_unknown = BTreeSet::new();
    for folder in ["originals/", "renditions/"] {
        let mut after = None::<String>;
        // Blobs come in order, so those of a video come together.
        let mut seen = None::<(VideoId, Option<String>)>;
        loop {
            let page = parts.blobs.list(folder, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for (video, key) in page
                .iter()
                .filter_map(|blob| Some((video_of(&blob.key)?, &blob.key)))
            {
                if seen.as_ref().is_none_or(|(known, _)| *known != video) {
                    let original = match owner_of(parts, video).await? {
                        Owner::Video { original } => original,
                        Owner::Unknown if !unknown.contains(&video) => {
                            still_unknown.insert(video);
                            None
                        }
                        Owner::Gone | Owner::Unknown => {
                            tracing::info!(%video, "removing files that belong to no video");
                            remove(parts, video).await?;
                            None
                        }
                    };
                    seen = Some((video, original));
                }
                // The process was killed before it threw away a film that had arrived twice.
                if folder == "originals/"
                    && let Some((_, Some(original))) = &seen
                    && original != key
                {
                    tracing::info!(%video, key, "removing a film that was sent once more");
                    parts.blobs.delete(key).await?;
                }
            }
        }
    }
    *unknown = still_unknown;
    Ok(())
}

fn video_of(key: &str) -> Option<VideoId> {
    let id = key.split('/').nth(1)?;
    Uuid::try_parse(id).ok().map(VideoId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool_blobs::{Blobs, Durability, Settings};
    use spool_commands::{AnyCommand, Ask, Commands};
    use spool_domain::actors::Actor;
    use spool_domain::ids::{AccountId, StreamId};
    use spool_domain::uploads::{Command, Received};
    use spool_domain::videos::{self, Described, Source, Visibility};
    use spool_log::Log;
    use spool_platform::clock::Clock;
    use spool_platform::config::Config;
    use spool_platform::signals::Signals;
    use spool_projections::{Projections, no_switcher};
    use spool_tables::Tables;
    use std::path::Path;
    use std::sync::Arc;

    fn parts(dir: &Path) -> Parts {
        let clock = Clock::system();
        let log = Log::open(spool_log::Config::new(dir.join("log"))).expect("the log opens");
        let tables = Tables::open(dir.join("tables")).expect("the tables open");
        let settings = Settings {
            dir: dir.join("blobs"),
            min_free_bytes: 1,
        };
        let commands = Commands::open(spool_commands::Parts {
            log: log.clone(),
            tables: tables.clone(),
            clock: clock.clone(),
        });
        Parts {
            config: Arc::new(Config::default()),
            clock,
            commands: commands.expect("the commands open"),
            projections: Projections::start(log, tables, no_switcher()).expect("the views start"),
            blobs: Blobs::open(settings).expect("the blobs open"),
            signals: Signals::new(),
        }
    }

    async fn put(parts: &Parts, key: &str) {
        let put = parts.blobs.put(key, "bytes".into(), Durability::Lazy).await;
        put.expect("it is written");
    }

    async fn keys(parts: &Parts) -> Vec<String> {
        let heads = parts.blobs.list("", None, 100).await.expect("it is listed");
        heads.into_iter().map(|head| head.key).collect()
    }

    fn received(video: VideoId, blob: &str) -> Received {
        Received {
            video,
            owner: AccountId(Uuid::from_u128(9)),
            description: Described {
                title: "One".to_owned(),
                description: String::new(),
                visibility: Visibility::Public,
            },
            source: Source {
                blob: blob.to_owned(),
                file_name: "one.mp4".to_owned(),
                bytes: 5,
                sha256: "ab".repeat(32),
                container: "mp4".to_owned(),
            },
        }
    }

    async fn give(parts: &Parts, stream: StreamId, command: impl Into<AnyCommand>) {
        let given = parts
            .commands
            .give(stream, command, Ask::fresh(Actor::System))
            .await;
        given.expect("taken");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_no_video_needs_goes_and_nothing_else_does() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let parts = parts(dir.path());
        let [there, awaited, deleted, nobody] = [1, 2, 3, 4].map(|id| VideoId(Uuid::from_u128(id)));
        let segment = |video: VideoId| format!("renditions/{video}/job/1/360p/0.m4s");
        let film = |video: VideoId, name: &str| format!("originals/{video}/{name}");
        for video in [there, awaited, deleted] {
            let received = received(video, &film(video, "b"));
            let create = spool_commands::videos::create(&received);
            give(&parts, UploadId::of(video).stream(), Command::Receive(received)).await;
            // The process was killed, and stayed away for long, before a manager made the video.
            if video != awaited {
                give(&parts, video.stream(), create).await;
            }
        }
        let by = Actor::System;
        give(&parts, deleted.stream(), videos::Command::Delete { by }).await;
        let kept = [film(there, "b"), film(awaited, "b"), segment(there)];
        let unknown = [film(nobody, "a"), segment(nobody)];
        let lost = [
            film(there, "a"),
            film(there, "c"),
            film(awaited, "c"),
            film(deleted, "b"),
            segment(deleted),
        ];
        for key in kept.iter().chain(&unknown).chain(&lost) {
            put(&parts, key).await;
        }
        let mut known_as_unknown = BTreeSet::new();
        sweep_all(&parts, &mut known_as_unknown).await.expect("it sweeps");
        let mut left = [&kept[..], &unknown].concat();
        left.sort_unstable();
        assert_eq!(keys(&parts).await, left);

        sweep_all(&parts, &mut known_as_unknown).await.expect("it sweeps");
        assert_eq!(keys(&parts).await, kept);
    }
}
