//! One command as a person sends it: the same bytes with the same key every time it is sent.

use anyhow::Result;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::broken::broken;
use crate::clips::Clip;

#[derive(Clone)]
pub struct Command {
    /// The `Idempotency-Key`.
    pub key: String,
    pub asks: Asks,
}

#[derive(Clone)]
pub enum Asks {
    Register {
        email: String,
        password: String,
        username: String,
    },
    Upload {
        title: String,
        visibility: &'static str,
        clip: Clip,
    },
    Describe {
        film: String,
        title: String,
        description: String,
        visibility: &'static str,
        if_match: String,
    },
    Delete {
        film: String,
    },
}

/// What came back, if anything did.
pub enum Heard {
    Done(Answer),
    /// The server could not be reached, so nothing can have happened.
    Unsent,
    /// The `If-Match` names an older version: nothing has happened, and never will under this key.
    Stale,
    /// No answer, half an answer, or one that says "not now": it may have happened or not.
    Silence(String),
}

pub struct Answer {
    pub body: Value,
    pub etag: Option<String>,
    /// The `Consistency-Token`.
    pub seen: Option<String>,
}

impl Command {
    /// Sends it once. A refusal is a broken promise: these commands are all allowed.
    pub async fn send(&self, http: &Client, base: &str, token: Option<&str>) -> Result<Heard> {
        let mut request = self.request(http, base)?.header("Idempotency-Key", &self.key);
        // Whoever registers is nobody yet, also when the same question is asked again later.
        if let (Some(token), false) = (token, matches!(self.asks, Asks::Register { .. })) {
            request = request.bearer_auth(token);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Ok(Heard::Unsent),
            Err(error) => return Ok(Heard::Silence(error.to_string())),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let text = match response.text().await {
            Ok(text) if is_whole(&text, &headers) => text,
            Ok(_) => return Ok(Heard::Silence("half an answer".to_owned())),
            Err(error) => return Ok(Heard::Silence(error.to_string())),
        };
        if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE
        ) {
            return Ok(Heard::Silence(format!("{status}: {text}")));
        }
        if status == StatusCode::PRECONDITION_FAILED {
            return Ok(Heard::Stale);
        }
        if !status.is_success() {
            broken!("{} was answered {status}: {text}", self.asks.shown());
        }
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Heard::Done(Answer {
            body,
            etag: header("etag"),
            seen: header("consistency-token"),
        }))
    }

    fn request(&self, http: &Client, base: &str) -> Result<reqwest::RequestBuilder> {
        Ok(match &self.asks {
            Asks::Register {
                email,
                password,
                username,
            } => http.post(format!("{base}/api/auth/register")).json(&json!({
                "email": email, "password": password, "username": username,
                "first_name": "Some", "last_name": "Body",
            })),
            Asks::Upload {
                title,
                visibility,
                clip,
            } => {
                let file = Part::bytes(clip.bytes.to_vec())
                    .file_name(clip.name)
                    .mime_str("video/mp4")?;
                let form = Form::new()
                    .text("title", title.clone())
                    .text("description", "a campaign's film");
                let form = form.text("visibility", *visibility).part("file", file);
                http.post(format!("{base}/api/storage/upload/video"))
                    .multipart(form)
            }
            Asks::Describe {
                film,
                title,
                description,
                visibility,
                if_match,
            } => {
                let body = json!({ "title": title, "description": description, "visibility": visibility });
                http.put(format!("{base}/api/videos/{film}"))
                    .header("If-Match", if_match)
                    .json(&body)
            }
            Asks::Delete { film } => http.delete(format!("{base}/api/videos/{film}")),
        })
    }
}

impl Asks {
    pub fn shown(&self) -> String {
        match self {
            Asks::Register { username, .. } => format!("registering {username}"),
            Asks::Upload { title, .. } => format!("uploading {title:?}"),
            Asks::Describe { film, title, .. } => format!("describing {film} as {title:?}"),
            Asks::Delete { film } => format!("deleting {film}"),
        }
    }
}

/// A body that was cut off is no answer, even when the connection's end looks orderly.
fn is_whole(text: &str, headers: &HeaderMap) -> bool {
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    declared.is_none_or(|length| length == text.len())
}
