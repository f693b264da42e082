//! What an answer must be, whatever was asked; and how the answers were spread.

use super::Asked;
use crate::requests::Answer;
use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Statuses that a run of ten thousand requests is sure to see. Without them it was not strange in enough ways.
const SEEN: &[u16] = &[200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 422];

/// Says what is wrong with an answer, if anything is.
pub fn judge(asked: &Asked, answer: &Answer) -> Result<(), String> {
    let status = answer.status;
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let ensure = |is_so: bool, complaint: &str| match is_so {
        true => Ok(()),
        false => Err(format!("{status}: {complaint}; it has {:?}", answer.headers)),
    };
    ensure(!status.is_server_error(), "a fault of ours")?;
    let request = header("x-request-id").ok_or("an answer that does not name its request")?;
    if asked.method == Method::HEAD {
        ensure(answer.body.is_empty(), "an answer to HEAD has a body")?;
    }
    if !status.is_client_error() {
        return Ok(());
    }
    // Browsers get a page for addresses that are none.
    let is_page = header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if is_page && status == StatusCode::NOT_FOUND && asked.header("accept").is_some_and(accepts_pages) {
        return Ok(());
    }
    ensure(
        header("content-type") == Some("application/problem+json"),
        "a refusal that is no problem",
    )?;
    let must_have = match status {
        StatusCode::UNAUTHORIZED => Some("www-authenticate"),
        StatusCode::METHOD_NOT_ALLOWED => Some("allow"),
        StatusCode::RANGE_NOT_SATISFIABLE => Some("content-range"),
        StatusCode::TOO_MANY_REQUESTS => Some("retry-after"),
        _ => None,
    };
    if let Some(name) = must_have {
        ensure(header(name).is_some(), &format!("without {name}"))?;
    }
    if asked.method == Method::HEAD {
        return Ok(());
    }
    let problem: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("a problem that is no JSON: {error}"))?;
    ensure(
        problem["status"] == status.as_u16(),
        "the problem says another status",
    )?;
    ensure(
        problem["instance"] == request,
        "the problem names another request",
    )?;
    for name in ["type", "title", "detail"] {
        let is_said = problem[name].as_str().is_some_and(|text| !text.is_empty());
        ensure(is_said, &format!("the problem has no {name}"))?;
    }
    Ok(())
}

fn accepts_pages(accept: &[u8]) -> bool {
    accept.windows(9).any(|part| part == b"text/html")
}

/// How many answers there were of each status, and which operations were ever done.
#[derive(Default)]
pub struct Tally {
    statuses: BTreeMap<u16, u64>,
    asked: BTreeSet<String>,
    done: BTreeSet<String>,
}

impl Tally {
    pub fn count(&mut self, asked: &Asked, answer: &Answer) {
        *self.statuses.entry(answer.status.as_u16()).or_default() += 1;
        self.asked.insert(asked.operation.clone());
        if answer.status.is_success() {
            self.done.insert(asked.operation.clone());
        }
    }

    pub fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.asked.extend(other.asked);
        self.done.extend(other.done);
    }

    /// A run that was refused at the door has shown nothing.
    pub fn expect_variety(&self) {
        let requests: u64 = self.statuses.values().sum();
        if requests < 10_000 {
            return;
        }
        let missing: Vec<_> = SEEN
            .iter()
            .filter(|status| !self.statuses.contains_key(status))
            .collect();
        assert!(missing.is_empty(), "no answer was {missing:?}");
        let refused: u64 = self.statuses.range(400..).map(|(_, count)| count).sum();
        assert!(
            (requests / 10..requests * 9 / 10).contains(&refused),
            "{refused} of {requests} were refused"
        );
        let done = self.done.len() * 2;
        assert!(
            done > self.asked.len(),
            "of most operations none was done, but of {:?}",
            self.done
        );
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests: u64 = self.statuses.values().sum();
        let statuses = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{status}: {count}"));
        let statuses = statuses.collect::<Vec<_>>().join(", ");
        write!(
            out,
            "{requests} requests, of {} operations, {} of which were done; answers {statuses}",
            self.asked.len(),
            self.done.len()
        )
    }
}

#[test]
fn answers_that_must_not_be_are_found() {
    let asked = |method: Method| Asked {
        operation: "get /x".to_owned(),
        method,
        uri: "/x".to_owned(),
        headers: vec![],
        pieces: vec![],
        breaks_off: false,
    };
    let answer = |status: u16, headers: &[(&'static str, &'static str)], body: &str| Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    let (id, problem) = (
        ("x-request-id", "1"),
        ("content-type", "application/problem+json"),
    );
    let text = r#"{"type":"t","title":"t","status":404,"detail":"d","instance":"1"}"#;
    let get = |answer| judge(&asked(Method::GET), &answer).is_ok();
    assert!(get(answer(404, &[id, problem], text)));
    assert!(get(answer(200, &[id], "anything")));
    assert!(!get(answer(200, &[], "")), "it names no request");
    assert!(!get(answer(500, &[id, problem], text)), "a fault of ours");
    assert!(!get(answer(404, &[id], text)), "no problem by its type");
    assert!(
        !get(answer(404, &[id, problem], "{}")),
        "no problem by its content"
    );
    assert!(!get(answer(400, &[id, problem], text)), "another status");
    assert!(
        !get(answer(401, &[id, problem], &text.replace("404", "401"))),
        "not how to sign in"
    );
    assert!(
        !get(answer(404, &[("x-request-id", "2"), problem], text)),
        "another request"
    );
    let head = judge(&asked(Method::HEAD), &answer(200, &[id], "body"));
    assert!(head.is_err(), "HEAD has no body");
}
