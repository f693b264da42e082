//! Tells callers that their appends are durable, without holding the writer up.
//!
//! Waking a task from a thread outside its runtime costs a lock and often a system call; from inside the runtime it
//! costs next to nothing. So the callers of one runtime are woken together, by a task there.

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::AppendError;

/// Below this a task costs more than it saves.
const TOGETHER_MIN: usize = 8;
/// One task wakes this many, so that several threads can take part.
const TOGETHER_MAX: usize = 64;

/// Where to answer one append.
pub struct Caller {
    answer: oneshot::Sender<Result<u64, AppendError>>,
    runtime: Option<Handle>,
}

impl Caller {
    /// To be called by whoever appends, for the answer is given where it was asked for.
    pub fn new() -> (Self, oneshot::Receiver<Result<u64, AppendError>>) {
        let (answer, receiver) = oneshot::channel();
        // A runtime of one thread may be blocked by the very code that waits for the answer.
        let runtime = Handle::try_current()
            .ok()
            .filter(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        (Self { answer, runtime }, receiver)
    }

    pub fn answer(self, result: Result<u64, AppendError>) {
        // Whoever dropped the receiver does not want to know.
        let _ = self.answer.send(result);
    }
}

/// The answers to one batch.
#[derive(Default)]
pub struct Answers {
    together: Vec<(Caller, u64)>,
}

impl Answers {
    pub fn add(&mut self, caller: Caller, first: u64) {
        let here = caller.runtime.as_ref().map(Handle::id);
        if self.runtime_id() != here || self.together.len() == TOGETHER_MAX {
            self.give();
        }
        self.together.push((caller, first));
    }

    /// Gives all answers that were added.
    pub fn give(&mut self) {
        let runtime = self
            .together
            .first()
            .and_then(|(caller, _)| caller.runtime.clone());
        match runtime {
            Some(runtime) if self.together.len() >= TOGETHER_MIN => {
                let batch = Given(std::mem::take(&mut self.together));
                runtime.spawn(async move { drop(batch) });
            }
            _ => drop(Given(std::mem::take(&mut self.together))),
        }
    }

    fn runtime_id(&self) -> Option<Id> {
        self.together
            .first()
            .and_then(|(caller, _)| caller.runtime.as_ref())
            .map(Handle::id)
    }
}

/// Answers when it is dropped: so also when the runtime ends before it runs the task.
struct Given(Vec<(Caller, u64)>);

impl Drop for Given {
    fn drop(&mut self) {
        for (caller, first) in self.0.drain(..) {
            caller.answer(Ok(first));
        }
    }
}
