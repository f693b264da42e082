//! Sends an object or a part of it: ranges, tags, and the body in chunks.

use crate::problem::{Kind, Problem};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use spool_blobs::range::{
    Wanted, content_range, content_range_unsatisfied, if_range_allows, none_match, parse,
};
use spool_blobs::{Blobs, Opened};

/// How an object is to be sent.
pub struct Sending {
    pub content_type: HeaderValue,
    pub caching: HeaderValue,
    pub extra: Vec<(HeaderName, HeaderValue)>,
}

/// Answers a GET or HEAD of the object `key`.
pub async fn send(
    blobs: &Blobs,
    key: &str,
    method: &Method,
    request: &HeaderMap,
    sending: Sending,
) -> Result<Response, Problem> {
    let opened = blobs.open_file(key).await?;
    let asked = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
    let etag = opened.etag.clone();
    let mut response = Response::new(Body::empty());
    if !none_match(asked(header::IF_NONE_MATCH), &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let range = asked(header::RANGE).filter(|_| if_range_allows(asked(header::IF_RANGE), &etag));
        fill(&mut response, opened, range, *method == Method::HEAD)?;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, sending.content_type);
    }
    let headers = response.headers_mut();
    headers.insert(
        header::ETAG,
        HeaderValue::try_from(etag).map_err(Problem::defect)?,
    );
    headers.insert(header::CACHE_CONTROL, sending.caching);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.extend(sending.extra);
    Ok(response)
}

fn fill(response: &mut Response, opened: Opened, range: Option<&str>, is_head: bool) -> Result<(), Problem> {
    let size = opened.size;
    let part = match parse(range, size) {
        Wanted::Whole => None,
        Wanted::Part(part) => Some(part),
        Wanted::Unsatisfiable => {
            let whole = HeaderValue::try_from(content_range_unsatisfied(size)).map_err(Problem::defect)?;
            let problem = Problem::new(Kind::RangeNotSatisfiable, format!("the file has {size} bytes"));
            return Err(problem.with_header(header::CONTENT_RANGE, whole));
        }
    };
    if let Some(part) = &part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let value = HeaderValue::try_from(content_range(part, size)).map_err(Problem::defect)?;
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    let reader = opened.reader(part);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(reader.size));
    if !is_head {
        *response.body_mut() = Body::from_stream(reader.into_stream());
    }
    Ok(())
}
