//! Uploads: a film streamed from a multipart body to the store, never held in memory, and then told to the log.

use crate::asking::{Asking, consistency_header, request_hash};
use crate::gateway::Gateway;
use crate::linger::lend;
use crate::problem::{Kind, Problem, ProblemBody};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bytes::BytesMut;
use serde::Serialize;
use spool_blobs::{BlobWriter, Durability, Stored};
use spool_commands::{Ask, CommandError, Outcome, ids};
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::text::{DESCRIPTION_MAX_CHARS, TITLE_MAX_CHARS, check_file_name, check_line, check_lines};
use spool_domain::time::Timestamp;
use spool_domain::uploads::{Command, Received};
use spool_domain::videos::{Described, Source, Visibility};
use spool_media_protocol::sniff::{SNIFF_BYTES, sniff};
use spool_media_protocol::{Container, RefusalCode};
use spool_projections::catalogue::{Status, Video};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use uuid::Uuid;

/// What a multipart body may have beyond the file: texts, headers of parts, boundaries.
const SLACK_BYTES: u64 = 64 * 1024;
const PARTS_MAX: usize = 32;
/// A client that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(60);

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(upload).layer(DefaultBodyLimit::disable()))
}

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the body")]
struct Form {
    /// 1 to 200 characters.
    #[schema(example = "Big Buck Bunny")]
    title: String,
    /// At most 5,000 characters.
    description: Option<String>,
    /// `public` if left out.
    #[schema(value_type = Option<String>, example = "public")]
    visibility: Option<Visibility>,
    /// The film; what it is, is decided by its content.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

#[derive(Serialize, ToSchema)]
struct Uploaded {
    video: Video,
}

/// Uploads a film. Processing starts by itself.
///
/// The texts may come before or after the file; before it, mistakes in them are told sooner. Other parts are ignored.
#[utoipa::path(post, path = "/api/storage/upload/video", tag = "uploads",
    request_body(content = Form, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and content give the first answer again")),
    responses(
        (status = 201, description = "The new video", body = Uploaded),
        (status = 400, description = "The body broke off or is no form", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "A viewer may not upload", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not a film, or not a form", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "No room", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn upload(
    State(gateway): State<Gateway>,
    asking: Result<Asking, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    // The body is lent out, so that what is left of a refused one can be read on.
    let (lent, rest) = lend(body);
    match receive(&gateway, asking, Request::from_parts(parts, lent)).await {
        Ok((owner, arrived)) => {
            // What has arrived is kept even if the client has no patience for the answer.
            let kept = tokio::spawn(async move { keep(&gateway, owner, arrived).await });
            kept.await?
        }
        Err(problem) => {
            rest.linger();
            Err(problem)
        }
    }
}

async fn receive(
    gateway: &Gateway,
    asking: Result<Asking, Problem>,
    request: Request,
) -> Result<(AccountId, Arrived), Problem> {
    let asking = asking?;
    let owner = allowed(gateway, &asking, request.headers())?;
    let arriving = Arriving::new(gateway.clone(), &asking);
    let form = Multipart::from_request(request, &()).await;
    let form = form.map_err(|rejection| Problem::malformed(rejection.body_text()))?;
    Ok((owner, arriving.receive(form).await?))
}

/// Everything that can be known without the body.
fn allowed(gateway: &Gateway, asking: &Asking, headers: &HeaderMap) -> Result<AccountId, Problem> {
    let actor = asking.signed_in()?;
    let owner = actor.account().ok_or_else(Problem::sign_in_needed)?;
    if !actor.may_create() {
        return Err(Problem::not_allowed("your role lets you watch, not upload"));
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/form-data")
    {
        return Err(Problem::new(
            Kind::WrongType,
            "the body must be multipart/form-data",
        ));
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let Some(length) = length.and_then(|text| text.parse::<u64>().ok()) else {
        return Ok(owner);
    };
    let uploads = &gateway.parts().config.uploads;
    if length > uploads.max_bytes.saturating_add(SLACK_BYTES) {
        return Err(too_large(uploads.max_bytes));
    }
    let free = gateway.parts().blobs.free_bytes()?;
    if free < length.saturating_add(uploads.min_free_bytes) {
        return Err(Problem::no_room());
    }
    Ok(owner)
}

fn too_large(max_bytes: u64) -> Problem {
    Problem::new(
        Kind::TooLarge,
        format!("the file must be at most {max_bytes} bytes"),
    )
}

/// A form on its way in. Dropped early, it leaves nothing behind.
struct Arriving {
    gateway: Gateway,
    ask: Ask,
    video: VideoId,
    title: Option<String>,
    description: Option<String>,
    visibility: Option<Visibility>,
    film: Option<Film>,
}

/// The file, written to a temporary place.
struct Film {
    writer: BlobWriter,
    name: String,
    container: Container,
}

/// A whole form, checked. The film is still in its temporary place.
struct Arrived {
    ask: Ask,
    video: VideoId,
    description: Described,
    film: Film,
}

impl Arriving {
    fn new(gateway: Gateway, asking: &Asking) -> Self {
        let ask = asking.ask(&gateway, "upload-video", &[]);
        let video = VideoId(ids::created_by(ask.command, "video"));
        Self {
            gateway,
            ask,
            video,
            title: None,
            description: None,
            visibility: None,
            film: None,
        }
    }

    async fn receive(mut self, mut form: Multipart) -> Result<Arrived, Problem> {
        let mut parts = 0;
        while let Some(part) = in_time(form.next_field()).await? {
            parts += 1;
            if parts > PARTS_MAX {
                return Err(Problem::new(
                    Kind::TooLarge,
                    format!("the form has more than {PARTS_MAX} parts"),
                ));
            }
            self.take(part).await?;
        }
        let missing = |name: &str| Problem::invalid(format!("/{name}"), "must be given");
        let title = self.title.ok_or_else(|| missing("title"))?;
        let film = self.film.ok_or_else(|| missing("file"))?;
        let description = Described {
            title,
            description: self.description.unwrap_or_default(),
            visibility: self.visibility.unwrap_or_default(),
        };
        Ok(Arrived {
            ask: self.ask,
            video: self.video,
            description,
            film,
        })
    }

    /// Takes one part; a mistake in it is told before the next is read.
    async fn take(&mut self, part: Field<'_>) -> Result<(), Problem> {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "title" => {
                let title = text(part, "title", TITLE_MAX_CHARS).await?.trim().to_owned();
                check_line(&title, TITLE_MAX_CHARS)
                    .map_err(|complaint| Problem::invalid("/title", complaint))?;
                once(&mut self.title, title, "title")
            }
            "description" => {
                let lines = text(part, "description", DESCRIPTION_MAX_CHARS).await?;
                let checked = check_lines(&lines, DESCRIPTION_MAX_CHARS);
                checked.map_err(|complaint| Problem::invalid("/description", complaint))?;
                once(&mut self.description, lines, "description")
            }
            "visibility" => {
                let word = text(part, "visibility", 16).await?;
                once(&mut self.visibility, visibility(word.trim())?, "visibility")
            }
            "file" => {
                let film = self.film(part).await?;
                once(&mut self.film, film, "file")
            }
            _ => ignore(part).await,
        }
    }

    async fn film(&self, mut part: Field<'_>) -> Result<Film, Problem> {
        let invalid = |complaint: String| Problem::invalid("/file", complaint);
        let name = part.file_name().unwrap_or_default().to_owned();
        check_file_name(&name).map_err(|complaint| invalid(format!("name {complaint}")))?;
        let max_bytes = self.gateway.parts().config.uploads.max_bytes;
        let mut start = BytesMut::new();
        let mut is_over = false;
        while start.len() < SNIFF_BYTES && !is_over {
            match in_time(part.chunk()).await? {
                Some(chunk) => start.extend_from_slice(&chunk),
                None => is_over = true,
            }
        }
        let container = sniff(&start).map_err(|refusal| match refusal.code {
            RefusalCode::Empty => invalid("must not be empty".to_owned()),
            _ => Problem::new(Kind::WrongType, refusal.sentence),
        })?;
        // A name of its own: a repeated request must not write over what the first one brought.
        let key = format!("originals/{}/{}", self.video, Uuid::now_v7());
        let mut writer = self
            .gateway
            .parts()
            .blobs
            .put_stream(&key, Durability::Durable)
            .await?;
        let mut next = Some(start.freeze());
        while let Some(chunk) = next {
            if writer.written() + chunk.len() as u64 > max_bytes {
                writer.abort().await;
                return Err(too_large(max_bytes));
            }
            writer.write(chunk).await?;
            next = match in_time(part.chunk()).await {
                Ok(chunk) => chunk,
                Err(problem) => {
                    writer.abort().await;
                    return Err(problem);
                }
            };
        }
        Ok(Film {
            writer,
            name,
            container,
        })
    }
}

/// Waits for the next piece of the body, not for ever.
async fn in_time<T>(piece: impl Future<Output = Result<T, MultipartError>>) -> Result<T, Problem> {
    match tokio::time::timeout(SILENCE, piece).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(_) => Err(Problem::new(Kind::TookTooLong, "nothing came for a minute")),
    }
}

/// Whatever is wrong with a form is the sender's: it broke off, or it is no form.
fn unreadable(error: &MultipartError) -> Problem {
    Problem::malformed("the form broke off before its end, or it is damaged").caused_by(error.body_text())
}

/// A short text. More bytes than `max_chars` could ever need are not even read.
async fn text(mut part: Field<'_>, name: &str, max_chars: usize) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = in_time(part.chunk()).await? {
        if bytes.len() + chunk.len() > max_chars * 4 {
            let complaint = format!("must be at most {max_chars} characters long");
            return Err(Problem::invalid(format!("/{name}"), complaint));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("/{name}"), "must be text in UTF-8"))
}

async fn ignore(mut part: Field<'_>) -> Result<(), Problem> {
    let mut left = SLACK_BYTES as usize;
    while let Some(chunk) = in_time(part.chunk()).await? {
        left = left
            .checked_sub(chunk.len())
            .ok_or_else(|| Problem::new(Kind::TooLarge, "a part that is not known here is too large"))?;
    }
    Ok(())
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::invalid(format!("/{name}"), "must be given once only")),
    }
}

fn visibility(word: &str) -> Result<Visibility, Problem> {
    match word {
        "" | "public" => Ok(Visibility::Public),
        "unlisted" => Ok(Visibility::Unlisted),
        "private" => Ok(Visibility::Private),
        _ => Err(Problem::invalid(
            "/visibility",
            "must be public, unlisted or private",
        )),
    }
}

/// Moves the film to its place, tells the log, and answers with the video.
async fn keep(gateway: &Gateway, owner: AccountId, arrived: Arrived) -> Result<Response, Problem> {
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
    match tell(gateway, &received, ask).await {
        Ok((outcome, repeated)) => {
            if repeated {
                discard(gateway, &stored.key).await;
            }
            answer(gateway, received, &outcome).await
        }
        Err(error) => {
            // If it is not certain that the log has it not, the film stays: asking again decides.
            if !matches!(error, CommandError::Unavailable(_)) {
                discard(gateway, &stored.key).await;
            }
            Err(error.into())
        }
    }
}

/// The upload, then the video that it brings. Also says whether this was all known before.
async fn tell(gateway: &Gateway, received: &Received, ask: Ask) -> Result<(Outcome, bool), CommandError> {
    let commands = &gateway.parts().commands;
    let request = ask.request.is_some().then(|| hash(gateway, received));
    let ask = Ask { request, ..ask };
    let upload = UploadId::of(received.video).stream();
    let first = commands
        .give(upload, Command::Receive(received.clone()), ask.clone())
        .await?;
    let create = spool_commands::videos::create(received);
    // From here on the video comes to be in any case: a process manager sees to it.
    let outcome = match commands
        .give(received.video.stream(), create, ask.then("create"))
        .await
    {
        Err(CommandError::Refused(_)) if first.repeated => first.clone(),
        other => other.map_err(|error| CommandError::Unavailable(error.to_string()))?,
    };
    Ok((outcome, first.repeated))
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
    let etag =
        header::HeaderValue::try_from(format!("\"v{}\"", video.version)).expect("digits are visible ASCII");
    let location =
        header::HeaderValue::try_from(format!("/api/videos/{}", video.id)).expect("a UUID is visible ASCII");
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
