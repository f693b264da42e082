//! Housekeeping: what nothing refers to any more is taken away, so that a refused, cut off or deleted film
//! leaves nothing behind.

use crate::runner::Parts;
use spool_blobs::BlobError;
use spool_commands::CommandError;
use spool_domain::ids::{UploadId, VideoId};
use spool_domain::uploads::Upload;
use spool_domain::videos::Video;
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

/// What the log has of the video in whose folder a blob is.
enum Owner {
    /// Deleted, or it never came to be.
    Nobody,
    /// Its film is this blob; nothing when that is not known.
    Video { original: Option<String> },
}

async fn owner_of(parts: &Parts, video: VideoId) -> Result<Owner, SweepError> {
    let (state, _) = parts.commands.state::<Video>(video.stream()).await?;
    if !matches!(state, Video::Existing(_)) {
        return Ok(Owner::Nobody);
    }
    let upload = UploadId::of(video).stream();
    let (state, _) = parts.commands.state::<Upload>(upload).await?;
    let original = match state {
        Upload::Received { source } => Some(source.blob),
        Upload::Awaited => None,
    };
    Ok(Owner::Video { original })
}

/// Removes the blobs of videos that are deleted or never came to be, and films that were sent once more.
async fn sweep_all(parts: &Parts) -> Result<(), SweepError> {
    if let Err(error) = parts.blobs.sweep(UPLOADS_END_WITHIN).await {
        tracing::warn!(%error, "what is left of unfinished uploads stays a while longer");
    }
    for folder in ["originals/", "renditions/"] {
        let mut after = None::<String>;
        // Blobs come in order, so those of a video come together.
        let mut seen = None::<(VideoId, Owner)>;
        loop {
            let page = parts.blobs.list(folder, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            let spared = i64::try_from(SPARE_YOUNGER_THAN.as_millis()).unwrap_or(i64::MAX);
            let old = |modified_ms: i64| parts.clock.now_ms() - modified_ms > spared;
            for blob in page.iter().filter(|blob| old(blob.modified_ms)) {
                let Some(video) = video_of(&blob.key) else {
                    continue;
                };
                if seen.as_ref().is_none_or(|(known, _)| *known != video) {
                    let owner = owner_of(parts, video).await?;
                    if matches!(owner, Owner::Nobody) {
                        tracing::info!(%video, "removing files that belong to no video");
                        remove(parts, video).await?;
                    }
                    seen = Some((video, owner));
                }
                // The process was killed before it threw away a film that had arrived twice.
                if folder == "originals/"
                    && let Some((
                        _,
                        Owner::Video {
                            original: Some(original),
                        },
                    )) = &seen
                    && *original != blob.key
                {
                    tracing::info!(%video, key = blob.key, "removing a film that was sent once more");
                    parts.blobs.delete(&blob.key).await?;
                }
            }
        }
    }
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
    use spool_commands::{Ask, Commands};
    use spool_domain::actors::Actor;
    use spool_domain::ids::AccountId;
    use spool_domain::uploads::{Command, Received};
    use spool_domain::videos::{Described, Source, Visibility};
    use spool_log::Log;
    use spool_platform::clock::Clock;
    use spool_platform::config::Config;
    use spool_platform::signals::Signals;
    use spool_projections::{Projections, no_switcher};
    use spool_tables::Tables;
    use std::path::Path;
    use std::sync::Arc;

    fn parts(dir: &Path, clock: Clock) -> Parts {
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

    /// An upload and its video, of this blob.
    async fn uploaded(parts: &Parts, video: VideoId, blob: &str) {
        let received = Received {
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
        };
        let create = spool_commands::videos::create(&received);
        let (commands, ask) = (&parts.commands, || Ask::fresh(Actor::System));
        let upload = UploadId::of(video).stream();
        let given = commands.give(upload, Command::Receive(received), ask()).await;
        given.expect("received");
        let given = commands.give(video.stream(), create, ask()).await;
        given.expect("created");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_no_video_needs_goes_when_it_is_old_and_nothing_else_does() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let clock = Clock::manual(Clock::system().now_ms());
        let parts = parts(dir.path(), clock.clone());
        let (video, nobody) = (VideoId(Uuid::from_u128(1)), VideoId(Uuid::from_u128(2)));
        let film = format!("originals/{video}/b");
        uploaded(&parts, video, &film).await;
        let kept = [film, format!("renditions/{video}/job/1/360p/0.m4s")];
        let lost = [
            format!("originals/{video}/a"),
            format!("originals/{video}/c"),
            format!("originals/{nobody}/a"),
            format!("renditions/{nobody}/job/1/360p/0.m4s"),
        ];
        for key in kept.iter().chain(&lost) {
            put(&parts, key).await;
        }
        sweep_all(&parts).await.expect("it sweeps");
        assert_eq!(keys(&parts).await.len(), kept.len() + lost.len());

        let age = i64::try_from(SPARE_YOUNGER_THAN.as_millis()).expect("minutes");
        clock.advance(age + 60_000);
        sweep_all(&parts).await.expect("it sweeps");
        assert_eq!(keys(&parts).await, kept);
    }
}
