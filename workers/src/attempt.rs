//! One attempt at a job: from the claimed lease to completed, failed, or cut off.

use crate::ending::End;
use crate::passes::Passes;
use crate::runner::Parts;
use spool_commands::{Ask, CommandError};
use spool_domain::actors::Actor;
use spool_domain::ids::JobId;
use spool_domain::jobs::{Command, Job, Stage};
use spool_domain::time::Millis;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub struct Attempt {
    parts: Parts,
    job: JobId,
    number: u32,
    lease: Millis,
}

impl Attempt {
    pub const fn new(parts: Parts, job: JobId, number: u32, lease: Millis) -> Self {
        Self {
            parts,
            job,
            number,
            lease,
        }
    }

    pub const fn job(&self) -> JobId {
        self.job
    }

    /// Works until done, refused, cancelled or stopped. Never fails: what went wrong is told to the log.
    pub async fn run(&self, stop: CancellationToken) {
        let ended = tokio::select! {
            ended = self.work() => ended,
            () = self.lose_lease() => Err(End::CutOff),
            () = stop.cancelled() => Err(End::CutOff),
        };
        let command = match ended {
            Ok(command) => command,
            Err(End::Failed(failure)) => {
                tracing::info!(job = %self.job, attempt = self.number, code = failure.code, "an attempt failed: {}", failure.sentence);
                Command::Fail {
                    attempt: self.number,
                    failure,
                }
            }
            Err(End::CutOff) => return,
        };
        // A lost answer is harmless: the lease runs out, and the next attempt finds everything published.
        if let Err(error) = self.tell(command).await {
            tracing::info!(job = %self.job, attempt = self.number, %error, "the end of an attempt was not taken");
        }
    }

    async fn tell(&self, command: Command) -> Result<(), CommandError> {
        self.parts
            .commands
            .give(self.job.stream(), command, Ask::fresh(Actor::System))
            .await
            .map(drop)
    }

    /// Renews the lease, and resolves once it is lost: cancelled, fenced off, or over. A change of the job is
    /// looked at as soon as its row changes, which stops a cancelled job's work well within 2 s.
    async fn lose_lease(&self) {
        let mut changes = self.parts.projections.jobs().changes();
        let every = Duration::from_millis(u64::try_from(self.lease.0 / 3).unwrap_or(1_000).max(100));
        let mut renew = tokio::time::interval(every);
        renew.tick().await;
        let own = self.job.to_string();
        loop {
            tokio::select! {
                _ = renew.tick() => {
                    let command = Command::Renew { attempt: self.number, lease: self.lease };
                    if let Err(CommandError::Refused(_)) = self.tell(command).await {
                        return;
                    }
                }
                changed = changes.recv() => {
                    let concerns = match changed.as_deref() {
                        Ok(spool_projections::Changes::Keys(keys)) => keys.contains(&own),
                        Ok(spool_projections::Changes::All) | Err(_) => true,
                    };
                    if concerns && !self.holds_the_lease().await {
                        return;
                    }
                }
            }
        }
    }

    async fn holds_the_lease(&self) -> bool {
        match self.parts.commands.state::<Job>(self.job.stream()).await {
            Ok((Job::Known(known), _)) => {
                matches!(&known.stage, Stage::Leased { attempt, .. } if *attempt == self.number)
            }
            Ok((Job::Nothing, _)) => false,
            // Not known at the moment: the next renewal tells.
            Err(_) => true,
        }
    }

    async fn work(&self) -> Result<Command, End> {
        let (state, _) = self.parts.commands.state::<Job>(self.job.stream()).await?;
        let Job::Known(known) = state else {
            return Err(End::CutOff);
        };
        Passes::new(&self.parts, self.job, &known, self.lease).run().await
    }
}
