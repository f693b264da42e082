//! Frames every request: holds it against the limits and a deadline, writes its problems, counts it, and survives a panic in it.

use crate::asking::{REQUEST_ID, header_of, request_id};
use crate::body;
use crate::edge::limits::{Class, Entry, Limits};
use crate::edge::visit::Visit;
use crate::encoded::compressed;
use crate::linger::linger_over;
use crate::problem::{Kind, Problem};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use metrics::{Counter, Histogram, counter, histogram};
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower::{Layer, Service};
use uuid::Uuid;

/// What takes longer waits for something that is away.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Puts a [`Frame`] around each route; the router calls it once for every method of every path.
#[derive(Clone, Default)]
pub struct FrameLayer {
    limits: Option<Arc<Limits>>,
}

impl FrameLayer {
    /// Counts requests against these limits; by default against none.
    pub fn limited(limits: Arc<Limits>) -> Self {
        Self { limits: Some(limits) }
    }
}

impl<S> Layer<S> for FrameLayer {
    type Service = Frame<S>;

    fn layer(&self, inner: S) -> Frame<S> {
        Frame {
            inner,
            limits: self.limits.clone(),
            known: Arc::default(),
        }
    }
}

#[derive(Clone)]
pub struct Frame<S> {
    inner: S,
    limits: Option<Arc<Limits>>,
    known: Arc<OnceLock<Known>>,
}

type Framing = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<Request> for Frame<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Framing;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Framing {
        let begun = Instant::now();
        let id = match request.extensions().get::<Visit>() {
            Some(visit) => visit.id,
            None => request_id(request.headers()),
        };
        let is_head = request.method() == Method::HEAD;
        let known = Arc::clone(&self.known);
        let class = known.get_or_init(|| Known::of(&request)).class;
        let entry = self
            .limits
            .as_ref()
            .map(|limits| limits.enter(class, &mut request));
        if let Some(Entry::Refused(problem, said)) = entry {
            linger_over(request);
            let mut response = problem.answer(id);
            said.write(response.headers_mut());
            return Box::pin(async move { Ok(framed(response, id, is_head, &known, begun)) });
        }
        let limit = limit(&request);
        let encodings = request.headers().get(header::ACCEPT_ENCODING).cloned();
        let inner = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let answered = match limit {
                Some(limit) => within(limit, inner).await,
                None => Ok(inner.await),
            };
            let response = match answered {
                Err(late) => late.into_response(),
                Ok(Ok(Ok(response))) => response,
                Ok(Ok(Err(never))) => match never {},
                Ok(Err(_)) => Problem::defect("a handler panicked").answer(id),
            };
            let response = framed(response, id, is_head, &known, begun);
            let mut response = compressed(response, encodings.as_ref()).await;
            if let Some(said) = entry.and_then(Entry::said) {
                said.write(response.headers_mut());
            }
            Ok(response)
        })
    }
}

/// The answer as it goes out, counted.
fn framed(
    mut response: Response,
    id: Uuid,
    is_head: bool,
    known: &OnceLock<Known>,
    begun: Instant,
) -> Response {
    if response.status().is_client_error() || response.status().is_server_error() {
        response = with_problem(response, id, is_head);
    }
    response.headers_mut().insert(REQUEST_ID, header_of(id));
    if let Some(known) = known.get() {
        known.figures.count(&response, begun);
    }
    response
}

/// How long a request may take; a body has its own time to come. A form may come in slowly, and what is done with it then is
/// done [`in_time`].
fn limit(request: &Request) -> Option<Duration> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let kind = content_type.and_then(|value| value.trim_ascii_start().split(|byte| *byte == b'/').next());
    let is_form = kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart"));
    match *request.method() {
        _ if is_form => None,
        Method::GET | Method::HEAD | Method::DELETE => Some(ANSWER_WITHIN),
        _ => Some(body::WITHIN + ANSWER_WITHIN),
    }
}

/// What the work gives, or what to tell whoever has waited long enough for it.
pub async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, Problem> {
    within(ANSWER_WITHIN, work).await
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Problem> {
    let done = tokio::time::timeout(limit, work).await;
    done.map_err(|_| Problem::unavailable("something that this needs did not answer in time"))
}

/// Writes the problem that the answer carries, or one for what the framework refused by itself.
fn with_problem(mut response: Response, id: Uuid, is_head: bool) -> Response {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_written = content_type.is_some_and(|value| !value.as_bytes().starts_with(b"text/plain"));
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if is_written => return response,
        None => refused_below(&response),
    };
    let mut answer = problem.answer(id);
    if let Some(allowed) = response.headers_mut().remove(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    if is_head {
        *answer.body_mut() = Body::empty();
    }
    answer
}

fn refused_below(response: &Response) -> Problem {
    let status = response.status();
    let kind = Kind::ALL.into_iter().find(|kind| kind.status() == status);
    match kind {
        Some(kind) if kind != Kind::Defect => {
            Problem::new(kind, status.canonical_reason().unwrap_or("refused"))
        }
        _ if status.is_client_error() => Problem::malformed(status.canonical_reason().unwrap_or("refused")),
        _ => Problem::defect(format!("an answer of status {status} without a reason")),
    }
}

/// What is the same for all requests of one route, found out at the first.
struct Known {
    class: Class,
    figures: Figures,
}

impl Known {
    fn of(request: &Request) -> Self {
        Self {
            class: Class::of_request(request),
            figures: Figures::of(request),
        }
    }
}

/// Counters and timer of one route: their registry is too slow for every request.
struct Figures {
    /// By the first digit of the status, from 1 to 5.
    answers: [Counter; 5],
    seconds: Histogram,
}

impl Figures {
    fn of(request: &Request) -> Self {
        let path = request
            .extensions()
            .get::<MatchedPath>()
            .map_or("other", MatchedPath::as_str);
        let method = match *request.method() {
            Method::GET | Method::HEAD => "GET",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let counter = |status: &'static str| counter!("spool_http_requests_total", "route" => path.to_owned(), "method" => method, "status" => status);
        Self {
            answers: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(counter),
            seconds: histogram!("spool_http_request_seconds", "route" => path.to_owned(), "method" => method),
        }
    }

    fn count(&self, response: &Response, begun: Instant) {
        let class = usize::from(response.status().as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.increment(1);
        }
        self.seconds.record(begun.elapsed());
    }
}
