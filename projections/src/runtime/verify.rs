//! Proves that rows are a function of the log: refolds all of it and compares with what serves.

use super::follower::{Hashed, Message};
use super::rebuild::Reporting;
use super::shared::Shared;
use crate::error::{RebuildError, VerifyError};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::oneshot;

/// One view, compared with a refold to the same positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub view: &'static str,
    pub version: u32,
    /// Of the rows that serve: SHA-256 over keys and values.
    pub hash: String,
    pub refold_hash: String,
    pub equal: bool,
    /// Commits up to which both were folded.
    pub commits: u64,
    /// Dead letters of the version that serves. With any, a refold stops and this is an error instead.
    pub parked: u64,
}

/// Refolds one view into a version of its own, which is dropped afterwards.
pub(super) fn verify(shared: &Arc<Shared>, view: usize) -> Result<Verified, VerifyError> {
    let registered = &shared.views[view];
    let name = registered.view.name();
    let Some(serving) = registered.serving.current() else {
        return Err(VerifyError::Rebuilding { view: name });
    };
    let refold = |source| VerifyError::Refold { view: name, source };
    let reporting = Reporting::begin(shared, view).map_err(refold)?;
    let served = hash_of_serving(shared, view).map_err(refold)?;
    let version = reporting.next_version().map_err(refold)?;
    let refolded = reporting
        .fill(&version, Some(&served.next))
        .and_then(|()| version.tables.content_hash().map_err(RebuildError::from));
    reporting.drop_version(&version);
    let refold_hash = refolded.map_err(refold)?;
    Ok(Verified {
        view: name,
        version: served.version,
        equal: served.hash == refold_hash,
        hash: served.hash,
        refold_hash,
        commits: served.next.iter().sum(),
        parked: serving.parked(),
    })
}

/// Asked of the follower, because the hash and the positions have to belong together.
fn hash_of_serving(shared: &Shared, view: usize) -> Result<Hashed, RebuildError> {
    let (reply, answer) = oneshot::channel();
    shared.tell_follower(Message::Hash { view, reply });
    let hashed = answer.blocking_recv().map_err(|_| RebuildError::Stopped)??;
    Ok(hashed)
}
