//! Videos over HTTP: the list, one of them, how far it is, changing and deleting it.

use crate::asking::{Asking, consistency_header, done};
use crate::auth::Caller;
use crate::body::{Id, Json, Parameters};
use crate::encoded::{self, Caching, Encoded};
use crate::gateway::Gateway;
use crate::jobs::JobBrief;
use crate::paging::{self, Page};
use crate::problem::{Problem, ProblemBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use spool_blobs::urls::expiry_s;
use spool_commands::{Ask, CommandError, Outcome};
use spool_domain::ids::{AccountId, VideoId};
use spool_domain::videos::{self as domain, Described, Visibility};
use spool_projections::catalogue::{self, List, Of, Status, Video};
use spool_projections::{Projections, QueryError};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// How often a change of some fields is merged anew when somebody else changed others meanwhile.
const MERGES: usize = 5;
/// How many rows may be looked through for one page of what others may see of a person's videos.
const LOOKED_THROUGH: usize = 10;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, change, delete))
        .routes(routes!(status))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// 1 to 100; 20 if left out.
    #[param(value_type = Option<u32>, example = 20)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `me`, or an account's id. Left out: everybody's public videos.
    owner: Option<String>,
}

/// Whose list, how many, from where: the question that an encoded page answers.
pub type Question = (Option<AccountId>, usize, Option<String>);

/// What may be changed. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = VideoChange)]
#[serde(deny_unknown_fields)]
struct Change {
    /// 1 to 200 characters.
    #[schema(example = "Big Buck Bunny")]
    title: Option<String>,
    /// At most 5,000 characters.
    description: Option<String>,
    #[schema(value_type = Option<catalogue::VisibilityWord>)]
    visibility: Option<Visibility>,
}

/// What can be changed of a video, as it is after a change.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedVideo)]
struct Changed {
    id: Uuid,
    title: String,
    description: String,
    #[schema(value_type = catalogue::VisibilityWord)]
    visibility: Visibility,
}

/// How far a video is.
#[derive(Serialize, ToSchema)]
#[schema(as = VideoProgress)]
struct Progress {
    id: Uuid,
    status: Status,
    playable: bool,
    hls_url: Option<String>,
    job: Option<JobBrief>,
}

/// Videos, newest first.
#[utoipa::path(get, path = "/api/videos", operation_id = "list_videos", tag = "videos", params(Listing), security((), ("bearer" = [])), responses(
    (status = 200, description = "A page", body = Page<Video>),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 401, description = "The list of `me` of nobody who is signed in, or a token that is not good", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid limit or cursor", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn list(
    State(gateway): State<Gateway>,
    asking: Asking,
    Parameters(listing): Parameters<Listing>,
    // Borrowed from: a copy of the headers is a good part of what a kept answer costs.
    request: Request,
) -> Result<Response, Problem> {
    let (limit, cursor) = paging::checked(listing.limit.as_deref(), listing.cursor)?;
    let owner = owner(listing.owner.as_deref(), &asking.caller)?;
    gateway.wait_for("catalogue", asking.token()).await?;
    if let Some(owner) = owner.filter(|owner| asking.caller.may_act_for(*owner)) {
        let page = gateway.page(Of::Owner(owner), false, limit, cursor).await?;
        return Ok(Encoded::json(&page, "", Caching::Private).answer(request.headers()));
    }
    let question = (owner, limit, cursor);
    let generation = gateway.generation();
    // A view may show a change a moment before it says that something changed: a reader who must see it asks anew.
    if asking.token().is_none()
        && let Some(kept) = gateway.kept_pages().get(&question, generation)
    {
        return Ok(kept.answer(request.headers()));
    }
    let of = owner.map_or(Of::Public, Of::Owner);
    let page = gateway.page(of, true, limit, question.2.clone()).await?;
    let encoded = Arc::new(Encoded::json(&page, "", Caching::Revalidate));
    gateway.kept_pages().keep(question, generation, &encoded);
    Ok(encoded.answer(request.headers()))
}

/// One video.
#[utoipa::path(get, path = "/api/videos/{id}", operation_id = "get_video", tag = "videos", params(("id" = Uuid, Path)), security((), ("bearer" = [])), responses(
    (status = 200, description = "The video", body = Video),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "There is none, or it is private", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn get(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    request: Request,
) -> Result<Response, Problem> {
    gateway.wait_for("catalogue", asking.token()).await?;
    let generation = gateway.generation();
    if asking.token().is_none()
        && let Some(kept) = gateway.kept_videos().get(&id, generation)
    {
        return Ok(kept.answer(request.headers()));
    }
    let video = gateway.visible(VideoId(id), &asking.caller).await?;
    let is_private = video.visibility == Visibility::Private;
    let tag = format!("v{}", video.version);
    let video = gateway.shown(video);
    if is_private {
        return Ok(Encoded::json(&video, &tag, Caching::Private).answer(request.headers()));
    }
    let encoded = Arc::new(Encoded::json(&video, &tag, Caching::Revalidate));
    gateway.kept_videos().keep(id, generation, &encoded);
    Ok(encoded.answer(request.headers()))
}

/// How far a video is, in short.
#[utoipa::path(get, path = "/api/videos/{id}/status", operation_id = "get_video_status", tag = "videos", params(("id" = Uuid, Path)), security((), ("bearer" = [])), responses(
    (status = 200, description = "Its state, and that of its job", body = Progress),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "There is none, or it is private", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn status(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    gateway.wait_for("catalogue", asking.token()).await?;
    gateway.wait_for("jobs", asking.token()).await?;
    let video = gateway.visible(VideoId(id), &asking.caller).await?;
    let job = gateway.job_of(VideoId(id)).await?;
    let video = gateway.shown(video);
    let progress = Progress {
        id,
        status: video.status,
        playable: video.playable,
        hls_url: video.hls_url,
        job: job.map(JobBrief::from),
    };
    Ok(Encoded::json(&progress, "", Caching::Private).answer(&headers))
}

/// Changes title, description or visibility.
#[utoipa::path(put, path = "/api/videos/{id}", operation_id = "change_video", tag = "videos", params(("id" = Uuid, Path)), request_body = Change, responses(
    (status = 200, description = "What was changed, as it is now; the whole video is read with the Consistency-Token", body = Changed, headers(("ETag" = String))),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none, or it is private", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Invalid values", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn change(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    Json { value, bytes }: Json<Change>,
) -> Result<Response, Problem> {
    let by = asking.signed_in()?;
    let expected_version = asking.expected_version()?;
    let ask = Ask {
        expected_version,
        ..asking.ask(&gateway, "change-video", &bytes)
    };
    // The connection reads the next request into the same memory, unless somebody holds it.
    drop(bytes);
    let video = VideoId(id);
    let (description, outcome) = match value.complete() {
        Ok(description) => {
            let owner = gateway.owner_of(video, &asking.caller).await?;
            let command = domain::Command::Describe {
                by,
                description: gateway.sealed_description(owner, &description).await?,
            };
            let outcome = gateway
                .parts()
                .commands
                .give(video.stream(), command, ask)
                .await?;
            (description, outcome)
        }
        // Apart, so that every other change does not carry what this one needs.
        Err(change) => Box::pin(gateway.merge(video, &change, &asking.caller, ask)).await?,
    };
    Ok(changed(video, description, &outcome))
}

/// Deletes a video and all that was made of it.
#[utoipa::path(delete, path = "/api/videos/{id}", operation_id = "delete_video", tag = "videos", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "Gone"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is none, or it is private", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "It was changed meanwhile", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn delete(State(gateway): State<Gateway>, Id(id): Id, asking: Asking) -> Result<Response, Problem> {
    let by = asking.signed_in()?;
    let expected_version = asking.expected_version()?;
    let ask = Ask {
        expected_version,
        ..asking.ask(&gateway, "delete-video", id.as_bytes())
    };
    let command = domain::Command::Delete { by };
    let outcome = gateway
        .parts()
        .commands
        .give(VideoId(id).stream(), command, ask)
        .await?;
    Ok(done(&outcome))
}

fn owner(asked: Option<&str>, caller: &Caller) -> Result<Option<AccountId>, Problem> {
    match asked {
        None | Some("") => Ok(None),
        Some("me") => Ok(Some(caller.account()?)),
        Some(id) => {
            let id = Uuid::try_parse(id)
                .map_err(|_| Problem::invalid("/owner", "must be me or an account's id"))?;
            Ok(Some(AccountId(id)))
        }
    }
}

impl Change {
    /// The whole description, or the change as it is when something is left out.
    fn complete(self) -> Result<Described, Self> {
        match self {
            Self {
                title: Some(title),
                description: Some(description),
                visibility: Some(visibility),
            } => Ok(Described {
                title: title.trim().to_owned(),
                description,
                visibility,
            }),
            partial => Err(partial),
        }
    }

    fn over(&self, before: Described) -> Described {
        Described {
            title: self
                .title
                .as_ref()
                .map_or(before.title, |title| title.trim().to_owned()),
            description: self.description.clone().unwrap_or(before.description),
            visibility: self.visibility.unwrap_or(before.visibility),
        }
    }
}

impl Gateway {
    /// Rises when any row that a public answer is made of changes.
    fn generation(&self) -> u64 {
        let projections = &self.parts().projections;
        projections.catalogue().generation() + projections.accounts().generation()
    }

    /// The video's row, if the caller may know of it.
    pub(crate) async fn visible(&self, id: VideoId, caller: &Caller) -> Result<Video, Problem> {
        let video = self.video(id).await?.ok_or_else(|| Problem::not_found("video"))?;
        if video.visibility == Visibility::Private && !caller.may_act_for(video.owner_id) {
            return Err(Problem::not_found("video"));
        }
        Ok(video)
    }

    /// The video's row with its owner's name.
    pub(crate) async fn video(&self, id: VideoId) -> Result<Option<Video>, Problem> {
        let gateway = self.clone();
        self.query(move |projections| {
            let video = projections.catalogue().video(id)?;
            video
                .map(|video| gateway.with_username(projections, video))
                .transpose()
        })
        .await
    }

    async fn page(
        &self,
        of: Of,
        only_public: bool,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Video>, Problem> {
        let gateway = self.clone();
        self.query(move |projections| {
            let found = read_page(projections, of, only_public, limit, cursor)?;
            let named = found
                .items
                .into_iter()
                .map(|video| gateway.with_username(projections, video));
            let items = named
                .map(|video| video.map(|video| gateway.shown(video)))
                .collect::<Result<_, _>>()?;
            Ok(Page {
                items,
                next_cursor: found.next_cursor,
            })
        })
        .await
    }

    fn with_username(&self, projections: &Projections, video: Video) -> Result<Video, QueryError> {
        let username = self.people().username(projections, video.owner_id)?;
        Ok(Video {
            owner_username: username.map(|name| name.to_string()),
            ..self.with_texts(video)?
        })
    }

    /// Adds the addresses of what can be watched, signed where they have to be.
    pub(crate) fn shown(&self, mut video: Video) -> Video {
        let base = self
            .parts()
            .config
            .public_url
            .as_deref()
            .unwrap_or("")
            .trim_end_matches('/');
        let folder = format!("/api/storage/videos/{}", video.id);
        let is_private = video.visibility == Visibility::Private;
        let expires = || {
            expiry_s(
                self.parts().clock.now_ms(),
                self.parts().config.catalogue.signed_url_seconds,
            )
        };
        if video.playable {
            let hls = format!("{folder}/hls/");
            let query = if is_private {
                format!("?{}", self.signer().tree(&hls, expires()))
            } else {
                String::new()
            };
            video.hls_url = Some(format!("{base}{hls}master.m3u8{query}"));
        }
        if let Some(url) = video
            .thumbnail
            .as_ref()
            .and_then(|thumbnail| self.everybodys_url(&video, thumbnail))
        {
            video.thumbnail_url = Some(url);
        } else if video.thumbnail.is_some() {
            let path = format!("{folder}/thumbnail");
            let query = if is_private {
                format!("?{}", self.signer().object(&path, expires()))
            } else {
                String::new()
            };
            video.thumbnail_url = Some(format!("{base}{path}{query}"));
        }
        video
    }

    /// Changes some fields on top of the others as they are, again if these change in between.
    async fn merge(
        &self,
        id: VideoId,
        change: &Change,
        caller: &Caller,
        ask: Ask,
    ) -> Result<(Described, Outcome), Problem> {
        let commands = &self.parts().commands;
        for _ in 0..MERGES {
            // The version goes with the command, so nothing has to be durable yet; an answer without a command does.
            let (video, version) = match commands.glance::<domain::Video>(id.stream()).await? {
                seen @ (domain::Video::Existing(_), _) => seen,
                _ => commands.state::<domain::Video>(id.stream()).await?,
            };
            let domain::Video::Existing(existing) = video else {
                return Err(Problem::not_found("video"));
            };
            let owner = existing.owner;
            let before = self.opened_description(owner, existing.description).await?;
            let description = change.over(before);
            let command = domain::Command::Describe {
                by: caller.actor(),
                description: self.sealed_description(owner, &description).await?,
            };
            let expected_version = ask.expected_version.or(Some(version));
            let ask_again = Ask {
                expected_version,
                ..ask.clone()
            };
            match commands.give(id.stream(), command, ask_again).await {
                Ok(outcome) => return Ok((description, outcome)),
                Err(CommandError::Stale { .. }) if ask.expected_version.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::unavailable(
            "this video is being changed by too many at once",
        ))
    }
}

/// What was changed, as it is now. The rest is in the view, and a change must not have to wait for that.
fn changed(id: VideoId, description: Described, outcome: &Outcome) -> Response {
    let etag = HeaderValue::try_from(format!("\"v{}\"", outcome.version)).expect("digits are visible ASCII");
    let (name, token) = consistency_header(outcome);
    let Described {
        title,
        description,
        visibility,
    } = description;
    let changed = Changed {
        id: id.0,
        title,
        description,
        visibility,
    };
    let mut response = encoded::once(&changed);
    response.headers_mut().insert(name, token);
    response.headers_mut().insert(header::ETAG, etag);
    response
}

struct Found {
    items: Vec<Video>,
    next_cursor: Option<String>,
}

/// A page; with `only_public`, of what anybody may find, also in one person's list, which has everything.
fn read_page(
    projections: &Projections,
    of: Of,
    only_public: bool,
    limit: usize,
    mut cursor: Option<String>,
) -> Result<Found, QueryError> {
    let mut items = vec![];
    for _ in 0..LOOKED_THROUGH {
        let list = List {
            of,
            cursor: cursor.take(),
            limit: limit - items.len(),
        };
        let page = projections.catalogue().list(&list)?;
        cursor = page.next_cursor;
        items.extend(
            page.items
                .into_iter()
                .filter(|video| !only_public || is_public(video)),
        );
        if items.len() == limit || cursor.is_none() {
            break;
        }
    }
    Ok(Found {
        items,
        next_cursor: cursor,
    })
}

fn is_public(video: &Video) -> bool {
    video.visibility == Visibility::Public && (video.playable || video.status != Status::Failed)
}
