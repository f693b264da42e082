//! The one place where errors become answers: RFC 9457 `application/problem+json`.
//!
//! Handlers return `Result<_, Problem>`; everything below (commands, blobs, extractors) converts into a
//! [`Problem`] here. The body is written by `frame.rs`, which knows the request's id.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use spool_blobs::BlobError;
use spool_commands::{AnyRefusal, CommandError};
use spool_domain::{accounts, jobs, reservations, uploads, videos};
use std::borrow::Cow;
use utoipa::ToSchema;
use uuid::Uuid;

/// What kind of trouble. Each has a status, a stable name for programs, and a title for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Malformed,
    SignInNeeded,
    NotAllowed,
    NotFound,
    MethodNotAllowed,
    TookTooLong,
    Conflict,
    Stale,
    TooLarge,
    AddressTooLong,
    WrongType,
    RangeNotSatisfiable,
    Invalid,
    KeyUsedBefore,
    Limited,
    HeadersTooLarge,
    Unavailable,
    NoRoom,
    Defect,
}

impl Kind {
    pub const fn status(self) -> StatusCode {
        self.facts().0
    }

    /// Status, name for programs, title for people.
    pub const fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::SignInNeeded => (StatusCode::UNAUTHORIZED, "sign-in-needed", "Sign in first"),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "not-allowed", "Not allowed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Not with this method",
            ),
            Self::TookTooLong => (
                StatusCode::REQUEST_TIMEOUT,
                "took-too-long",
                "The request took too long",
            ),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Not in this state"),
            Self::Stale => (StatusCode::PRECONDITION_FAILED, "stale", "Changed meanwhile"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::AddressTooLong => (StatusCode::URI_TOO_LONG, "address-too-long", "Address too long"),
            Self::WrongType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "wrong-type",
                "Wrong type of content",
            ),
            Self::RangeNotSatisfiable => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range-not-satisfiable",
                "No such range",
            ),
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Invalid values"),
            Self::KeyUsedBefore => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-used-before",
                "Idempotency-Key used before",
            ),
            Self::Limited => (StatusCode::TOO_MANY_REQUESTS, "limited", "Too many requests"),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers-too-large",
                "Headers too large",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Not available right now",
            ),
            Self::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "no-room", "No room left"),
            Self::Defect => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "defect",
                "Something went wrong here",
            ),
        }
    }

    /// Every kind, for the documentation.
    pub const ALL: [Self; 19] = [
        Self::Malformed,
        Self::SignInNeeded,
        Self::NotAllowed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TookTooLong,
        Self::Conflict,
        Self::Stale,
        Self::TooLarge,
        Self::AddressTooLong,
        Self::WrongType,
        Self::RangeNotSatisfiable,
        Self::Invalid,
        Self::KeyUsedBefore,
        Self::Limited,
        Self::HeadersTooLarge,
        Self::Unavailable,
        Self::NoRoom,
        Self::Defect,
    ];
}

/// Why a request was not done.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after_seconds: Option<u32>,
    /// What the operator should read in the log, never the caller.
    cause: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One value that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the body; the name of the part for a multipart body.
    #[schema(example = "/title")]
    pub pointer: String,
    #[schema(example = "must not be empty")]
    pub detail: String,
}

/// The body of every answer that is not a success (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Names the kind of problem and never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:spool:problem:invalid")]
    kind: String,
    #[schema(example = "Invalid values")]
    title: &'a str,
    #[schema(example = 422)]
    status: u16,
    #[schema(example = "the title must not be empty")]
    detail: &'a str,
    /// The request's id, as in `x-request-id`.
    instance: Uuid,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(value_type = Vec<FieldError>, required = false)]
    errors: &'a [FieldError],
}

impl Problem {
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: vec![],
            retry_after_seconds: None,
            cause: None,
            headers: vec![],
        }
    }

    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    pub fn sign_in_needed() -> Self {
        Self::new(
            Kind::SignInNeeded,
            "this needs a valid access token in the Authorization header",
        )
    }

    pub fn not_allowed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotAllowed, detail)
    }

    /// Also for what the caller may not know exists.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// One value was not taken. `pointer` is a JSON Pointer.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::all_invalid(vec![FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }

    /// Several values were not taken; `errors` is not empty.
    pub fn all_invalid(errors: Vec<FieldError>) -> Self {
        let sentence = |error: &FieldError| {
            let field = error.pointer.trim_start_matches('/').replace('_', " ");
            if field.is_empty() {
                error.detail.clone()
            } else {
                format!("the {field} {}", error.detail)
            }
        };
        let detail = errors.iter().map(sentence).collect::<Vec<_>>().join("; ");
        Self {
            errors,
            ..Self::new(Kind::Invalid, detail)
        }
    }

    /// A value that can only be had once is somebody else's.
    pub fn taken(pointer: &str, sentence: String) -> Self {
        let error = FieldError {
            pointer: pointer.to_owned(),
            detail: "is already taken".to_owned(),
        };
        Self {
            errors: vec![error],
            ..Self::new(Kind::Conflict, sentence)
        }
    }

    /// Something this needs is away; worth trying again.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(Kind::Unavailable, detail)
        }
    }

    /// Too many requests, of one kind or another; one more is taken after so long.
    pub fn limited(detail: impl Into<Cow<'static, str>>, retry_after_seconds: u32) -> Self {
        Self {
            retry_after_seconds: Some(retry_after_seconds.max(1)),
            ..Self::new(Kind::Limited, detail)
        }
    }

    pub fn no_room() -> Self {
        let detail = "there is no room left to keep this; please try again later";
        Self {
            retry_after_seconds: Some(60),
            ..Self::new(Kind::NoRoom, detail)
        }
    }

    /// A mistake of ours. `cause` goes to the application log only.
    pub fn defect(cause: impl std::fmt::Display) -> Self {
        let detail = "this is our mistake, and it was written down; the request's id names it";
        Self {
            cause: Some(cause.to_string()),
            ..Self::new(Kind::Defect, detail)
        }
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// For the application log.
    pub fn caused_by(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The whole answer, naming the request.
    pub fn answer(&self, request: Uuid) -> Response {
        self.log(request);
        let (status, name, title) = self.kind.facts();
        let body = ProblemBody {
            kind: format!("urn:spool:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            instance: request,
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&body).expect("a problem has text keys and no value that can fail");
        let mut answer = (status, body).into_response();
        let headers = answer.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind == Kind::SignInNeeded {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers.extend(self.headers.iter().cloned());
        answer
    }

    /// Logged once, here. What callers do wrong is theirs to read.
    fn log(&self, request: Uuid) {
        let cause = self.cause.as_deref().unwrap_or("");
        match self.kind {
            Kind::Defect => tracing::error!(%request, cause, "request failed by a defect"),
            Kind::Unavailable | Kind::NoRoom => {
                tracing::warn!(%request, detail = %self.detail, cause, "request not served");
            }
            _ => tracing::debug!(%request, detail = %self.detail, cause, "request refused"),
        }
    }
}

impl IntoResponse for Problem {
    /// Carries the problem to the frame, which writes it with the request's id.
    fn into_response(self) -> Response {
        let mut carrier = self.kind.status().into_response();
        carrier.extensions_mut().insert(self);
        carrier
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Stale { version } => Self::new(
                Kind::Stale,
                format!("it is at version {version} now; read it again before changing it"),
            ),
            CommandError::OtherRequest => Self::new(
                Kind::KeyUsedBefore,
                "this Idempotency-Key came with another request before",
            ),
            CommandError::Full => Self::no_room(),
            error @ CommandError::Elsewhere(_) => {
                Self::unavailable("another node takes this change now").caused_by(error)
            }
            CommandError::Unavailable(cause) => {
                Self::unavailable("changes cannot be taken at the moment").caused_by(cause)
            }
        }
    }
}

impl From<AnyRefusal> for Problem {
    fn from(refusal: AnyRefusal) -> Self {
        let sentence = refusal.to_string();
        match refusal {
            AnyRefusal::Accounts(refusal) => account_refused(&refusal, sentence),
            AnyRefusal::Reservations(reservations::Refusal::Taken) => Self::new(Kind::Conflict, sentence),
            AnyRefusal::Uploads(refusal) => match refusal {
                uploads::Refusal::AlreadyReceived => Self::new(Kind::Conflict, sentence),
                uploads::Refusal::Empty => Self::invalid("/file", "must not be empty"),
                uploads::Refusal::Invalid(refusal) => video_refused(refusal, sentence),
            },
            AnyRefusal::Videos(refusal) => video_refused(refusal, sentence),
            AnyRefusal::Jobs(refusal) => job_refused(refusal, sentence),
            AnyRefusal::Views(refusal) => match refusal {},
            AnyRefusal::WrongStream(stream) => Self::defect(format!("command for the wrong stream {stream}")),
        }
    }
}

fn account_refused(refusal: &accounts::Refusal, sentence: String) -> Problem {
    use accounts::Refusal;
    match refusal {
        Refusal::NoSuchAccount | Refusal::SessionOver => Problem::new(Kind::SignInNeeded, sentence),
        Refusal::Disabled | Refusal::NotAllowed | Refusal::OwnAdministrator => Problem::not_allowed(sentence),
        Refusal::AlreadyRegistered
        | Refusal::RegistrationVoid
        | Refusal::PasswordChangedMeanwhile
        | Refusal::LinkOver
        | Refusal::OtherAddress
        | Refusal::NameGivenUp
        | Refusal::NotRestorable
        | Refusal::TooManyApiKeys
        | Refusal::TooManyIdentities
        | Refusal::LastWayIn => Problem::new(Kind::Conflict, sentence),
    }
}

fn video_refused(refusal: videos::Refusal, sentence: String) -> Problem {
    use videos::Refusal;
    match refusal {
        Refusal::NoSuchVideo => Problem::not_found("video"),
        Refusal::NotOwner => Problem::not_allowed(sentence),
        Refusal::Invalid { field, complaint } => {
            let pointer = if field == "file name" {
                "/file".to_owned()
            } else {
                format!("/{field}")
            };
            Problem::invalid(pointer, complaint)
        }
        Refusal::AlreadyExists => Problem::new(Kind::Conflict, sentence),
    }
}

fn job_refused(refusal: jobs::Refusal, sentence: String) -> Problem {
    use jobs::Refusal;
    match refusal {
        Refusal::NoSuchJob => Problem::not_found("job"),
        Refusal::NotOwner => Problem::not_allowed(sentence),
        Refusal::Invalid { field, complaint } => Problem::invalid(format!("/{field}"), complaint),
        Refusal::Leased
        | Refusal::Fenced
        | Refusal::Over(_)
        | Refusal::Running
        | Refusal::Gap { .. }
        | Refusal::NotAnnounced { .. }
        | Refusal::RenditionOver { .. }
        | Refusal::Unfinished { .. }
        | Refusal::NothingToPlay => Problem::new(Kind::Conflict, sentence),
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound { .. } => Self::not_found("file"),
            BlobError::Full => Self::no_room(),
            BlobError::InvalidKey { .. } | BlobError::Unsupported(_) => Self::defect(error),
            BlobError::Io { .. }
            | BlobError::Unavailable { .. }
            | BlobError::Changed { .. }
            | BlobError::Refused { .. }
            | BlobError::Setup(_) => Self::unavailable("the store of files did not answer").caused_by(error),
        }
    }
}

/// A blocking task can only fail to join by panicking, since none is ever aborted.
impl From<tokio::task::JoinError> for Problem {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::defect(error)
    }
}
