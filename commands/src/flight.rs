//! An append in flight: when the log refuses it, what was counted on it is taken back, even when nobody
//! waits for it any more.

use crate::answer::CommandError;
use crate::executor::Shared;
use spool_log::{AppendError, Appending};
use std::sync::Arc;

/// Why one attempt came to nothing.
pub enum Failure {
    /// A commit before this one failed; decided anew it may be accepted. If that does not end, with this.
    Again(CommandError),
    Final(CommandError),
}

impl Failure {
    /// The state that a command was to be decided on has to be read again first.
    pub fn read_again() -> Self {
        Self::Again(CommandError::Unavailable(
            "this node keeps losing its partition".into(),
        ))
    }

    /// A barrier that fails says nothing about the question itself, only that it rested on too much.
    pub fn of_barrier(error: AppendError) -> Self {
        match Self::from(error) {
            Self::Final(CommandError::Full) => Self::Again(CommandError::Full),
            other => other,
        }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Final(error)
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => Self::Again(CommandError::Unavailable(
                "commits before this one keep failing".into(),
            )),
            AppendError::Full => Self::Final(CommandError::Full),
            AppendError::NotOwner => Self::Final(CommandError::Elsewhere(None)),
            AppendError::TooLarge { .. } | AppendError::Unknown | AppendError::Stopped => {
                Self::Final(CommandError::Unavailable(error.to_string()))
            }
        }
    }
}

pub struct InFlight {
    appending: Option<Appending>,
    executor: Arc<Shared>,
    flown: Flown,
}

/// Which append of which partition it is.
#[derive(Clone, Copy)]
pub struct Flown {
    pub partition: u16,
    pub ticket: u64,
    /// The reading of the log that it was decided on.
    pub reading: u64,
}

impl InFlight {
    pub const fn new(executor: Arc<Shared>, flown: Flown, appending: Appending) -> Self {
        Self {
            appending: Some(appending),
            executor,
            flown,
        }
    }

    pub async fn landed(mut self) -> Result<(), AppendError> {
        let Some(appending) = self.appending.as_mut() else {
            return Ok(());
        };
        let result = appending.await;
        self.appending = None;
        self.executor.settle(self.flown, result)
    }

    /// Blocks the thread.
    pub fn wait(mut self) -> Result<(), AppendError> {
        let result = self.appending.take().map_or(Ok(0), Appending::wait);
        self.executor.settle(self.flown, result)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Outside a runtime nobody can wait. The next command will meet the failure then.
        let (Some(appending), Ok(runtime)) = (self.appending.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (executor, flown) = (Arc::clone(&self.executor), self.flown);
        runtime.spawn(async move { executor.settle(flown, appending.await) });
    }
}
