//! How far a job is, told as signals: for the people who watch, never for the log.

use serde::Serialize;
use spool_domain::ids::{AccountId, JobId, VideoId};
use spool_platform::signals::Signals;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The signals' topic; the key is the job's id.
pub const TOPIC: &str = "jobs";
const EVERY: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    Downloading,
    Processing,
    Uploading,
}

#[derive(Serialize)]
struct Told<'a> {
    video_id: VideoId,
    job_id: JobId,
    owner_id: AccountId,
    attempt: u32,
    state: Stage,
    /// 0 to 100.
    progress: u8,
    stage_text: &'a str,
}

/// Tells how far one attempt is. The whole is divided into shares, one for each pass over the film.
pub struct Progress {
    signals: Signals,
    video: VideoId,
    job: JobId,
    owner: AccountId,
    attempt: u32,
    inner: Mutex<Inner>,
}

struct Inner {
    stage: Stage,
    text: String,
    /// Of the whole, 0 to 1: where the running pass begins and how much it is.
    from: f64,
    share: f64,
    percent: u8,
    told_at: Option<Instant>,
}

impl Progress {
    pub fn new(signals: Signals, video: VideoId, job: JobId, owner: AccountId, attempt: u32) -> Self {
        let inner = Inner {
            stage: Stage::Downloading,
            text: "reading the file".into(),
            from: 0.0,
            share: 0.0,
            percent: 0,
            told_at: None,
        };
        let progress = Self {
            signals,
            video,
            job,
            owner,
            attempt,
            inner: Mutex::new(inner),
        };
        progress.with(|inner| progress.tell(inner));
        progress
    }

    /// A pass begins, which is `share` of the whole.
    pub fn pass(&self, stage: Stage, text: impl Into<String>, share: f64) {
        self.with(|inner| {
            inner.from += inner.share;
            inner.share = share;
            inner.stage = stage;
            inner.text = text.into();
            self.advance(inner, 0.0);
            self.tell(inner);
        });
    }

    /// The running pass has come so far, 0 to 1.
    pub fn done(&self, part: f64) {
        self.with(|inner| {
            self.advance(inner, part);
            if inner.told_at.is_none_or(|at| at.elapsed() >= EVERY) {
                self.tell(inner);
            }
        });
    }

    /// Never runs backwards, and leaves 100 to the event that says completed.
    fn advance(&self, inner: &mut Inner, part: f64) {
        let whole = (inner.from + inner.share * part.clamp(0.0, 1.0)) * 100.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=99 just before"
        )]
        let percent = whole.clamp(0.0, 99.0) as u8;
        inner.percent = inner.percent.max(percent);
    }

    fn tell(&self, inner: &mut Inner) {
        inner.told_at = Some(Instant::now());
        let told = Told {
            video_id: self.video,
            job_id: self.job,
            owner_id: self.owner,
            attempt: self.attempt,
            state: inner.stage,
            progress: inner.percent,
            stage_text: &inner.text,
        };
        let json = serde_json::to_vec(&told).expect("a plain struct of ours is always written");
        self.signals.publish(TOPIC, &self.job.to_string(), json);
    }

    fn with(&self, act: impl FnOnce(&mut Inner)) {
        act(&mut self
            .inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Drop for Progress {
    /// What the log says counts from here on.
    fn drop(&mut self) {
        self.signals.forget(TOPIC, &self.job.to_string());
    }
}
