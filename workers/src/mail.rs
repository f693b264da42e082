//! Sends the mails that accounts ask for: at least once, as long as the links in them are good.
//!
//! The queue is the log: a mail that was not sent when the process died is sent by whoever comes next. Where the log was
//! read up to is kept in a table, behind the oldest mail that is still under way, so after a crash some mails may be sent
//! twice, with the same `Message-ID`. Nothing else waits for the mail server.

mod following;
mod letter;
mod outage;
mod post;
mod wording;

use following::Following;
use lettre::message::Mailbox;
use outage::Outage;
use post::Post;
use spool_commands::Commands;
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_platform::config::Mail as Settings;
use spool_platform::keys::Keys;
use spool_tables::{Tables, TablesError, ViewTables};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections to the mail server, each with one mail at a time.
const AT_ONCE: usize = 4;
/// What cannot be begun is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// What mail is sent by and from.
#[derive(Clone)]
pub struct Parts {
    pub log: Log,
    pub commands: Commands,
    pub tables: Tables,
    pub keys: Keys,
    pub clock: Clock,
    /// Where the pages of the links are, without a slash at the end.
    pub base_url: String,
}

/// Why no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("mail.from is no sender, such as Spool <spool@films.example>")]
    From,
    #[error("mail.smtp_url: {0}")]
    Url(String),
}

/// Sends mail. Clones share everything.
#[derive(Clone)]
pub struct Mail(Arc<Inner>);

struct Inner {
    parts: Parts,
    from: Mailbox,
    post: Post,
    /// Free connections.
    turns: Semaphore,
    outage: Outage,
}

impl Mail {
    /// Nothing where mail goes nowhere. Asks no server. Inside a runtime.
    pub fn open(settings: &Settings, parts: Parts) -> Result<Option<Self>, OpenError> {
        let Some(post) = Post::open(settings)? else {
            return Ok(None);
        };
        let from = settings.from.parse().map_err(|_| OpenError::From)?;
        Ok(Some(Self(Arc::new(Inner {
            parts,
            from,
            post,
            turns: Semaphore::new(AT_ONCE),
            outage: Outage::default(),
        }))))
    }

    /// Follows the log and sends until `stop`. One node is enough for that; two of them send some mails twice.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(checkpoints) = self.checkpoints(&stop).await else {
            return;
        };
        let mut partitions = JoinSet::new();
        for partition in 0..self.0.parts.log.partitions() {
            let following = Following::new(self.clone(), checkpoints.clone(), partition, stop.clone());
            partitions.spawn(following.run());
        }
        // A panic in one of them is one here. Dropped half-way, the set ends all of them.
        while let Some(ended) = partitions.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    /// How far mail was sent, on whichever node; nothing when it is time to stop first.
    async fn checkpoints(&self, stop: &CancellationToken) -> Option<ViewTables> {
        loop {
            let tables = self.0.parts.tables.clone();
            let open = move || -> Result<ViewTables, TablesError> {
                let checkpoints = tables.view("mail", 1)?;
                checkpoints.take_over()?;
                Ok(checkpoints)
            };
            let error = match tokio::task::spawn_blocking(open).await {
                Ok(Ok(checkpoints)) => return Some(checkpoints),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::warn!(error, "it cannot be read which mail was sent");
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}
