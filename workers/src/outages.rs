//! Outages: an attempt waits until the store of files or the log answers again, instead of failing by it.

use spool_blobs::BlobError;
use spool_commands::{Ask, CommandError, Commands};
use spool_domain::actors::Actor;
use spool_domain::ids::JobId;
use spool_domain::jobs::Command;
use spool_domain::time::Millis;
use std::future::Future;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(500);

/// Asks the store until it answers, for as long as the caller has the job: whoever loses it drops this.
pub async fn stored<T, F>(mut ask: impl FnMut() -> F) -> Result<T, BlobError>
where
    F: Future<Output = Result<T, BlobError>>,
{
    loop {
        match ask().await {
            Err(error @ BlobError::Unavailable { .. }) => {
                tracing::warn!(%error, "an attempt waits for the store of files");
                tokio::time::sleep(PAUSE).await;
            }
            answered => return answered,
        }
    }
}

/// Gives a command under one id until it is answered, but no longer than the lease that could not be renewed
/// meanwhile.
pub async fn given(
    commands: &Commands,
    job: JobId,
    command: Command,
    lease: Millis,
) -> Result<(), CommandError> {
    let ask = Ask::fresh(Actor::System);
    let give_up_at = Instant::now() + Duration::from_millis(u64::try_from(lease.0).unwrap_or(0));
    loop {
        match commands.give(job.stream(), command.clone(), ask.clone()).await {
            Err(error @ (CommandError::Unavailable(_) | CommandError::Elsewhere(_)))
                if Instant::now() < give_up_at =>
            {
                tracing::warn!(%job, %error, "an attempt waits for the log");
                tokio::time::sleep(PAUSE).await;
            }
            answered => return answered.map(drop),
        }
    }
}
