//! Who listens, and what there is to tell: progress from the signals, endings from the views.

use crate::jobs::{PROGRESS_TOPIC, Signal, percent};
use axum::extract::ws::Utf8Bytes;
use serde_json::json;
use spool_domain::ids::{AccountId, JobId, SessionId, VideoId};
use spool_domain::time::Timestamp;
use spool_platform::signals::{SignalMessage, Signals};
use spool_projections::catalogue::Status;
use spool_projections::jobs::{Job, JobState};
use spool_projections::{Changes, Projections, QueryError};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// Messages that wait for one socket, at most one for each job; beyond that the oldest go.
const WAITING_MAX: usize = 256;
/// Endings that are known to have been told.
const TOLD_MAX: usize = 4_096;

/// The sockets of this node, and the tasks that feed them. Clones share both.
#[derive(Clone)]
pub struct Live(Arc<Running>);

struct Running {
    sockets: Arc<Sockets>,
    signals: Signals,
    _progress: AbortOnDropHandle<()>,
    _endings: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Sockets {
    by_account: Mutex<HashMap<AccountId, Vec<Arc<Mailbox>>>>,
    is_closing: AtomicBool,
}

/// What waits for one socket. The latest about a job replaces what was said before, so a slow reader is told how
/// things are and not how they were, and slows nobody.
pub struct Mailbox {
    session: Option<SessionId>,
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<(Uuid, Utf8Bytes)>,
    is_closed: bool,
}

/// A mailbox in its place; taken out when dropped.
pub struct Listening {
    sockets: Arc<Sockets>,
    account: Option<AccountId>,
    pub mailbox: Arc<Mailbox>,
}

impl Live {
    /// Starts to follow signals and views; to be called inside a tokio runtime.
    pub fn start(signals: Signals, projections: Projections) -> Self {
        let sockets = Arc::new(Sockets::default());
        let progress = tokio::spawn(tell_progress(signals.clone(), sockets.clone()));
        let endings = tokio::spawn(tell_endings(projections, sockets.clone()));
        Self(Arc::new(Running {
            sockets,
            signals,
            _progress: AbortOnDropHandle::new(progress),
            _endings: AbortOnDropHandle::new(endings),
        }))
    }

    /// A mailbox for a socket; with an account, what goes on with its videos comes into it, first how things are.
    pub fn listen(&self, person: Option<(AccountId, Option<SessionId>)>) -> Listening {
        let account = person.map(|(account, _)| account);
        let mailbox = Arc::new(Mailbox {
            session: person.and_then(|(_, session)| session),
            waiting: Mutex::default(),
            bell: Notify::new(),
        });
        let sockets = &self.0.sockets;
        if let Some(account) = account {
            sockets.lock().entry(account).or_default().push(mailbox.clone());
            for message in self.0.signals.latest_all(PROGRESS_TOPIC) {
                if let Some((owner, job, text)) = progress(&message)
                    && owner == account
                {
                    mailbox.put(job, text);
                }
            }
        }
        if sockets.is_closing.load(Ordering::SeqCst) {
            mailbox.close();
        }
        Listening {
            sockets: sockets.clone(),
            account,
            mailbox,
        }
    }

    /// Sockets of these sessions are closed.
    pub fn end_sessions(&self, ended: &[SessionId]) {
        if ended.is_empty() {
            return;
        }
        let is_over =
            |mailbox: &&Arc<Mailbox>| mailbox.session.is_some_and(|session| ended.contains(&session));
        self.0
            .sockets
            .lock()
            .values()
            .flatten()
            .filter(is_over)
            .for_each(|mailbox| mailbox.close());
    }

    /// All sockets are closed, those to come as well.
    pub fn close(&self) {
        self.0.sockets.is_closing.store(true, Ordering::SeqCst);
        self.0
            .sockets
            .lock()
            .values()
            .flatten()
            .for_each(|mailbox| mailbox.close());
    }
}

impl Mailbox {
    /// Puts a message in, over the one about the same thing.
    pub fn put(&self, about: Uuid, text: Utf8Bytes) {
        let mut waiting = self.lock();
        match waiting.messages.iter_mut().find(|(other, _)| *other == about) {
            Some((_, before)) => *before = text,
            None => {
                if waiting.messages.len() >= WAITING_MAX {
                    waiting.messages.pop_front();
                }
                waiting.messages.push_back((about, text));
            }
        }
        drop(waiting);
        self.bell.notify_one();
    }

    /// What waits, as soon as there is anything; nothing once the mailbox is closed and empty. Cancel safe.
    pub async fn take(&self) -> Option<Vec<Utf8Bytes>> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.messages.is_empty() {
                    return Some(waiting.messages.drain(..).map(|(_, text)| text).collect());
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.bell.notified().await;
        }
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets {
    fn tell(&self, account: AccountId, about: Uuid, text: &Utf8Bytes) {
        for mailbox in self.lock().get(&account).into_iter().flatten() {
            mailbox.put(about, text.clone());
        }
    }

    fn has(&self, account: AccountId) -> bool {
        self.lock().contains_key(&account)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Vec<Arc<Mailbox>>>> {
        self.by_account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let Some(account) = self.account else {
            return;
        };
        let mut by_account = self.sockets.lock();
        if let Some(mailboxes) = by_account.get_mut(&account) {
            mailboxes.retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
            if mailboxes.is_empty() {
                by_account.remove(&account);
            }
        }
    }
}

async fn tell_progress(signals: Signals, sockets: Arc<Sockets>) {
    let mut subscription = signals.subscribe(PROGRESS_TOPIC);
    loop {
        let message = subscription.recv().await;
        if let Some((owner, job, text)) = progress(&message) {
            sockets.tell(owner, job, &text);
        }
    }
}

/// Whose job the signal is about, which one, and the message to them.
fn progress(message: &SignalMessage) -> Option<(AccountId, Uuid, Utf8Bytes)> {
    let signal: Signal = serde_json::from_slice(&message.json).ok()?;
    let data = json!({
        "video_id": signal.video_id,
        "job_id": signal.job_id,
        "state": signal.state,
        "progress": percent(signal.progress),
        "stage_text": signal.stage_text,
    });
    Some((
        AccountId(signal.owner_id),
        signal.job_id,
        written("videoProcessingProgress", &data),
    ))
}

/// A message as it goes over the socket.
pub fn written(kind: &str, data: &serde_json::Value) -> Utf8Bytes {
    json!({ "type": kind, "data": data }).to_string().into()
}

/// Tells when a job has ended, once both the queue and the catalogue say so: whoever asks then gets the end.
async fn tell_endings(projections: Projections, sockets: Arc<Sockets>) {
    let mut jobs = projections.jobs().changes();
    let mut videos = projections.catalogue().changes();
    let mut told: HashMap<JobId, Option<Timestamp>> = HashMap::new();
    loop {
        let changed = tokio::select! {
            changed = next(&mut jobs) => changed.map(|ids| ids.into_iter().map(JobId).collect::<Vec<_>>()),
            changed = next(&mut videos) => {
                changed.map(|ids| ids.into_iter().map(|id| JobId::of(VideoId(id), 1)).collect())
            }
        };
        let Some(changed) = changed else { return };
        if sockets.lock().is_empty() {
            continue;
        }
        let (projections, listeners) = (projections.clone(), sockets.clone());
        let read = move || -> Vec<Job> {
            let ended = |id| ended(&projections, &listeners, id);
            changed
                .into_iter()
                .filter_map(|id| ended(id).ok().flatten())
                .collect()
        };
        let Ok(ended) = tokio::task::spawn_blocking(read).await else {
            continue;
        };
        for job in ended {
            if told.len() >= TOLD_MAX {
                told.clear();
            }
            if told.insert(job.id, job.finished_at) != Some(job.finished_at) {
                sockets.tell(job.owner_id, job.id.0, &ending(&job));
            }
        }
    }
}

/// The ids in the next notice; none of them after a lag, since pages ask from time to time anyway.
async fn next(changes: &mut Receiver<Arc<Changes>>) -> Option<Vec<Uuid>> {
    match changes.recv().await.as_deref() {
        Ok(Changes::Keys(keys)) => Some(keys.iter().filter_map(|key| key.parse().ok()).collect()),
        Ok(Changes::All) | Err(RecvError::Lagged(_)) => Some(vec![]),
        Err(RecvError::Closed) => None,
    }
}

/// The job, if it has ended in both views and its owner listens. Blocking.
fn ended(projections: &Projections, sockets: &Sockets, id: JobId) -> Result<Option<Job>, QueryError> {
    let Some(job) = projections.jobs().job(id)? else {
        return Ok(None);
    };
    if !is_over(job.state) || !sockets.has(job.owner_id) {
        return Ok(None);
    }
    let video = projections.catalogue().video(job.video_id)?;
    let is_settled = video.is_some_and(|video| matches!(video.status, Status::Ready | Status::Failed));
    Ok(is_settled.then_some(job))
}

const fn is_over(state: JobState) -> bool {
    match state {
        JobState::Completed | JobState::Failed | JobState::Cancelled => true,
        JobState::Pending | JobState::Downloading | JobState::Processing | JobState::Uploading => false,
    }
}

fn ending(job: &Job) -> Utf8Bytes {
    let (video_id, job_id) = (job.video_id.0, job.id.0);
    if job.state == JobState::Completed {
        return written(
            "videoProcessingComplete",
            &json!({ "video_id": video_id, "job_id": job_id }),
        );
    }
    let fallback = if job.state == JobState::Cancelled {
        "processing was cancelled"
    } else {
        "processing failed"
    };
    let error_text = job.error_text.as_deref().unwrap_or(fallback);
    let data = json!({ "video_id": video_id, "job_id": job_id, "error_text": error_text });
    written("videoProcessingError", &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> Mailbox {
        Mailbox {
            session: None,
            waiting: Mutex::default(),
            bell: Notify::new(),
        }
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_latest_about_each_job() {
        let mailbox = mailbox();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        mailbox.put(one, "1%".into());
        mailbox.put(two, "5%".into());
        mailbox.put(one, "2%".into());
        assert_eq!(mailbox.take().await, Some(vec!["2%".into(), "5%".into()]));
    }

    #[tokio::test]
    async fn a_mailbox_is_bounded_and_ends() {
        let mailbox = mailbox();
        for job in 0..2 * WAITING_MAX as u128 {
            mailbox.put(Uuid::from_u128(job), "1%".into());
        }
        assert_eq!(
            mailbox.take().await.map(|messages| messages.len()),
            Some(WAITING_MAX)
        );
        mailbox.close();
        assert_eq!(mailbox.take().await, None);
    }
}
