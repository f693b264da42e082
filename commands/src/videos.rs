//! Uploads become videos, and videos get their transcode job: two process managers.

use crate::answer::CommandError;
use crate::managers::{Manager, Reacting, Reaction};
use spool_domain::accounts::Account;
use spool_domain::ids::{AccountId, JobId, UploadId, VideoId};
use spool_domain::{actors::Actor, jobs, uploads, videos};
use spool_schemas::AnyEvent;

/// A received upload becomes a video even when the gateway died in between.
pub const UPLOADS: Manager = Manager {
    name: "uploads",
    events: &["UploadReceived"],
    react: |reaction, event| create_video(reaction, event),
};

/// Processing starts by itself, and stops when the video is deleted.
pub const TRANSCODES: Manager = Manager {
    name: "transcodes",
    events: &["VideoUploaded", "VideoDeleted"],
    react: |reaction, event| start_or_stop(reaction, event),
};

fn create_video<'a>(reaction: &'a Reaction<'a>, event: AnyEvent) -> Reacting<'a> {
    Box::pin(async move {
        let AnyEvent::Uploads(uploads::Event::Received(received)) = event else {
            return Ok(());
        };
        let create = create(&received);
        reaction.give(received.video.stream(), create).await
    })
}

/// The command that makes a received upload a video.
pub fn create(received: &uploads::Received) -> videos::Command {
    videos::Command::Create {
        owner: received.owner,
        description: received.description.clone(),
        upload: UploadId::of(received.video),
        source: received.source.clone(),
    }
}

fn start_or_stop<'a>(reaction: &'a Reaction<'a>, event: AnyEvent) -> Reacting<'a> {
    Box::pin(async move {
        let video = VideoId(reaction.stream.id);
        let job = JobId::of(video, 1).stream();
        match event {
            AnyEvent::Videos(videos::Event::Uploaded(uploaded)) => {
                let (state, _) = reaction.commands.state::<videos::Video>(reaction.stream).await?;
                let videos::Video::Existing(existing) = state else {
                    return Ok(());
                };
                if is_erased(reaction, existing.owner).await? {
                    // It was on its way when its owner was erased.
                    let by = Actor::System;
                    return reaction
                        .give(reaction.stream, videos::Command::Delete { by })
                        .await;
                }
                let requested = jobs::Requested {
                    video,
                    owner: existing.owner,
                    blob: uploaded.source.blob,
                    container: uploaded.source.container,
                    attempts_max: reaction.settings().job_attempts_max,
                };
                reaction.give(job, jobs::Command::Request(requested)).await
            }
            AnyEvent::Videos(videos::Event::Deleted(_)) => {
                reaction
                    .give(job, jobs::Command::Cancel { by: Actor::System })
                    .await
            }
            AnyEvent::Videos(videos::Event::Created(_) | videos::Event::Described(_))
            | AnyEvent::Accounts(_)
            | AnyEvent::Reservations(_)
            | AnyEvent::Uploads(_)
            | AnyEvent::Jobs(_)
            | AnyEvent::Views(_) => Ok(()),
        }
    })
}

async fn is_erased(reaction: &Reaction<'_>, owner: AccountId) -> Result<bool, CommandError> {
    let (state, _) = reaction.commands.state::<Account>(owner.stream()).await?;
    Ok(matches!(state, Account::Erased))
}
