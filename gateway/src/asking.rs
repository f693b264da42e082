//! What every request says besides its body: who asks, what it must see, and how to know it again.

use crate::auth::{Caller, Means};
use crate::edge::limits;
use crate::edge::visit::Visit;
use crate::gateway::Gateway;
use crate::problem::Problem;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use spool_commands::{Ask, Outcome, Token, ids};
use spool_domain::actors::Actor;
use spool_log::Log;
use spool_schemas::Cause;
use std::time::Duration;
use uuid::Uuid;

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub const CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("consistency-token");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How long a query waits for the view to have seen what the caller has.
pub const PATIENCE: Duration = Duration::from_secs(5);
const KEY_MAX_BYTES: usize = 255;
/// How much of a request's keyed hash is kept with the commit, in bytes.
const REQUEST_HASH_BYTES: usize = 16;

/// Everything about a request but its body.
pub struct Asking {
    pub caller: Caller,
    request: Uuid,
    traceparent: Option<String>,
    idempotency_key: Option<String>,
    if_match: Option<HeaderValue>,
    token: Option<Token>,
}

impl Asking {
    /// The question to the executor. `route` names what is asked and `request` is what was said: a key
    /// that comes back with another request is refused.
    pub fn ask(&self, gateway: &Gateway, route: &str, request: &[u8]) -> Ask {
        let actor = self.caller.actor();
        let keys = &gateway.parts().keys;
        let (command, request) = match &self.idempotency_key {
            Some(key) => {
                let caller = actor
                    .account()
                    .map_or_else(|| "anonymous".to_owned(), |account| account.to_string());
                (
                    ids::command_id(keys, &caller, route, key),
                    Some(request_hash(gateway, request)),
                )
            }
            None => (Uuid::now_v7(), None),
        };
        let cause = Cause {
            correlation: self.request,
            traceparent: self.traceparent.clone(),
            ..Cause::default()
        };
        Ask {
            command,
            request,
            actor,
            cause,
            expected_version: None,
        }
    }

    /// The account and role that asks, or 401.
    pub fn signed_in(&self) -> Result<Actor, Problem> {
        self.caller.credential()?;
        Ok(self.caller.actor())
    }

    /// The version in `If-Match`; nothing for `*` or without the header.
    pub fn expected_version(&self) -> Result<Option<u64>, Problem> {
        self.if_match.as_ref().map_or(Ok(None), expected_version)
    }

    /// What the view must have seen before it answers.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

/// Keyed, so that nobody can try out passwords on the hash of a registration in the log.
pub fn request_hash(gateway: &Gateway, request: &[u8]) -> String {
    let mac = gateway.parts().keys.mac("request-hashes", request);
    mac[..REQUEST_HASH_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The header that lets the caller read its own write.
pub fn consistency_header(outcome: &Outcome) -> (HeaderName, HeaderValue) {
    let token =
        HeaderValue::try_from(outcome.token.to_string()).expect("a token is digits, colons and commas");
    (CONSISTENCY_TOKEN, token)
}

/// The answer to a command that has nothing to show.
pub fn done(outcome: &Outcome) -> Response {
    (
        StatusCode::NO_CONTENT,
        AppendHeaders([consistency_header(outcome)]),
    )
        .into_response()
}

/// The header that names the version which was shown, for `If-Match`.
pub fn etag_header(tag: &str) -> (HeaderName, HeaderValue) {
    let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("a tag is visible ASCII");
    (header::ETAG, tag)
}

/// `"v12"` or `"v12-3f…"`, of several the first; the part after the dash is the representation's own.
pub fn expected_version(header: &HeaderValue) -> Result<Option<u64>, Problem> {
    let unreadable = || Problem::malformed("If-Match must be an ETag as it was given, such as \"v3\", or *");
    let text = header.to_str().map_err(|_| unreadable())?.trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text
        .split(',')
        .next()
        .unwrap_or_default()
        .trim()
        .trim_start_matches("W/");
    let version = tag
        .strip_prefix("\"v")
        .and_then(|rest| rest.strip_suffix('"'))
        .ok_or_else(unreadable)?;
    let digits = version.split('-').next().unwrap_or_default();
    digits.parse().map(Some).map_err(|_| unreadable())
}

impl FromRequestParts<Gateway> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let caller = Caller::of(&parts.headers, gateway).await?;
        if let Caller::Person(credential) = &caller
            && let Means::ApiKey(_, scopes) = credential.means
        {
            let route = parts.extensions.get::<MatchedPath>();
            scopes.check(&parts.method, route.map_or("", MatchedPath::as_str))?;
        }
        limits::charge(&parts.extensions, &caller)?;
        Ok(Self {
            caller,
            request: Visit::of(&parts.extensions).id,
            traceparent: traceparent(&parts.headers).map(str::to_owned),
            idempotency_key: idempotency_key(&parts.headers)?,
            if_match: if_match(&parts.headers)?,
            token: token(&parts.headers, &gateway.parts().log)?,
        })
    }
}

/// Read by its form here; what it is compared with is the route's own business.
fn if_match(headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let is_tag = |text: &str| {
        let tag = text.trim().trim_start_matches("W/");
        tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"')
    };
    let text = value.to_str().map(str::trim).unwrap_or_default();
    if text == "*" || text.split(',').all(is_tag) {
        return Ok(Some(value.clone()));
    }
    Err(Problem::malformed(
        "If-Match must be an ETag as it was given, such as \"v3\", or *",
    ))
}

pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|key| (1..=KEY_MAX_BYTES).contains(&key.len()));
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Problem::malformed("Idempotency-Key must be 1 to 255 visible ASCII characters"))
}

fn token(headers: &HeaderMap, log: &Log) -> Result<Option<Token>, Problem> {
    let Some(token) = headers.get(CONSISTENCY_TOKEN) else {
        return Ok(None);
    };
    let token = token.to_str().ok().and_then(|text| text.parse().ok());
    token
        .filter(|token| was_given(token, log))
        .map(Some)
        .ok_or_else(|| Problem::malformed("Consistency-Token must be sent back as it came"))
}

/// A place that the log has not reached was never given: who waited for it would wait in vain. Where other nodes write
/// too, this one may not have heard of the place yet.
fn was_given(token: &Token, log: &Log) -> bool {
    token.0.iter().all(|(partition, next)| {
        *partition < log.partitions() && (log.needs_barrier() || *next <= log.head(*partition))
    })
}

/// The caller's own id if it is a UUID, else a new one.
pub fn request_id(headers: &HeaderMap) -> Uuid {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given
        .and_then(|text| Uuid::try_parse(text).ok())
        .unwrap_or_else(Uuid::now_v7)
}

pub fn header_of(id: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).expect("a UUID is visible ASCII")
}

/// The caller's trace, if it says one as the standard wants; anything else is left out.
pub fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(TRACEPARENT)?
        .to_str()
        .ok()
        .filter(|text| is_traceparent(text))
}

/// W3C Trace Context: `00-<32 hex>-<16 hex>-<2 hex>`, neither id of zeros only.
pub fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        parts
            .next()
            .filter(|part| part.len() == length && part.bytes().all(is_hex))
    };
    let is_id = |id: Option<&str>| id.is_some_and(|id| id.bytes().any(|byte| byte != b'0'));
    let is_version = hex(2).is_some_and(|version| version != "ff");
    is_version && is_id(hex(32)) && is_id(hex(16)) && hex(2).is_some() && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &'static str, expected: Option<Option<u64>>) {
        assert_eq!(
            expected_version(&HeaderValue::from_static(header)).ok(),
            expected,
            "{header}"
        );
    }

    #[test]
    fn if_match_takes_what_etag_gave() {
        check("\"v3\"", Some(Some(3)));
        check("\"v12-00ff\"", Some(Some(12)));
        check("W/\"v12-00ff-gz\"", Some(Some(12)));
        check("*", Some(None));
        check("v3", None);
        check("\"three\"", None);
        check("\"v\"", None);
    }

    #[test]
    fn a_broken_traceparent_is_left_out() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let check = |text: String, expected| assert_eq!(is_traceparent(&text), expected, "{text}");
        check(format!("00-{trace}-00f067aa0ba902b7-01"), true);
        check(format!("00-{trace}-00f067aa0ba902b7"), false);
        check(format!("00-{trace}-00f067aa0ba902b7-01-"), false);
        check(format!("00-{trace}-0000000000000000-01"), false);
        check(format!("ff-{trace}-00f067aa0ba902b7-01"), false);
        check(format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false);
        check(format!("00-{}z-00f067aa0ba902b7-01", &trace[1..]), false);
    }
}
