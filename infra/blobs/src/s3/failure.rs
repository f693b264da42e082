//! What a failed request means.
use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::{BlobError, key};

/// Whose failure it is to know what it was about.
pub(super) struct Doing<'a> {
    pub what: &'static str,
    pub key: &'a str,
}

/// For `map_err`: what a request about an object says.
pub(super) fn failed<E>(what: &'static str, key: &str) -> impl FnOnce(SdkError<E, HttpResponse>) -> BlobError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| Doing { what, key }.meaning(&error)
}

/// The status and the code of an answer that is a failure, if there was an answer.
pub(super) fn answered<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<(u16, &str)> {
    match error {
        SdkError::ServiceError(answer) => {
            Some((answer.raw().status().as_u16(), answer.err().code().unwrap_or("")))
        }
        _ => None,
    }
}

impl Doing<'_> {
    pub fn meaning<E>(&self, error: &SdkError<E, HttpResponse>) -> BlobError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let doing = format!("{} {}", self.what, self.key).trim_end().to_owned();
        let key = self.key.to_owned();
        match answered(error) {
            None if matches!(error, SdkError::ConstructionFailure(_)) => BlobError::Refused {
                doing,
                cause: cause(error),
            },
            None => BlobError::Unavailable {
                doing,
                cause: cause(error),
            },
            Some((_, "ObjectParentIsFile" | "XMinioParentIsObject")) => {
                key::invalid(&key, "it is below another object")
            }
            Some((_, "ExistingObjectIsDirectory" | "XMinioObjectExistsAsDirectory")) => {
                key::invalid(&key, "it is a folder of other objects")
            }
            Some((_, "NoSuchBucket")) => BlobError::Refused {
                doing,
                cause: cause(error),
            },
            Some((404, _)) => BlobError::NotFound { key },
            Some((412, _)) => BlobError::Changed { key },
            Some((507, _) | (_, "QuotaExceeded" | "XMinioStorageFull")) => BlobError::Full,
            Some((501, _)) => BlobError::Unsupported("way to do this"),
            Some((408 | 429 | 500.., _) | (_, "SlowDown" | "RequestTimeout")) => BlobError::Unavailable {
                doing,
                cause: cause(error),
            },
            Some(_) => BlobError::Refused {
                doing,
                cause: cause(error),
            },
        }
    }
}

/// In one line: what the server said, or what the way to it said.
pub(super) fn cause<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        let status = answer.raw().status().as_u16();
        let (code, message) = (answer.err().code(), answer.err().message());
        return match (code, message) {
            (Some(code), Some(message)) => one_line(&format!("{code}: {message}")),
            (Some(code), None) => one_line(code),
            (None, _) => format!("status {status}"),
        };
    }
    let mut said = error.to_string();
    let mut source = error.source();
    // Bounded, whatever an error says about itself.
    for _ in 0..10 {
        let Some(error) = source else { break };
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        source = error.source();
    }
    one_line(&said)
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
