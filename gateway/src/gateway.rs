//! The gateway: what it stands on, what it remembers, and all routes in one place.

use crate::auth::{Believed, revoked};
use crate::edge::visit::VisitLayer;
use crate::edge::{self, Edge};
use crate::encoded::Kept;
use crate::frame::FrameLayer;
use crate::live::Live;
use crate::oidc::Providers;
use crate::passwords::Passwords;
use crate::people::People;
use crate::pictures::Pictures;
use crate::problem::{Kind, Problem};
use crate::users::{Directory, exports};
use crate::{
    accounts, asyncapi, docs, health, jobs, media, oidc, openapi, pages, uploads, users, videos, ws,
};
use axum::Router;
use spool_blobs::Blobs;
use spool_blobs::urls::UrlSigner;
use spool_commands::{Ask, CommandError, Commands, Outcome, Token};
use spool_domain::accounts::{Command as AccountCommand, Event as AccountEvent};
use spool_domain::ids::AccountId;
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_platform::config::Config;
use spool_platform::keys::Keys;
use spool_platform::signals::Signals;
use spool_platform::telemetry::Metrics;
use spool_projections::{Projections, QueryError, WaitError};
use spool_schemas::AnyEvent;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use tower::util::option_layer;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// How many encoded pages of lists and how many encoded videos are kept, a few megabytes each.
const KEPT_PAGES: usize = 512;
const KEPT_VIDEOS: usize = 2_048;

/// What a gateway stands on: the handles of one node.
#[derive(Clone)]
pub struct Parts {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub log: Log,
    pub commands: Commands,
    pub projections: Projections,
    pub blobs: Blobs,
    pub signals: Signals,
    pub keys: Keys,
    pub metrics: Metrics,
}

/// The public face of one node. Clones share everything.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    parts: Parts,
    believed: Arc<Believed>,
    _revoked: AbortOnDropHandle<()>,
    passwords: Passwords,
    people: People,
    pictures: Pictures,
    directory: Directory,
    exports: Arc<Semaphore>,
    providers: Providers,
    signer: UrlSigner,
    live: Live,
    edge: Edge,
    pages: Kept<videos::Question>,
    videos: Kept<Uuid>,
}

impl Gateway {
    /// Makes a gateway. To be called inside a tokio runtime; blocks for some tens of milliseconds.
    pub fn new(parts: Parts) -> Self {
        let live = Live::start(parts.signals.clone(), parts.projections.clone());
        let believed = Arc::new(Believed::default());
        let hearing = revoked::hear(parts.signals.clone(), believed.clone(), live.clone());
        let hearing = tokio::spawn(hearing);
        Self(Arc::new(Inner {
            _revoked: AbortOnDropHandle::new(hearing),
            believed,
            passwords: Passwords::new(),
            people: People::new(&parts),
            pictures: Pictures::new(),
            directory: Directory::default(),
            exports: exports(),
            providers: Providers::new(&parts.config.auth),
            signer: UrlSigner::new(parts.keys.derive("urls")),
            live,
            edge: Edge::new(&parts),
            pages: Kept::new(KEPT_PAGES),
            videos: Kept::new(KEPT_VIDEOS),
            parts,
        }))
    }

    /// Every route behind the whole edge: request ids, limits, problems and figures included.
    pub fn router(&self) -> Router {
        let (api, document) = api().split_for_parts();
        Router::new()
            .merge(api)
            .merge(openapi::routes(&document))
            .merge(asyncapi::routes(&self.0.parts.config.kafka))
            .merge(docs::routes())
            .fallback(pages::not_a_route)
            .method_not_allowed_fallback(|| async {
                Problem::new(
                    Kind::MethodNotAllowed,
                    "this address does not take this method; see Allow",
                )
            })
            // One after the other they would each put every route into a box of its own.
            .layer((
                VisitLayer::new(self.0.edge.clone()),
                option_layer(edge::cors(&self.0.parts)),
                FrameLayer::limited(Arc::clone(self.0.edge.limits())),
            ))
            .with_state(self.clone())
    }

    /// Only health and figures, for a node that has another role.
    pub fn health_router(&self) -> Router {
        let (health, _) = health::routes().split_for_parts();
        health
            .fallback(|| async {
                Problem::new(
                    Kind::NotFound,
                    "this node has not the role `gateway`; ask one that has it",
                )
            })
            .layer((VisitLayer::new(self.0.edge.clone()), FrameLayer::default()))
            .with_state(self.clone())
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn believed(&self) -> &Believed {
        &self.0.believed
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn people(&self) -> &People {
        &self.0.people
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.0.providers
    }

    pub(crate) fn edge(&self) -> &Edge {
        &self.0.edge
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(crate) fn pictures(&self) -> &Pictures {
        &self.0.pictures
    }

    /// Whoever makes an archive of a person's data takes one.
    pub(crate) fn exports(&self) -> &Arc<Semaphore> {
        &self.0.exports
    }

    pub(crate) fn signer(&self) -> &UrlSigner {
        &self.0.signer
    }

    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }

    pub(crate) fn kept_pages(&self) -> &Kept<videos::Question> {
        &self.0.pages
    }

    pub(crate) fn kept_videos(&self) -> &Kept<Uuid> {
        &self.0.videos
    }

    /// Gives an account a command; what comes of it counts at once for whoever holds a token, a key or a socket of it.
    pub(crate) async fn give_account(
        &self,
        account: AccountId,
        command: AccountCommand,
        ask: Ask,
    ) -> Result<Outcome, CommandError> {
        let commands = &self.0.parts.commands;
        let outcome = commands.give(account.stream(), command, ask).await?;
        self.notice(account, &outcome.events);
        Ok(outcome)
    }

    /// What happened to an account counts at once for whoever holds a token, a key or a socket of it: here now, and at other
    /// nodes as soon as they hear of it.
    fn notice(&self, account: AccountId, events: &[AnyEvent]) {
        let mut ended = vec![];
        let mut matters = false;
        for event in events {
            match event {
                AnyEvent::Accounts(AccountEvent::SessionEnded(over)) => ended.push(over.session),
                AnyEvent::Accounts(
                    AccountEvent::RoleChanged(_)
                    | AccountEvent::Disabled(_)
                    | AccountEvent::Deleted(_)
                    | AccountEvent::ApiKeyRevoked(_)
                    | AccountEvent::IdentityUnlinked(_),
                ) => matters = true,
                _ => {}
            }
        }
        if matters || !ended.is_empty() {
            self.0.believed.forget(account);
            self.0.live.end_sessions(&ended);
            revoked::tell(&self.0.parts.signals, account, &ended);
        }
    }

    /// Waits until `view` has seen what the caller has.
    pub(crate) async fn wait_for(&self, view: &str, token: Option<&Token>) -> Result<(), Problem> {
        match token {
            None => Ok(()),
            Some(token) => {
                let waited = self
                    .0
                    .parts
                    .projections
                    .wait_for(view, &token.0, crate::asking::PATIENCE)
                    .await;
                waited.map_err(Problem::from)
            }
        }
    }

    /// Runs a query, which blocks, where that is allowed.
    pub(crate) async fn query<T, F>(&self, query: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Projections) -> Result<T, QueryError> + Send + 'static,
    {
        let projections = self.0.parts.projections.clone();
        Ok(tokio::task::spawn_blocking(move || query(&projections)).await??)
    }
}

/// The routes that the OpenAPI document describes.
pub fn api() -> OpenApiRouter<Gateway> {
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(accounts::routes())
        .merge(users::routes())
        .merge(oidc::routes())
        .merge(uploads::routes())
        .merge(videos::routes())
        .merge(jobs::routes())
        .merge(media::routes())
        .merge(ws::routes())
        .merge(health::routes())
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Rebuilding { .. } => {
                Self::unavailable("this list is being rebuilt and will be back soon").caused_by(error)
            }
            QueryError::BadCursor => crate::paging::bad_cursor(),
            QueryError::Tables(cause) => Self::unavailable("the tables did not answer").caused_by(cause),
            QueryError::Log(cause) => Self::unavailable("the log did not answer").caused_by(cause),
            QueryError::Row { .. } | QueryError::Place(_) | QueryError::Fact { .. } => Self::defect(error),
        }
    }
}

impl From<WaitError> for Problem {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut { .. } => {
                Self::unavailable("what you changed has not arrived here yet").caused_by(error)
            }
            WaitError::Rebuilding { .. } | WaitError::Stopped => {
                Self::unavailable("this list is being rebuilt and will be back soon").caused_by(error)
            }
            WaitError::UnknownView(_) => Self::defect(error),
        }
    }
}
