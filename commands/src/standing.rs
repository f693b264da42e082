//! Waiting for a partition to change hands. When nothing more can be heard of that, because the log is closed or nobody else
//! can lead, these never return.

use spool_log::Standing;
use std::future::pending;
use tokio::sync::watch;

/// Until something has changed since it was last looked at.
pub async fn changes(standing: &mut watch::Receiver<Standing>) {
    if standing.changed().await.is_err() {
        pending().await
    }
}

/// Until it is so, which it may be at once.
pub async fn becomes(standing: &mut watch::Receiver<Standing>, wanted: impl FnMut(&Standing) -> bool) {
    let is_over = standing.wait_for(wanted).await.is_err();
    if is_over {
        pending().await
    }
}
