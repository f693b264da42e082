//! Where the appends to one partition wait for the one before to be answered.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::UNPOISONED;
use crate::AppendError;

pub struct Queue {
    state: Mutex<State>,
    arrived: Notify,
}

struct State {
    waiting: VecDeque<Pending>,
    /// The next offset, counting what waits and what is being written; `None` when that is the head.
    next: Option<u64>,
    /// How often appends with commits were refused.
    tenure: u64,
    open: bool,
}

/// An append that waits.
pub struct Pending {
    pub first: u64,
    pub commits: Vec<Bytes>,
    /// As the server counts.
    pub bytes: usize,
    answer: oneshot::Sender<Result<u64, AppendError>>,
}

impl Queue {
    pub fn new() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            next: None,
            tenure: 0,
            open: true,
        };
        Self {
            state: Mutex::new(state),
            arrived: Notify::new(),
        }
    }

    pub fn tenure(&self) -> u64 {
        self.lock().tenure
    }

    /// Queues an append if it is next in its partition and, when it names a tenure, builds on nothing that was refused.
    pub fn push(
        &self,
        tenure: Option<u64>,
        expected: u64,
        commits: Vec<Bytes>,
        bytes: usize,
        head: impl FnOnce() -> u64,
    ) -> Result<oneshot::Receiver<Result<u64, AppendError>>, AppendError> {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.open {
            return Err(AppendError::Stopped);
        }
        let actual = state.next.unwrap_or_else(head);
        let builds_on_refused = tenure.is_some_and(|tenure| tenure != state.tenure);
        if actual != expected || builds_on_refused {
            state.tenure += u64::from(!commits.is_empty());
            return Err(AppendError::Conflict { expected, actual });
        }
        state.next = Some(expected + commits.len() as u64);
        state.waiting.push_back(Pending {
            first: expected,
            commits,
            bytes,
            answer,
        });
        drop(state);
        self.arrived.notify_one();
        Ok(receiver)
    }

    /// Waits for appends and takes as many as fit together, at least one. `None` when the queue is closed and empty.
    pub async fn take(&self, bytes_max: usize) -> Option<Vec<Pending>> {
        loop {
            {
                let mut state = self.lock();
                let mut bytes = 0;
                let fitting = state.waiting.iter().take_while(|pending| {
                    bytes += pending.bytes;
                    bytes <= bytes_max
                });
                let count = fitting.count().max(1).min(state.waiting.len());
                if count > 0 {
                    return Some(state.waiting.drain(..count).collect());
                }
                if !state.open {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// What was taken is in the log and below the head.
    pub fn landed(&self) {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            state.next = None;
        }
    }

    /// What was taken is not in the log: gives up what was queued behind it, which counted on it.
    pub fn give_up(&self, taken: &[Pending]) -> VecDeque<Pending> {
        let mut state = self.lock();
        state.next = None;
        let behind = std::mem::take(&mut state.waiting);
        let mut refused = taken.iter().chain(&behind);
        state.tenure += u64::from(refused.any(|pending| !pending.commits.is_empty()));
        behind
    }

    /// Lets nothing more in.
    pub fn close(&self) {
        self.lock().open = false;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNPOISONED)
    }
}

impl Pending {
    pub fn answer(self, result: Result<u64, AppendError>) {
        // Whoever dropped the receiver does not want to know.
        let _ = self.answer.send(result);
    }
}
