//! The answer to an append, to be awaited or waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::AppendError;

/// Resolves to the offset of the first commit once all of the append is durable. Dropping it takes nothing back.
#[must_use = "an append is only known to be durable once this has resolved"]
pub struct Appending {
    answer: Answer,
}

enum Answer {
    Now(Result<u64, AppendError>),
    Later(oneshot::Receiver<Result<u64, AppendError>>),
}

impl Appending {
    pub(crate) fn answered(result: Result<u64, AppendError>) -> Self {
        Self {
            answer: Answer::Now(result),
        }
    }

    pub(crate) fn queued(receiver: oneshot::Receiver<Result<u64, AppendError>>) -> Self {
        Self {
            answer: Answer::Later(receiver),
        }
    }

    /// Blocks the thread until the answer is there. Not for async tasks.
    pub fn wait(self) -> Result<u64, AppendError> {
        match self.answer {
            Answer::Now(result) => result,
            Answer::Later(receiver) => receiver.blocking_recv().unwrap_or(Err(AppendError::Stopped)),
        }
    }
}

impl Future for Appending {
    type Output = Result<u64, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.answer {
            Answer::Now(result) => Poll::Ready(*result),
            Answer::Later(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|answer| answer.unwrap_or(Err(AppendError::Stopped))),
        }
    }
}
