//! The outermost layer: every request gets an id and its client's address, every answer its id and what browsers are told.

use super::Edge;
use super::address::{ClientAddress, Peer};
use super::log::Line;
use crate::asking::{REQUEST_ID, header_of, request_id};
use crate::linger::linger_over;
use crate::problem::{Kind, Problem};
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, Uri};
use axum::response::Response;
use futures_util::future::Either;
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{self, Context, Poll};
use tower::{Layer, Service};
use uuid::Uuid;

/// The longest path with its query. Nobody's are longer; a cursor has some hundreds of bytes.
const ADDRESS_MAX_BYTES: usize = 8 * 1024;
/// All names and values of headers together. The parser below takes 100 headers and some hundred kilobytes.
const HEADERS_MAX_BYTES: usize = 32 * 1024;

/// What is known of a request besides what it says.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// The caller's own id if it is a UUID, else a new one.
    pub id: Uuid,
    pub client: ClientAddress,
    /// Whether the client came by HTTPS, to us or to a proxy that we trust.
    pub is_https: bool,
}

impl Visit {
    /// Of a request that came through the layer; of any other, one that this process makes itself.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or_else(|| Self {
            id: Uuid::now_v7(),
            client: ClientAddress(Peer::default().address),
            is_https: false,
        })
    }
}

#[derive(Clone)]
pub struct VisitLayer(Edge);

impl VisitLayer {
    pub fn new(edge: Edge) -> Self {
        Self(edge)
    }
}

impl<S> Layer<S> for VisitLayer {
    type Service = Visits<S>;

    fn layer(&self, inner: S) -> Visits<S> {
        Visits {
            inner,
            edge: self.0.clone(),
        }
    }
}

#[derive(Clone)]
pub struct Visits<S> {
    inner: S,
    edge: Edge,
}

impl<S> Service<Request> for Visits<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Visiting<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Visiting<S::Future> {
        let edge = self.edge.clone();
        let peer = request.extensions().get().copied().unwrap_or_default();
        let (client, is_https) = edge.proxies().client(peer, request.headers());
        let id = request_id(request.headers());
        let visit = Visit { id, client, is_https };
        let line = Line::begun(edge.access_log(), &request, visit);
        let answering = match short_enough(request.uri(), request.headers()) {
            Ok(()) => {
                request.extensions_mut().insert(visit);
                Either::Left(self.inner.call(request))
            }
            Err(problem) => {
                linger_over(request);
                Either::Right(ready(Ok(problem.answer(id))))
            }
        };
        Visiting {
            answering,
            edge,
            visit,
            line,
        }
    }
}

pin_project! {
    /// A request on its way through the layer. In no box of its own, for every request is one.
    pub struct Visiting<F> {
        #[pin]
        answering: Either<F, Ready<Result<Response, Infallible>>>,
        edge: Edge,
        visit: Visit,
        line: Option<Line>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Visiting<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let visiting = self.project();
        let Ok(answer) = task::ready!(visiting.answering.poll(context));
        Poll::Ready(Ok(finished(
            answer,
            visiting.edge,
            *visiting.visit,
            visiting.line.take(),
        )))
    }
}

fn finished(mut answer: Response, edge: &Edge, visit: Visit, line: Option<Line>) -> Response {
    edge.guards().guard(&mut answer, visit.is_https);
    answer
        .headers_mut()
        .entry(REQUEST_ID)
        .or_insert_with(|| header_of(visit.id));
    if let Some(line) = line {
        line.write(&answer);
    }
    answer
}

fn short_enough(address: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let length = address
        .path_and_query()
        .map_or(0, |address| address.as_str().len());
    if length > ADDRESS_MAX_BYTES {
        let detail = format!("an address may have {ADDRESS_MAX_BYTES} bytes, and this one has {length}");
        return Err(Problem::new(Kind::AddressTooLong, detail));
    }
    let length: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if length > HEADERS_MAX_BYTES {
        let detail =
            format!("all headers together may have {HEADERS_MAX_BYTES} bytes, and these have {length}");
        return Err(Problem::new(Kind::HeadersTooLarge, detail));
    }
    Ok(())
}
