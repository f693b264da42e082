//! Passing on: what is for another node's executor goes there over HTTP, and again until it is known what came of it.

use crate::answer::{Ask, CommandError, Outcome};
use crate::features::{AnyCommand, Feature};
use crate::service_token::ServiceToken;
use crate::wire::{self, GivenRef, Look};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use spool_domain::ids::StreamId;
use std::time::Duration;

/// Where a node takes commands from others, below its URL.
pub const GIVE: &str = "/internal/commands/give";
/// And where it lets them look at states.
pub const LOOK: &str = "/internal/commands/state";

/// How long a question may take in all, wherever it has to go.
const DEADLINE: Duration = Duration::from_secs(10);
/// A node that is there takes a connection by then.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// Connections that are kept open to each node, for so many commands at once.
const KEPT_OPEN: usize = 256;

/// The way to the other nodes. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Peers {
    client: Client,
    token: ServiceToken,
    pub(crate) deadline: Duration,
}

/// Why there is no way to other nodes.
#[derive(Debug, thiserror::Error)]
#[error("making an HTTP client for other nodes: {0}")]
pub struct PeersError(#[from] reqwest::Error);

/// What a node says that does not lead the partition.
#[derive(Deserialize)]
struct Misdirected {
    owner: Option<String>,
}

impl Peers {
    pub fn new(token: ServiceToken) -> Result<Self, PeersError> {
        let client = Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .pool_max_idle_per_host(KEPT_OPEN)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            token,
            deadline: DEADLINE,
        })
    }

    /// Another time than 10 s for a question, wherever it has to go.
    pub const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Gives a command to the node at `url`. `Elsewhere` and `Unavailable` say nothing about what came of it: it may be asked
    /// again with the same id.
    pub(crate) async fn give(
        &self,
        url: &str,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
    ) -> Result<Outcome, CommandError> {
        let given = GivenRef { stream, command, ask };
        let answer = self.ask(url, GIVE, wire::write(&given)?).await?;
        wire::read_given(&answer)
    }

    /// The state of a stream as the node at `url` knows it.
    pub(crate) async fn look<D: Feature>(
        &self,
        url: &str,
        stream: StreamId,
        at_once: bool,
    ) -> Result<(D, u64), CommandError> {
        let look = wire::write(&Look { stream, at_once })?;
        wire::read_seen(&self.ask(url, LOOK, look).await?)
    }

    async fn ask(&self, url: &str, path: &str, body: Vec<u8>) -> Result<Vec<u8>, CommandError> {
        metrics::counter!("spool_commands_passed_on_total").increment(1);
        let url = url.trim_end_matches('/');
        let away = |error: reqwest::Error| {
            let error = error.without_url();
            CommandError::Unavailable(format!("the node at {url} does not answer: {error}"))
        };
        let answer = self
            .client
            .post(format!("{url}{path}"))
            .header(AUTHORIZATION, self.token.bearer())
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .map_err(away)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(away)?;
        match status {
            StatusCode::OK => Ok(body.into()),
            StatusCode::MISDIRECTED_REQUEST => {
                let said = serde_json::from_slice::<Misdirected>(&body).ok();
                Err(CommandError::Elsewhere(said.and_then(|said| said.owner)))
            }
            StatusCode::SERVICE_UNAVAILABLE => Err(CommandError::Unavailable(format!(
                "the node at {url} cannot take commands at the moment"
            ))),
            other => {
                let hint = match other {
                    StatusCode::UNAUTHORIZED => "have both the same keys?",
                    _ => "are both of one version?",
                };
                tracing::warn!(url, status = %other, "a node does not take what is passed on to it; {hint}");
                Err(CommandError::Unavailable(format!(
                    "the node at {url} answers {other}"
                )))
            }
        }
    }
}
