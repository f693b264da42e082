//! What players fetch: playlists, segments, thumbnails and originals, with signed addresses for private videos.

use crate::asking::Asking;
use crate::body::Id;
use crate::encoded::{Caching, Encoded};
use crate::gateway::Gateway;
use crate::problem::{Problem, ProblemBody};
use crate::ranges::{self, Sending};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use spool_blobs::SignatureError;
use spool_domain::ids::VideoId;
use spool_domain::videos::Visibility;
use spool_media_protocol::{AUDIO_RENDITION, Container};
use spool_projections::catalogue::{Media, Video};
use spool_projections::{Projections, playlists};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const PRIVATE_IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
/// Thumbnails change when a video is processed again, which is rare.
const THUMBNAIL_CACHING: &str = "max-age=300";

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(master))
        .routes(routes!(rendition_file))
        .routes(routes!(thumbnail))
        .routes(routes!(original))
}

/// The master playlist: which qualities there are.
#[utoipa::path(get, path = "/api/storage/videos/{id}/hls/master.m3u8", operation_id = "get_master_playlist", tag = "media", params(("id" = Uuid, Path)), security((), ("bearer" = []), ("signature" = [])), responses(
    (status = 200, description = "An HLS playlist", content_type = "application/vnd.apple.mpegurl", body = String),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "No such video, or nothing to play yet", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn master(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let video = gateway.watchable(VideoId(id), &asking, &uri).await?;
    let media = gateway
        .query(move |projections| projections.catalogue().media(VideoId(id)))
        .await?;
    let playlist = media.and_then(|media: Media| playlists::master(&media, signature(&uri).as_deref()));
    let playlist = playlist.ok_or_else(|| Problem::not_found("film to play yet"))?;
    Ok(encoded(playlist, &video).answer(&headers))
}

/// The playlist `index.m3u8` of one quality, its `init-{attempt}.mp4`, or one of its segments `{number}.m4s`.
#[utoipa::path(get, path = "/api/storage/videos/{id}/hls/{rendition}/{file}", operation_id = "get_rendition_file", tag = "media", params(
    ("id" = Uuid, Path), ("rendition" = String, Path, example = "360p"), ("file" = String, Path, example = "index.m3u8"),
), security((), ("bearer" = []), ("signature" = [])), responses(
    (status = 200, description = "A playlist, or bytes of the film", content(
        (String = "application/vnd.apple.mpegurl"), (Vec<u8> = "video/mp4"), (Vec<u8> = "video/iso.segment"),
    )),
    (status = 206, description = "The part that was asked for"),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "No such file, or not yet", body = ProblemBody, content_type = "application/problem+json"),
    (status = 416, description = "No such part", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn rendition_file(
    State(gateway): State<Gateway>,
    Path((id, rendition, file)): Path<(String, String, String)>,
    asking: Asking,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = Uuid::try_parse(&id)
        .map(VideoId)
        .map_err(|_| Problem::not_found("video"))?;
    let file = File::named(&file).ok_or_else(|| Problem::not_found("file"))?;
    let video = gateway.watchable(id, &asking, &uri).await?;
    let caching = match video.visibility {
        Visibility::Private => PRIVATE_IMMUTABLE,
        Visibility::Public | Visibility::Unlisted => Caching::Immutable.header(),
    };
    let (key, content_type) = match file {
        File::Playlist => {
            let media = gateway
                .query(move |projections| projections.catalogue().rendition(id, &rendition))
                .await?;
            let media = media.ok_or_else(|| Problem::not_found("rendition"))?;
            let elsewhere = |folder: &str| gateway.everybodys_url(&video, folder);
            let playlist = playlists::media(&media, signature(&uri).as_deref(), &elsewhere);
            return Ok(encoded(playlist, &video).answer(&headers));
        }
        File::Init { attempt } => gateway.init(id, rendition, attempt).await?,
        File::Segment { index } => gateway.segment(id, rendition, index).await?,
    };
    let sending = Sending {
        content_type,
        caching,
        extra: vec![],
    };
    ranges::send(&gateway.parts().blobs, &key, &method, &headers, sending).await
}

/// The picture that stands for the video.
#[utoipa::path(get, path = "/api/storage/videos/{id}/thumbnail", operation_id = "get_thumbnail", tag = "media", params(("id" = Uuid, Path)), security((), ("bearer" = []), ("signature" = [])), responses(
    (status = 200, description = "A picture", content_type = "image/jpeg", body = Vec<u8>),
    (status = 206, description = "The part that was asked for"),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 404, description = "No such video, or no picture yet", body = ProblemBody, content_type = "application/problem+json"),
    (status = 416, description = "No such part", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn thumbnail(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let video = gateway.watchable(VideoId(id), &asking, &uri).await?;
    let key = video.thumbnail.ok_or_else(|| Problem::not_found("picture yet"))?;
    let scope = if video.visibility == Visibility::Private {
        "private"
    } else {
        "public"
    };
    let caching = HeaderValue::try_from(format!("{scope}, {THUMBNAIL_CACHING}")).map_err(Problem::defect)?;
    let sending = Sending {
        content_type: HeaderValue::from_static("image/jpeg"),
        caching,
        extra: vec![],
    };
    ranges::send(&gateway.parts().blobs, &key, &method, &headers, sending).await
}

/// The file as it was uploaded; for its owner, or with a signed address.
#[utoipa::path(get, path = "/api/storage/videos/{id}/original", operation_id = "get_original", tag = "media", params(("id" = Uuid, Path)), security(("bearer" = []), ("signature" = [])), responses(
    (status = 200, description = "The file", content_type = "*/*", body = Vec<u8>),
    (status = 206, description = "The part that was asked for"),
    (status = 304, description = "Not changed since the ETag in If-None-Match"),
    (status = 403, description = "Somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "No such video", body = ProblemBody, content_type = "application/problem+json"),
    (status = 416, description = "No such part", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn original(
    State(gateway): State<Gateway>,
    Id(id): Id,
    asking: Asking,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let video = gateway.watchable(VideoId(id), &asking, &uri).await?;
    let is_allowed = asking.caller.may_act_for(video.owner_id) || gateway.is_signed(&uri)?;
    if !is_allowed {
        asking.signed_in()?;
        return Err(Problem::not_allowed("only the owner may fetch the original"));
    }
    let original = video.original.ok_or_else(|| Problem::not_found("file"))?;
    let file_name = gateway
        .opened_file_name(video.owner_id, original.file_name)
        .await?;
    let container = serde_json::from_value::<Container>(original.container.into()).ok();
    let content_type = container.map_or("application/octet-stream", Container::media_type);
    let sending = Sending {
        content_type: HeaderValue::from_static(content_type),
        caching: HeaderValue::from_static("private, no-cache"),
        extra: vec![
            (header::CONTENT_DISPOSITION, attachment(&file_name)),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
        ],
    };
    ranges::send(&gateway.parts().blobs, &original.blob, &method, &headers, sending).await
}

/// What a name in a rendition's folder means.
#[derive(Debug, PartialEq, Eq)]
enum File {
    Playlist,
    Init { attempt: u32 },
    Segment { index: u32 },
}

impl File {
    fn named(name: &str) -> Option<Self> {
        if name == "index.m3u8" {
            return Some(Self::Playlist);
        }
        if let Some(index) = name.strip_suffix(".m4s") {
            return Some(Self::Segment {
                index: number(index)?,
            });
        }
        let attempt = name.strip_prefix("init-")?.strip_suffix(".mp4")?;
        Some(Self::Init {
            attempt: number(attempt)?,
        })
    }
}

/// Digits without a sign or leading zeros, so that each file has one address.
fn number(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

fn encoded(playlist: String, video: &Video) -> Encoded {
    let caching = match video.visibility {
        Visibility::Private => Caching::Private,
        Visibility::Public | Visibility::Unlisted => Caching::Revalidate,
    };
    Encoded::new(Bytes::from(playlist), PLAYLIST, "", caching)
}

/// The query to hand on to what a playlist names: the parts of the signature, if there is one, and nothing that
/// somebody else could have put beside them.
fn signature(uri: &Uri) -> Option<String> {
    let is_plain = |value: &str| {
        value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_ours = |pair: &&str| {
        let named = pair.split_once('=');
        named
            .is_some_and(|(name, value)| matches!(name, "expires" | "depth" | "signature") && is_plain(value))
    };
    let ours: Vec<&str> = uri.query()?.split('&').filter(is_ours).collect();
    (!ours.is_empty()).then(|| ours.join("&"))
}

/// RFC 6266, with the name in UTF-8 for those who read that and without what is not plain for the others.
fn attachment(file_name: &str) -> HeaderValue {
    let plain = |letter: char| {
        if letter.is_ascii_graphic() && !matches!(letter, '"' | '\\' | '%') {
            letter
        } else {
            '_'
        }
    };
    let fallback: String = file_name.chars().map(plain).collect();
    let mut encoded = String::new();
    for byte in file_name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    let value = format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

impl Gateway {
    /// The video, if the caller may watch it or the address is signed.
    async fn watchable(&self, id: VideoId, asking: &Asking, uri: &Uri) -> Result<Video, Problem> {
        self.wait_for("catalogue", asking.token()).await?;
        let found = self
            .query(move |projections| projections.catalogue().video(id))
            .await?;
        let video = found.ok_or_else(|| Problem::not_found("video"))?;
        let is_open = video.visibility != Visibility::Private || asking.caller.may_act_for(video.owner_id);
        if is_open || self.is_signed(uri)? {
            Ok(video)
        } else {
            Err(Problem::not_found("video"))
        }
    }

    /// Whether the address carries a good signature; one that has expired says so.
    fn is_signed(&self, uri: &Uri) -> Result<bool, Problem> {
        let query = uri.query().unwrap_or_default();
        match self
            .signer()
            .verify(uri.path(), query, self.parts().clock.now_ms())
        {
            Ok(()) => Ok(true),
            Err(SignatureError::Missing | SignatureError::Invalid) => Ok(false),
            Err(SignatureError::Expired) => Err(Problem::not_allowed(
                "this address has expired; read the video again for a new one",
            )),
        }
    }

    /// Where everybody finds a blob of the video, or a folder of them, without us: nowhere if it is private, or there is
    /// no such place.
    pub(crate) fn everybodys_url(&self, video: &Video, key: &str) -> Option<String> {
        let is_private = video.visibility == Visibility::Private;
        self.parts().blobs.public_url(key).filter(|_| !is_private)
    }

    async fn init(
        &self,
        id: VideoId,
        rendition: String,
        attempt: u32,
    ) -> Result<(String, HeaderValue), Problem> {
        let content_type = if rendition == AUDIO_RENDITION {
            "audio/mp4"
        } else {
            "video/mp4"
        };
        let read =
            move |projections: &Projections| projections.catalogue().init_blob(id, &rendition, attempt);
        let blob = self
            .query(read)
            .await?
            .ok_or_else(|| Problem::not_found("file"))?;
        Ok((blob, HeaderValue::from_static(content_type)))
    }

    async fn segment(
        &self,
        id: VideoId,
        rendition: String,
        index: u32,
    ) -> Result<(String, HeaderValue), Problem> {
        let read = move |projections: &Projections| projections.catalogue().segment(id, &rendition, index);
        let place = self
            .query(read)
            .await?
            .ok_or_else(|| Problem::not_found("segment"))?;
        Ok((place.blob, HeaderValue::from_static("video/iso.segment")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_one_name() {
        assert_eq!(File::named("index.m3u8"), Some(File::Playlist));
        assert_eq!(File::named("init-2.mp4"), Some(File::Init { attempt: 2 }));
        assert_eq!(File::named("0.m4s"), Some(File::Segment { index: 0 }));
        for odd in [
            "00.m4s",
            "+1.m4s",
            "-1.m4s",
            "1.m4s.m4s",
            "init.mp4",
            "init-.mp4",
            "99999999999.m4s",
            "",
        ] {
            assert_eq!(File::named(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let header = attachment("naïve \"film\"; x=1\r\n.mp4");
        assert_eq!(
            header.to_str().ok(),
            Some(
                "attachment; filename=\"na_ve__film_;_x=1__.mp4\"; filename*=UTF-8''na%C3%AFve%20%22film%22%3B%20x%3D1%0D%0A.mp4"
            )
        );
    }
}
