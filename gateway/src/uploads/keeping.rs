//! Makes a film that has arrived a video: its place in the store, the log, and the answer.

use super::Uploaded;
use super::arriving::{Arrived, Film};
use crate::asking::{consistency_header, request_hash};
use crate::gateway::Gateway;
use crate::problem::Problem;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use spool_blobs::Stored;
use spool_commands::{Ask, CommandError, Commands, Outcome};
use spool_domain::ids::{AccountId, UploadId};
use spool_domain::time::Timestamp;
use spool_domain::uploads::{Command, Event, Received};
use spool_domain::videos::{Described, Source};
use spool_media_protocol::Container;
use spool_projections::catalogue::{Status, Video};
use spool_schemas::AnyEvent;

/// Moves the film to its place, tells the log, and answers with the video.
pub async fn keep(gateway: &Gateway, owner: AccountId, arrived: Arrived) -> Result<Response, Problem> {
    let Arrived {
        ask,
        video,
        description,
        film,
    } = arrived;
    let Film {
        writer,
        name,
        container,
    } = film;
    let stored = writer.finish().await?;
    let source = source(&stored, name, container);
    let received = Received {
        video,
        owner,
        description,
        source,
    };
    let sealed = match gateway.sealed_upload(&received).await {
        Ok(sealed) => sealed,
        Err(problem) => {
            discard(gateway, &stored.key).await;
            return Err(problem);
        }
    };
    let request = ask.request.is_some().then(|| hash(gateway, &received));
    let ask = Ask { request, ..ask };
    match tell(&gateway.parts().commands, &sealed, ask).await {
        Ok((outcome, kept)) => {
            if kept != stored.key {
                discard(gateway, &stored.key).await;
            }
            answer(gateway, received, &outcome).await
        }
        Err(error) => {
            // If it is not certain that the log has it not, the film stays: asking again decides.
            if !matches!(error, CommandError::Unavailable(_) | CommandError::Elsewhere(_)) {
                discard(gateway, &stored.key).await;
            }
            Err(error.into())
        }
    }
}

/// The upload, then the video that it brings. Also says which blob the log has for it: another one if the same upload came before.
/// That it is a repetition says nothing, for the handle asks again by itself when an answer is lost.
async fn tell(commands: &Commands, received: &Received, ask: Ask) -> Result<(Outcome, String), CommandError> {
    let upload = UploadId::of(received.video).stream();
    let first = commands
        .give(upload, Command::Receive(received.clone()), ask.clone())
        .await?;
    // The video is made of the fact: whoever brought the film first may have died before it was.
    let fact = first.events.iter().find_map(|event| match event {
        AnyEvent::Uploads(Event::Received(fact)) => Some(fact),
        _ => None,
    });
    let fact = fact.unwrap_or(received);
    let create = spool_commands::videos::create(fact);
    // From here on the video comes to be in any case: a process manager sees to it.
    let outcome = match commands
        .give(fact.video.stream(), create, ask.then("create"))
        .await
    {
        Err(CommandError::Refused(_)) if first.repeated => first.clone(),
        other => other.map_err(|error| CommandError::Unavailable(error.to_string()))?,
    };
    let kept = fact.source.blob.clone();
    Ok((outcome, kept))
}

/// Of everything that makes two uploads the same.
fn hash(gateway: &Gateway, received: &Received) -> String {
    let Described {
        title,
        description,
        visibility,
    } = &received.description;
    let said = (
        title,
        description,
        visibility,
        &received.source.file_name,
        &received.source.sha256,
    );
    request_hash(gateway, &serde_json::to_vec(&said).expect("texts become JSON"))
}

fn source(stored: &Stored, file_name: String, container: Container) -> Source {
    let container = serde_json::to_value(container).ok();
    Source {
        blob: stored.key.clone(),
        file_name,
        bytes: stored.size,
        sha256: stored.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        container: container
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}

async fn discard(gateway: &Gateway, key: &str) {
    if let Err(error) = gateway.parts().blobs.delete(key).await {
        tracing::warn!(key, %error, "deleting a film that was not taken");
    }
}

/// The log has the upload, so the answer is yes, even if the view is not there yet.
async fn answer(gateway: &Gateway, received: Received, outcome: &Outcome) -> Result<Response, Problem> {
    let row = match gateway.wait_for("catalogue", Some(&outcome.token)).await {
        Ok(()) => gateway.video(received.video).await.ok().flatten(),
        Err(_) => None,
    };
    let video = row.unwrap_or_else(|| unseen(received, gateway.parts().clock.now_ms()));
    let etag = HeaderValue::try_from(format!("\"v{}\"", video.version)).expect("digits are visible ASCII");
    let location =
        HeaderValue::try_from(format!("/api/videos/{}", video.id)).expect("a UUID is visible ASCII");
    let headers = [
        consistency_header(outcome),
        (header::ETAG, etag),
        (header::LOCATION, location),
    ];
    let uploaded = Uploaded {
        video: gateway.shown(video),
    };
    Ok((StatusCode::CREATED, AppendHeaders(headers), axum::Json(uploaded)).into_response())
}

/// The video as it is at its beginning, from what the upload said.
fn unseen(received: Received, now_ms: i64) -> Video {
    let now = Timestamp::from_millis(now_ms);
    let Described {
        title,
        description,
        visibility,
    } = received.description;
    Video {
        id: received.video,
        owner_id: received.owner,
        owner_username: None,
        title,
        description,
        visibility,
        status: Status::Uploaded,
        created_at: now,
        updated_at: now,
        duration_seconds: None,
        width: None,
        height: None,
        video_codec: None,
        audio_codec: None,
        file_name: Some(received.source.file_name),
        file_size: Some(received.source.bytes),
        thumbnail_url: None,
        hls_url: None,
        playable: false,
        renditions: vec![],
        warnings: vec![],
        error_text: None,
        job_id: None,
        version: 2,
        original: None,
        thumbnail: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool_domain::actors::{Actor, Role};
    use spool_domain::ids::VideoId;
    use spool_domain::videos::Visibility;
    use spool_log::Log;
    use spool_platform::clock::Clock;
    use spool_schemas::CommitRef;
    use spool_tables::Tables;
    use uuid::Uuid;

    fn received(blob: &str) -> Received {
        Received {
            video: VideoId(Uuid::from_u128(1)),
            owner: AccountId(Uuid::from_u128(2)),
            description: Described {
                title: "One".to_owned(),
                description: String::new(),
                visibility: Visibility::Public,
            },
            source: Source {
                blob: blob.to_owned(),
                file_name: "one.mp4".to_owned(),
                bytes: 5_000,
                sha256: "ab".repeat(32),
                container: "mp4".to_owned(),
            },
        }
    }

    /// The files of all videos, as the log has them.
    fn files(log: &Log) -> Vec<String> {
        let records =
            (0..log.partitions()).flat_map(|number| log.read(number, 0, usize::MAX).expect("it reads"));
        let events = records.flat_map(|record| {
            let commit = CommitRef::decode(&record.payload).expect("a commit");
            commit.decode_events().expect("known events")
        });
        events
            .filter_map(|event| match event {
                AnyEvent::Videos(spool_domain::videos::Event::Uploaded(uploaded)) => {
                    Some(uploaded.source.blob)
                }
                _ => None,
            })
            .collect()
    }

    /// The process is killed between the two facts, and the client, which has had no answer, sends the film again with
    /// its key before a process manager makes the video.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_video_is_made_of_the_film_that_the_log_has_and_not_of_the_one_that_goes() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = Log::open(spool_log::Config::new(dir.path().join("log"))).expect("the log opens");
        let parts = spool_commands::Parts {
            log: log.clone(),
            tables: Tables::open(dir.path().join("tables")).expect("the tables open"),
            clock: Clock::system(),
        };
        let commands = Commands::open(parts).expect("the commands open");
        let (first, again) = (received("originals/1/first"), received("originals/1/again"));
        let ask = Ask::fresh(Actor::Person {
            account: first.owner,
            role: Role::Creator,
        });
        let upload = UploadId::of(first.video).stream();
        let receive = Command::Receive(first.clone());
        commands.give(upload, receive, ask.clone()).await.expect("taken");

        let (_, kept) = tell(&commands, &again, ask).await.expect("taken again");
        assert_eq!(kept, first.source.blob);
        assert_eq!(files(&log), [first.source.blob]);
    }
}
