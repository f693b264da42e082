//! Uploads: a film streamed from a multipart body to the store, never held in memory, and then told to the log.

mod arriving;
mod keeping;

use crate::asking::Asking;
use crate::frame::in_time;
use crate::gateway::Gateway;
use crate::linger::lend;
use crate::problem::{Kind, Problem, ProblemBody};
use arriving::{Arrived, Arriving};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use keeping::keep;
use serde::Serialize;
use spool_domain::ids::AccountId;
use spool_domain::videos::Visibility;
use spool_projections::catalogue::{Video, VisibilityWord};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// What a multipart body may have beyond the file: texts, headers of parts, boundaries.
const SLACK_BYTES: u64 = 64 * 1024;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(upload).layer(DefaultBodyLimit::disable()))
}

/// The form of an upload.
#[derive(ToSchema)]
#[schema(as = UploadForm)]
#[expect(dead_code, reason = "only describes the body")]
struct Form {
    /// 1 to 200 characters.
    #[schema(example = "Big Buck Bunny")]
    title: String,
    /// At most 5,000 characters.
    description: Option<String>,
    /// `public` if left out.
    #[schema(value_type = Option<VisibilityWord>)]
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
#[utoipa::path(post, path = "/api/storage/upload/video", operation_id = "upload_video", tag = "uploads",
    request_body(content = Form, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "The new video", body = Uploaded, headers(("ETag" = String), ("Location" = String))),
        (status = 400, description = "The body broke off or is no form", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "A viewer may not upload", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not a film, or not a form", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "No room, or something is away", body = ProblemBody, content_type = "application/problem+json"),
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
            in_time(kept).await??
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
    if free.unwrap_or(u64::MAX) < length.saturating_add(uploads.min_free_bytes) {
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
