//! The handle: whoever has a command to give uses this one. It goes to this node's own executor or to the node that
//! leads the partition.

use crate::answer::{Ask, CommandError, Outcome};
use crate::executor::Shared;
use crate::features::{AnyCommand, AnyState, Feature};
use crate::figures::Figures;
use crate::peers::Peers;
use crate::restore::{RecoveryError, restore};
use crate::search::{Place, Search};
use crate::timers::Alarm;
use spool_domain::ids::StreamId;
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_tables::Tables;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use tokio::time::timeout;

#[derive(Clone)]
pub struct Commands {
    log: Log,
    /// The executors, where there are any.
    pub(crate) here: Option<Arc<Shared>>,
    /// The way to those of other nodes, where there are any.
    peers: Option<Peers>,
}

/// What the executors stand on.
pub struct Parts {
    pub log: Log,
    /// For snapshots. No other node may write there.
    pub tables: Tables,
    pub clock: Clock,
}

const HERE_OR_THERE: &str = "a handle without executors has peers";

/// Why there are no executors: the log itself is unreadable, or there is no place for snapshots.
#[derive(Debug, thiserror::Error)]
#[error("restoring the state of the streams: {0}")]
pub struct OpenError(#[from] RecoveryError);

impl Commands {
    /// Restores the state of every partition from its snapshot and the log's tail. Blocking. Snapshots that
    /// are lost, damaged, of another format or of another log cost a longer start, nothing else.
    pub fn open(parts: Parts) -> Result<Self, OpenError> {
        let Parts { log, tables, clock } = parts;
        let (partitions, snapshots) = restore(&log, &tables)?;
        let shared = Shared {
            is_shared: log.needs_barrier(),
            log: log.clone(),
            clock,
            snapshots,
            partitions: partitions.into_iter().map(Mutex::new).collect(),
            alarm: Alarm::default(),
            figures: Figures::default(),
        };
        Ok(Self {
            log,
            here: Some(Arc::new(shared)),
            peers: None,
        })
    }

    /// A handle without executors: everything is passed on to the node that leads the partition, as `log` says.
    pub const fn remote(log: Log, peers: Peers) -> Self {
        Self {
            log,
            here: None,
            peers: Some(peers),
        }
    }

    /// Passes on what another node leads, from now on; without this it is answered with `Elsewhere`.
    pub fn with_peers(self, peers: Peers) -> Self {
        Self {
            peers: Some(peers),
            ..self
        }
    }

    /// The log that keeps the facts.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Gives `command` to `stream`. The answer comes when its facts are durable. Dropping the future takes
    /// nothing back; asking again with the same id gives the same answer.
    ///
    /// While the partition changes hands, or the node that leads it does not answer, the command is given again with its
    /// id until it is known what came of it, or `Unavailable` after the [time for it](Peers::within).
    pub async fn give(
        &self,
        stream: StreamId,
        command: impl Into<AnyCommand>,
        ask: Ask,
    ) -> Result<Outcome, CommandError> {
        let command = command.into();
        match &self.peers {
            // Apart, so that what a single node never needs is not moved about with every command.
            Some(peers) => Box::pin(self.give_somewhere(peers, stream, &command, &ask)).await,
            None => {
                let shared = self.here.as_ref().expect(HERE_OR_THERE);
                shared.give_counted(stream, &command, &ask).await
            }
        }
    }

    /// The state of `stream` and its version, after everything accepted so far.
    pub async fn state<D: Feature>(&self, stream: StreamId) -> Result<(D, u64), CommandError> {
        self.look(stream, false).await
    }

    /// The same at once, counting what may not be durable yet and may still be taken back. Only to make a command of
    /// it that names the version: it is refused if that never came to be.
    pub async fn glance<D: Feature>(&self, stream: StreamId) -> Result<(D, u64), CommandError> {
        self.look(stream, true).await
    }

    /// Writes snapshots of all partitions, so that the next start is quick. Blocking, and not to be called
    /// from a task.
    pub fn write_snapshots(&self) -> Result<(), CommandError> {
        match &self.here {
            Some(shared) => shared.write_snapshots(),
            None => Ok(()),
        }
    }

    /// Where the node takes requests from others that leads the partition of `stream`, as far as the log says.
    pub(crate) fn owner_of(&self, stream: StreamId) -> Option<String> {
        self.log.owner(self.partition_of(stream)).map(|owner| owner.url)
    }

    fn partition_of(&self, stream: StreamId) -> u16 {
        stream.partition(self.log.partitions())
    }

    async fn give_somewhere(
        &self,
        peers: &Peers,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
    ) -> Result<Outcome, CommandError> {
        let mut search = Search::new(&self.log, self.partition_of(stream));
        let asking = async {
            loop {
                let given = match search.place(self.here.as_ref()) {
                    Place::Here(shared) => shared.give_counted(stream, command, ask).await,
                    Place::There(url) => {
                        let giving = peers.give(&url, stream, command, ask);
                        search.unless_it_moves(giving).await
                    }
                    Place::Unknown => Err(CommandError::Elsewhere(None)),
                };
                if let ControlFlow::Break(given) = search.settle(given).await {
                    return given;
                }
            }
        };
        let given = timeout(peers.deadline, asking).await;
        given.unwrap_or_else(|_| Err(search.trouble()))
    }

    async fn look<D: Feature>(&self, stream: StreamId, at_once: bool) -> Result<(D, u64), CommandError> {
        let Some(peers) = &self.peers else {
            let shared = self.here.as_ref().expect(HERE_OR_THERE);
            return look_here(shared, stream, at_once).await;
        };
        let mut search = Search::new(&self.log, self.partition_of(stream));
        let asking = async {
            loop {
                let seen = match search.place(self.here.as_ref()) {
                    Place::Here(shared) => look_here(&shared, stream, at_once).await,
                    Place::There(url) => {
                        let looking = peers.look(&url, stream, at_once);
                        search.unless_it_moves(looking).await
                    }
                    Place::Unknown => Err(CommandError::Elsewhere(None)),
                };
                if let ControlFlow::Break(seen) = search.settle(seen).await {
                    return seen;
                }
            }
        };
        let seen = timeout(peers.deadline, asking).await;
        seen.unwrap_or_else(|_| Err(search.trouble()))
    }
}

async fn look_here<D: Feature>(
    shared: &Arc<Shared>,
    stream: StreamId,
    at_once: bool,
) -> Result<(D, u64), CommandError> {
    let own = |state: &AnyState, version| D::from_any(state).map(|state| (state.clone(), version));
    let seen = if at_once {
        shared.glance(stream, own)?
    } else {
        shared.read(stream, own).await?
    };
    seen.ok_or_else(|| CommandError::Unavailable(format!("{stream} is of another feature")))
}
