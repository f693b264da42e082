//! Frames every request: holds it against the limits and a deadline, writes its problems, counts it, and survives a panic in it.

use crate::asking::{REQUEST_ID, header_of, request_id};
use crate::body;
use crate::edge::limits::{Class, Entry, Limits};
use crate::edge::visit::Visit;
use crate::encoded::{compressed, is_to_be_compressed};
use crate::linger::linger_over;
use crate::problem::{Kind, Problem};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::CatchUnwind;
use metrics::{Counter, Histogram, counter, histogram};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Timeout, timeout, timeout_at};
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

impl<S> Service<Request> for Frame<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Framing<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Framing<S::Future> {
        let begun = Instant::now();
        let id = match request.extensions().get::<Visit>() {
            Some(visit) => visit.id,
            None => request_id(request.headers()),
        };
        let known = Arc::clone(&self.known);
        let class = known.get_or_init(|| Known::of(&request)).class;
        let entry = self
            .limits
            .as_ref()
            .map(|limits| limits.enter(class, &mut request));
        let asked = Asked {
            id,
            is_head: request.method() == Method::HEAD,
            begun,
            encodings: request.headers().get(header::ACCEPT_ENCODING).cloned(),
            known,
        };
        let step = match entry {
            Some(Entry::Refused(refused)) => {
                let (problem, said) = *refused;
                linger_over(request);
                let mut response = problem.answer(id);
                said.write(response.headers_mut());
                let response = Some(response);
                return Framing {
                    step: Step::Refused { response },
                    asked,
                    entry: None,
                };
            }
            _ => Step::of(
                limit(&request).map(|limit| begun + limit),
                self.inner.call(request),
            ),
        };
        Framing { step, asked, entry }
    }
}

/// What is kept of a request until it is answered.
struct Asked {
    id: Uuid,
    is_head: bool,
    begun: Instant,
    encodings: Option<HeaderValue>,
    known: Arc<OnceLock<Known>>,
}

type Caught<F> = CatchUnwind<AssertUnwindSafe<F>>;
type Compressing = Pin<Box<dyn Future<Output = Response> + Send>>;

pin_project! {
    /// A request in its frame. In no box of its own, for every request is one.
    pub struct Framing<F> {
        #[pin]
        step: Step<F>,
        asked: Asked,
        entry: Option<Entry>,
    }
}

pin_project! {
    #[project = StepNow]
    enum Step<F> {
        Refused { response: Option<Response> },
        Within { #[pin] answering: Timeout<Caught<F>> },
        Unlimited { #[pin] answering: Caught<F> },
        Compressing { answering: Compressing },
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Step<F> {
    fn of(end: Option<Instant>, answering: F) -> Self {
        let answering = AssertUnwindSafe(answering).catch_unwind();
        match end {
            Some(end) => Self::Within {
                answering: timeout_at(end, answering),
            },
            None => Self::Unlimited { answering },
        }
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Framing<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut framing = self.project();
        loop {
            let answered = match framing.step.as_mut().project() {
                StepNow::Within { answering } => ready!(answering.poll(context)),
                StepNow::Unlimited { answering } => Ok(ready!(answering.poll(context))),
                StepNow::Refused { response } => {
                    let response = response.take().expect("a future is not polled after its end");
                    return Poll::Ready(Ok(framing.asked.framed(response)));
                }
                StepNow::Compressing { answering } => {
                    let response = ready!(answering.as_mut().poll(context));
                    return Poll::Ready(Ok(limits_said(response, framing.entry)));
                }
            };
            let response = match answered {
                Ok(Ok(Ok(response))) => response,
                Ok(Ok(Err(never))) => match never {},
                Ok(Err(_)) => Problem::defect("a handler panicked").answer(framing.asked.id),
                Err(_) => late().into_response(),
            };
            let response = framing.asked.framed(response);
            if !is_to_be_compressed(&response, framing.asked.encodings.as_ref()) {
                return Poll::Ready(Ok(limits_said(response, framing.entry)));
            }
            let answering = Box::pin(compressed(response));
            framing.step.set(Step::Compressing { answering });
        }
    }
}

fn limits_said(mut response: Response, entry: &mut Option<Entry>) -> Response {
    if let Some(said) = entry.take().and_then(Entry::said) {
        said.write(response.headers_mut());
    }
    response
}

impl Asked {
    /// The answer as it goes out, counted.
    fn framed(&self, mut response: Response) -> Response {
        if response.status().is_client_error() || response.status().is_server_error() {
            response = with_problem(response, self.id, self.is_head);
        }
        response.headers_mut().insert(REQUEST_ID, header_of(self.id));
        if let Some(known) = self.known.get() {
            known.figures.count(&response, self.begun);
        }
        response
    }
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
    timeout(ANSWER_WITHIN, work).await.map_err(|_| late())
}

fn late() -> Problem {
    Problem::unavailable("something that this needs did not answer in time")
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
