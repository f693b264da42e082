//! Writes one partition: one append at a time, of everything that waits, at the revision that must be there.

use std::sync::Arc;

use ::eventstore::{
    AppendToStreamOptions, BatchAppendClient, BatchAppendOptions, EventData, ExpectedRevision,
};
use bytes::Bytes;
use tokio::time::timeout_at;
use uuid::Uuid;

use super::queue::Pending;
use super::servers::{Pauses, Trouble};
use super::{COMMIT, Shared};
use crate::AppendError;

pub struct Writer {
    shared: Arc<Shared>,
    partition: u16,
    stream: String,
    call: Option<BatchAppendClient>,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, partition: u16) -> Self {
        let stream = shared.config.stream(partition);
        Self {
            shared,
            partition,
            stream,
            call: None,
        }
    }

    /// Until the queue is closed and empty.
    pub async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let queue = &shared.queues[usize::from(self.partition)];
        while let Some(batch) = queue.take(shared.config.append_bytes_max).await {
            let first = batch[0].first;
            let commits: Vec<Bytes> = batch
                .iter()
                .flat_map(|pending| pending.commits.iter().cloned())
                .collect();
            let outcome = if commits.is_empty() {
                self.look(first).await
            } else {
                self.write(first, commits).await
            };
            match outcome {
                Ok(()) => {
                    queue.landed();
                    for pending in batch {
                        let first = pending.first;
                        pending.answer(Ok(first));
                    }
                }
                Err(error) => self.give_up(batch, error),
            }
        }
    }

    fn give_up(&self, batch: Vec<Pending>, error: AppendError) {
        let behind = self.shared.queues[usize::from(self.partition)].give_up(&batch);
        // What was queued behind was not sent to anybody: that it is not in the log is certain.
        let conflict = AppendError::Conflict {
            expected: 0,
            actual: 0,
        };
        let refused = batch.into_iter().map(|pending| (pending, error));
        let unsent = behind.into_iter().map(|pending| (pending, conflict));
        let actual = self.shared.head(self.partition);
        for (pending, error) in refused.chain(unsent) {
            let expected = pending.first;
            pending.answer(Err(match error {
                AppendError::Conflict { .. } => AppendError::Conflict { expected, actual },
                other => other,
            }));
        }
    }

    /// Makes sure that nobody else has written: the last revision must be the one before `first`.
    async fn look(&self, first: u64) -> Result<(), AppendError> {
        match self.shared.tip(self.partition).await {
            Ok(tip) if tip == first => Ok(()),
            Ok(tip) => Err(self.conflict(tip).await),
            Err(trouble) => {
                self.complain("asking for the end of", trouble);
                Err(AppendError::Unknown)
            }
        }
    }

    async fn write(&mut self, first: u64, commits: Vec<Bytes>) -> Result<(), AppendError> {
        let expected = match first.checked_sub(1) {
            Some(last) => ExpectedRevision::Exact(last),
            None => ExpectedRevision::NoStream,
        };
        // The server knows events by their ids: the same ones at the same revision again are in the log once.
        let ids: Vec<Uuid> = commits.iter().map(|_| Uuid::new_v4()).collect();
        let events: Vec<EventData> = commits
            .iter()
            .zip(&ids)
            .map(|(commit, id)| EventData::binary(COMMIT, commit.clone()).id(*id))
            .collect();
        if self.write_quickly(expected, events.clone()).await {
            return self.accepted(first, commits).await;
        }
        let options = AppendToStreamOptions::default().expected_revision(expected);
        let servers = &self.shared.servers;
        let deadline = servers.deadline();
        let mut pauses = Pauses::default();
        loop {
            let append = servers.attempt(deadline, async |client| {
                client
                    .append_to_stream(self.stream.as_str(), &options, events.clone())
                    .await
            });
            match append.await {
                Ok(_) => return self.accepted(first, commits).await,
                Err(Trouble::WrongRevision(_)) if self.is_there(first, &ids).await? => {
                    return self.accepted(first, commits).await;
                }
                Err(Trouble::WrongRevision(last)) => {
                    return Err(self.conflict(last.map_or(0, |last| last + 1)).await);
                }
                Err(Trouble::Lasting(problem)) => {
                    self.complain("appending to", Trouble::Lasting(problem));
                    return Err(AppendError::Unknown);
                }
                Err(trouble) => {
                    if !pauses.pause_before(deadline).await {
                        self.complain("appending to", trouble);
                        return Err(AppendError::Unknown);
                    }
                }
            }
        }
    }

    /// Appends over a call that stays open. The call made for one append goes out in two packets, of which the second waits
    /// for the first to be acknowledged: that takes 40 ms, which nobody can tell the library to avoid.
    ///
    /// Only success says anything. After all else, be it a conflict, the call is over and the outcome unknown; the same events
    /// appended in a call of their own will tell.
    async fn write_quickly(&mut self, expected: ExpectedRevision, events: Vec<EventData>) -> bool {
        let servers = &self.shared.servers;
        let deadline = servers.deadline();
        let call = match self.call.take() {
            Some(call) => call,
            None => {
                let options = BatchAppendOptions::default();
                match servers
                    .attempt(deadline, async |client| client.batch_append(&options).await)
                    .await
                {
                    Ok(call) => call,
                    Err(_) => return false,
                }
            }
        };
        let appended = timeout_at(deadline, call.append_to_stream(&self.stream, expected, events)).await;
        let accepted = matches!(appended, Ok(Ok(_)));
        if accepted {
            self.call = Some(call);
        }
        accepted
    }

    /// Whether an attempt that was not answered has put its events where they were to go.
    async fn is_there(&self, first: u64, ids: &[Uuid]) -> Result<bool, AppendError> {
        match self.shared.id_at(self.partition, first).await {
            Ok(found) => Ok(found.as_ref() == ids.first()),
            Err(trouble) => {
                self.complain("looking for an append that was not answered in", trouble);
                Err(AppendError::Unknown)
            }
        }
    }

    /// Makes what was accepted visible. Whoever appended behind commits of another node that have not arrived yet gets
    /// those first.
    async fn accepted(&self, first: u64, commits: Vec<Bytes>) -> Result<(), AppendError> {
        let caught_up = self.shared.catch_up(self.partition, first).await;
        if let Err(trouble) = caught_up {
            self.complain("reading what lies before an append in", trouble);
            return Err(AppendError::Unknown);
        }
        self.shared.advance(self.partition, first, commits);
        Ok(())
    }

    /// Somebody else has written up to `tip`. Their commits are made visible before anybody is told of them.
    async fn conflict(&self, tip: u64) -> AppendError {
        if let Err(trouble) = self.shared.catch_up(self.partition, tip).await {
            self.complain("reading what somebody else wrote to", trouble);
        }
        AppendError::Conflict {
            expected: 0,
            actual: 0,
        }
    }

    fn complain(&self, doing: &str, trouble: Trouble) {
        let problem = trouble.into_problem();
        tracing::warn!(
            stream = self.stream,
            "{doing} a stream of the log failed: {problem}"
        );
    }
}
