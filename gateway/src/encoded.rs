//! Answers as bytes: encoded once, kept until a view says that something changed, sent as often as asked.

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::Hash;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Below this a packet is a packet, compressed or not.
const WORTH_COMPRESSING: usize = 1_024;
/// Above this, compressing would keep other requests of the thread waiting.
const COMPRESSED_AT_ONCE: u64 = 256 * 1_024;
/// What most answers have room in; growing to it would copy them twice.
const MOST_ANSWERS_BYTES: usize = 512;
/// Of most answers, with those that the frame and the edge add. As many as a map of 16 places takes.
const HEADERS: usize = 12;
const ENCODES: &str = "answers have text keys and no value that can fail";
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const VARY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");

/// What a cache between us and the reader may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Ask again each time; the ETag makes that cheap.
    Revalidate,
    /// The same, and only in the reader's own cache.
    Private,
    /// The bytes at this address never change.
    Immutable,
}

impl Caching {
    pub const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Revalidate => "no-cache",
            Self::Private => "private, no-cache",
            Self::Immutable => "public, max-age=31536000, immutable",
        })
    }
}

/// An answer that is for this request only: JSON, and nothing to know it by.
pub fn once<T: Serialize>(value: &T) -> Response {
    let mut body = Vec::with_capacity(MOST_ANSWERS_BYTES);
    serde_json::to_writer(&mut body, value).expect(ENCODES);
    let mut response = Response::new(Body::from(body));
    response.headers_mut().reserve(HEADERS);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// Whether to send the answer compressed: if the reader takes that and it pays. JSON or text of known length does, and nothing
/// else. Films are compressed already, streams of events have no length, and what nobody may keep (`no-store`) may have
/// secrets in it, which the length of a compressed answer gives away piece by piece to whoever can put words beside them
/// (BREACH).
pub fn is_to_be_compressed(answer: &Response, accepted: Option<&HeaderValue>) -> bool {
    let takes = accepted
        .and_then(|value| value.to_str().ok())
        .is_some_and(names_gzip);
    takes && pays(answer)
}

/// The same answer in gzip.
pub async fn compressed(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, GZIP);
    parts.headers.append(header::VARY, VARY_ENCODING);
    Response::from_parts(parts, Body::from(gzip(&bytes)))
}

fn pays(answer: &Response) -> bool {
    let headers = answer.headers();
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let is_text = text(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("application/json") || kind.starts_with("text/"));
    let has_length = answer
        .body()
        .size_hint()
        .exact()
        .is_some_and(|bytes| (WORTH_COMPRESSING as u64..=COMPRESSED_AT_ONCE).contains(&bytes));
    // A tag names bytes, and those of another encoding are others.
    let is_as_it_is = headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::ETAG);
    let is_secret = text(header::CACHE_CONTROL).is_some_and(|caching| caching.contains("no-store"));
    answer.status().is_success() && is_text && has_length && !is_as_it_is && !is_secret
}

/// A body with all that is sent along.
#[derive(Debug)]
pub struct Encoded {
    body: Bytes,
    content_type: HeaderValue,
    /// The tag without its quotes; `-gz` is added for the compressed form.
    etag: HeaderValue,
    etag_gzip: HeaderValue,
    caching: HeaderValue,
    gzip: OnceLock<Option<Bytes>>,
}

impl Encoded {
    /// A value as JSON. `tag` begins the ETag, which goes on with a hash of the bytes.
    pub fn json<T: Serialize>(value: &T, tag: &str, caching: Caching) -> Self {
        let body = serde_json::to_vec(value).expect(ENCODES);
        Self::new(body.into(), JSON, tag, caching)
    }

    pub fn new(body: Bytes, content_type: HeaderValue, tag: &str, caching: Caching) -> Self {
        let hash: String = Sha256::digest(&body)[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let dash = if tag.is_empty() { "" } else { "-" };
        let etag = |suffix: &str| {
            HeaderValue::try_from(format!("\"{tag}{dash}{hash}{suffix}\"")).expect("tags are visible ASCII")
        };
        Self {
            content_type,
            etag: etag(""),
            etag_gzip: etag("-gz"),
            caching: caching.header(),
            gzip: OnceLock::new(),
            body,
        }
    }

    /// The answer: 304 if the reader has these bytes, compressed if it takes that and it pays.
    pub fn answer(&self, request: &HeaderMap) -> Response {
        let (body, etag, is_gzip) = match takes_gzip(request).then(|| self.gzip()).flatten() {
            Some(gzip) => (gzip, &self.etag_gzip, true),
            None => (&self.body, &self.etag, false),
        };
        let mut response = Response::new(Body::empty());
        if self.is_known_to(request) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Body::from(body.clone());
        }
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::ETAG, etag.clone());
        headers.insert(header::CACHE_CONTROL, self.caching.clone());
        if self.body.len() >= WORTH_COMPRESSING {
            headers.insert(header::VARY, VARY_ENCODING);
        }
        if is_gzip {
            headers.insert(header::CONTENT_ENCODING, GZIP);
        }
        response
    }

    fn is_known_to(&self, request: &HeaderMap) -> bool {
        let Some(known) = request
            .get(header::IF_NONE_MATCH)
            .and_then(|value| value.to_str().ok())
        else {
            return false;
        };
        let ours = [self.etag.as_bytes(), self.etag_gzip.as_bytes()];
        known
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || ours.contains(&tag.as_bytes()))
    }

    fn gzip(&self) -> Option<&Bytes> {
        let compress = || (self.body.len() >= WORTH_COMPRESSING).then(|| gzip(&self.body));
        self.gzip.get_or_init(compress).as_ref()
    }
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::new(5));
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("writing to memory does not fail").into()
}

/// Whether the reader takes gzip: named without `q=0`.
fn takes_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get(header::ACCEPT_ENCODING);
    accepted
        .and_then(|value| value.to_str().ok())
        .is_some_and(names_gzip)
}

fn names_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let refused = |part: &str| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        parts.next() == Some("gzip") && !parts.any(refused)
    })
}

/// Encoded answers by question, good for one generation of the views they were made from.
pub struct Kept<K> {
    most: usize,
    by_question: Mutex<HashMap<K, (u64, Arc<Encoded>)>>,
}

impl<K: Hash + Eq> Kept<K> {
    /// Keeps at most `most` answers.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            by_question: Mutex::default(),
        }
    }

    pub fn get(&self, question: &K, generation: u64) -> Option<Arc<Encoded>> {
        let kept = self.by_question.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(question)
            .filter(|(made_at, _)| *made_at == generation)
            .map(|(_, encoded)| encoded.clone())
    }

    /// `generation` is the one read *before* the views were asked.
    pub fn keep(&self, question: K, generation: u64, encoded: &Arc<Encoded>) {
        let mut kept = self.by_question.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.most && !kept.contains_key(&question) {
            kept.retain(|_, (made_at, _)| *made_at == generation);
            if kept.len() >= self.most {
                kept.clear();
            }
        }
        kept.insert(question, (generation, encoded.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn asking(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it_and_not_for_small_bodies() {
        let large = Encoded::json(&"x".repeat(5_000), "", Caching::Revalidate);
        let small = Encoded::json(&"x", "", Caching::Revalidate);
        let gzip = |encoded: &Encoded, accepted| {
            let answer = encoded.answer(&asking(header::ACCEPT_ENCODING, accepted));
            answer.headers().contains_key(header::CONTENT_ENCODING)
        };
        assert!(gzip(&large, "br, gzip;q=0.5"));
        assert!(!gzip(&large, "br, gzip;q=0"));
        assert!(!gzip(&large, "identity"));
        assert!(!gzip(&small, "gzip"));
    }

    #[tokio::test]
    async fn other_answers_are_compressed_if_they_are_text_that_anybody_may_keep() {
        let is_compressed = async |headers: &[(HeaderName, &'static str)], bytes: usize| {
            let mut answer = Response::new(Body::from("x".repeat(bytes)));
            for (name, value) in headers {
                answer
                    .headers_mut()
                    .insert(name.clone(), HeaderValue::from_static(value));
            }
            if !is_to_be_compressed(&answer, Some(&GZIP)) {
                return false;
            }
            let answer = compressed(answer).await;
            answer.headers().get(header::CONTENT_ENCODING) == Some(&GZIP)
        };
        let kind = header::CONTENT_TYPE;
        assert!(is_compressed(&[(kind.clone(), "application/json")], 5_000).await);
        assert!(is_compressed(&[(kind.clone(), "text/plain; charset=utf-8")], 5_000).await);
        assert!(!is_compressed(&[(kind.clone(), "application/json")], 500).await);
        assert!(!is_compressed(&[(kind.clone(), "application/json")], 500_000).await);
        assert!(!is_compressed(&[(kind.clone(), "video/mp4")], 5_000).await);
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_ENCODING, "br"),
            (header::ETAG, "\"v1\""),
        ] {
            assert!(
                !is_compressed(&[(kind.clone(), "text/plain"), (name, value)], 5_000).await,
                "{value}"
            );
        }
    }

    #[test]
    fn a_reader_that_has_the_bytes_gets_304() {
        let encoded = Encoded::json(&"x", "v3", Caching::Revalidate);
        let etag = encoded.answer(&HeaderMap::new()).headers()[header::ETAG].clone();
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, etag)]);
        assert_eq!(encoded.answer(&known).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            encoded.answer(&asking(header::IF_NONE_MATCH, "\"v2\"")).status(),
            StatusCode::OK
        );
    }

    #[test]
    fn an_answer_is_good_for_its_generation_only_and_few_are_kept() {
        let kept = Kept::new(2);
        let encoded = Arc::new(Encoded::json(&1, "", Caching::Revalidate));
        kept.keep("a", 1, &encoded);
        assert!(kept.get(&"a", 1).is_some());
        assert!(kept.get(&"a", 2).is_none());
        for question in ["b", "c", "d"] {
            kept.keep(question, 2, &encoded);
        }
        assert!(kept.by_question.lock().expect("nobody panicked").len() <= 2);
    }
}
