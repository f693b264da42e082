//! Bodies and paths as handlers want them; whatever cannot be read becomes a problem that says where.

use crate::linger::linger;
use crate::problem::{Kind, Problem};
use axum::body::{BodyDataStream, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::error::Elapsed;
use uuid::Uuid;

/// The largest JSON body that is read.
const JSON_MAX_BYTES: usize = 64 * 1024;
/// A body must have come by then.
pub const WITHIN: Duration = Duration::from_secs(30);

/// A JSON body, and the bytes it came as.
pub struct Json<T> {
    pub value: T,
    pub bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = whole(request, JSON_MAX_BYTES).await?;
        if !is_json {
            let detail = "the body must be JSON, with Content-Type: application/json";
            return Err(Problem::new(Kind::WrongType, detail));
        }
        let value = parse(&bytes)?;
        Ok(Self { value, bytes })
    }
}

/// A JSON body that may be left out altogether, or be `null`.
pub struct JsonOrNothing<T> {
    pub value: T,
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = whole(request, JSON_MAX_BYTES).await?;
        let value = match bytes.is_empty() {
            true => T::default(),
            false if is_json => parse::<Option<T>>(&bytes)?.unwrap_or_default(),
            false => return Err(Problem::new(Kind::WrongType, "the body must be JSON or left out")),
        };
        Ok(Self { value })
    }
}

/// The whole body as it is, of so many bytes at most.
pub struct Whole<const MAX_BYTES: usize>(pub Bytes);

impl<S: Send + Sync, const MAX_BYTES: usize> FromRequest<S> for Whole<MAX_BYTES> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        whole(request, MAX_BYTES).await.map(Self)
    }
}

/// The whole body, if it is small enough and comes in time.
async fn whole(request: Request, max_bytes: usize) -> Result<Bytes, Problem> {
    let mut body = request.into_body().into_data_stream();
    match in_time(collected(&mut body, max_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(problem)) => {
            linger(body);
            Err(problem)
        }
        Err(_) => Err(Problem::new(Kind::TookTooLong, "the body did not come in time")),
    }
}

/// What comes of `coming` within the time for it. A body that came with its headers is there when it is asked for once more,
/// and to set an alarm and take it back costs more than to read it.
async fn in_time<T>(coming: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut coming = pin!(coming);
    let mut is_asked_for = false;
    let came = poll_fn(|context| match coming.as_mut().poll(context) {
        Poll::Ready(all) => Poll::Ready(Some(all)),
        Poll::Pending if is_asked_for => Poll::Ready(None),
        Poll::Pending => {
            is_asked_for = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match came.await {
        Some(all) => Ok(all),
        None => tokio::time::timeout(WITHIN, coming).await,
    }
}

async fn collected(body: &mut BodyDataStream, max_bytes: usize) -> Result<Bytes, Problem> {
    let mut all = BytesMut::new();
    let mut next = next_of(body).await?;
    while let Some(chunk) = next {
        if all.len() + chunk.len() > max_bytes {
            let detail = format!("the body must be at most {max_bytes} bytes long");
            return Err(Problem::new(Kind::TooLarge, detail));
        }
        next = next_of(body).await?;
        // Nearly always there is one chunk, which is taken as it is.
        if all.is_empty() && next.is_none() {
            return Ok(chunk);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

async fn next_of(body: &mut BodyDataStream) -> Result<Option<Bytes>, Problem> {
    let next = body.next().await.transpose();
    next.map_err(|_| Problem::malformed("the body broke off before its end"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would take a list of the fields' values as well, which nobody was promised.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::invalid("", "the body must be an object"));
    }
    // Keeping track of the place takes longer than reading does, and only what is wrong has a place to point at.
    serde_json::from_slice(bytes).or_else(|_| parse_with_place(bytes))
}

fn parse_with_place<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(unreadable_json)?;
    reader
        .end()
        .map_err(|error| Problem::malformed(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

fn unreadable_json(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let pointer = pointer(error.path());
    let error = error.into_inner();
    match error.classify() {
        serde_json::error::Category::Data => Problem::invalid(pointer, sentence(&error)),
        _ => Problem::malformed(format!("the body is not JSON: {error}")),
    }
}

/// What serde says, as the end of a sentence that begins with the field's name, and without the place that the pointer gives
/// better.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    let mismatch = text
        .strip_prefix("invalid type: ")
        .or_else(|| text.strip_prefix("invalid value: "));
    if let Some((found, expected)) = mismatch.and_then(|mismatch| mismatch.split_once(", expected ")) {
        return format!("must be {}, not {}", in_json(expected), in_json(found));
    }
    let variant = text.strip_prefix("unknown variant ");
    match variant.and_then(|variant| variant.split_once(", expected ")) {
        Some((found, expected)) => format!("must be {expected}, not {found}"),
        None => text.to_owned(),
    }
}

/// What serde calls by Rust's names, by those of JSON.
fn in_json(kind: &str) -> &str {
    match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a map" | "map" => "an object",
        "a sequence" | "sequence" => "a list",
        kind if kind.starts_with("struct ") => "an object",
        kind => kind,
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = essence.map(|value| {
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    essence.is_some_and(|essence| essence == "application/json" || essence.ends_with("+json"))
}

/// One id in the path. What is no UUID names nothing.
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let id = id.ok().and_then(|Path(text)| Uuid::try_parse(&text).ok());
        id.map(Self)
            .ok_or_else(|| Problem::not_found("thing; an id is a UUID"))
    }
}

/// The query's parameters.
pub struct Parameters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        read.map(|Query(value)| Self(value)).map_err(|rejection| {
            let text = rejection.body_text();
            let reason = text
                .strip_prefix("Failed to deserialize query string: ")
                .unwrap_or(&text);
            let (name, detail) = reason.split_once(": ").unwrap_or(("", reason));
            Problem::invalid(format!("/{name}"), detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Film {
        title: String,
        tags: Vec<String>,
        #[serde(default)]
        seconds: u32,
        visibility: Option<Visibility>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Visibility {
        Public,
        Private,
    }

    fn check(body: &str, kind: Kind, detail: &str) {
        let problem = parse::<Film>(body.as_bytes()).expect_err(body);
        let said = format!("{problem:?}");
        assert!(
            said.contains(&format!("{kind:?}")) && said.contains(detail),
            "{said}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_with_its_place() {
        check("{", Kind::Malformed, "not JSON");
        check("{\"title\":\"a\",\"tags\":[]} x", Kind::Malformed, "not JSON");
        check("{\"title\":5,\"tags\":[]}", Kind::Invalid, "/title");
        check("{\"title\":\"a\",\"tags\":[\"b\",7]}", Kind::Invalid, "/tags/1");
        check("{\"tags\":[]}", Kind::Invalid, "missing field `title`");
        check("[]", Kind::Invalid, "must be an object");
    }

    #[test]
    fn what_is_of_the_wrong_kind_is_told_in_a_sentence_about_the_field() {
        let cases = [
            (
                r#""title":5,"tags":[]"#,
                "the title must be a string, not integer `5`",
            ),
            (
                r#""title":{},"tags":[]"#,
                "the title must be a string, not an object",
            ),
            (
                r#""title":null,"tags":[]"#,
                "the title must be a string, not null",
            ),
            (r#""title":"a","tags":"b""#, "the tags must be a list, not string"),
            (
                r#""title":"a","tags":[],"seconds":-3"#,
                "the seconds must be a whole number that is not negative, not integer `-3`",
            ),
            (
                r#""title":"a","tags":[],"visibility":"none""#,
                "the visibility must be `public` or `private`, not `none`",
            ),
        ];
        for (body, sentence) in cases {
            check(&format!("{{{body}}}"), Kind::Invalid, sentence);
        }
    }
}
