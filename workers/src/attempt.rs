//! One attempt at a job: from the claimed lease to completed, failed, or cut off.

use crate::media_child::{ChildError, MediaChild};
use crate::progress::{Progress, Stage};
use crate::publisher::{PublishError, Publisher};
use crate::runner::Parts;
use spool_blobs::BlobError;
use spool_commands::{Ask, CommandError};
use spool_domain::actors::Actor;
use spool_domain::ids::JobId;
use spool_domain::jobs::{Command, Fact, Failure, Job, Known};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::time::Millis;
use spool_media_protocol::{
    AudioTask, EncodeTask, Finished, Limits, Message, Plan, Probe, RemuxTask, RungTask, SourceUse, Task,
    ThumbnailTask, plan,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How much of the whole each pass is, roughly, so that the bar moves evenly.
const SHARE_OF_SOURCE: f64 = 0.04;
const SHARE_OF_FIRST_RUNG: f64 = 0.2;

pub struct Attempt {
    parts: Parts,
    job: JobId,
    number: u32,
    lease: Millis,
}

/// Why an attempt ended without a completed job.
enum End {
    /// Told to the log.
    Failed(Failure),
    /// Somebody else has the job now, it is over, or this process stops: nothing is to be said.
    CutOff,
}

/// The kinds of trouble, each with what it means for the job.
impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Command(error) => error.into(),
            PublishError::Blobs(error) => error.into(),
            PublishError::OutOfOrder { .. } => passing("out_of_order", error.to_string()),
        }
    }
}

impl From<BlobError> for End {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => passing("no_room", "there is no room left to store the film".into()),
            BlobError::NotFound { .. } => End::Failed(Failure {
                code: "file_missing".into(),
                sentence: "the uploaded file is gone; please upload it again".into(),
                passing: false,
            }),
            BlobError::InvalidKey { .. } | BlobError::Io { .. } => {
                passing("storage", format!("storing the film failed: {error}"))
            }
        }
    }
}

impl From<CommandError> for End {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(_) => Self::CutOff,
            CommandError::Full => passing("no_room", "there is no room left in the log".into()),
            CommandError::Stale { .. } | CommandError::OtherRequest | CommandError::Unavailable(_) => {
                passing("log_away", format!("the log could not be written: {error}"))
            }
        }
    }
}

impl From<ChildError> for End {
    fn from(error: ChildError) -> Self {
        End::Failed(Failure {
            code: error.code.clone(),
            sentence: error.sentence.clone(),
            passing: !error.permanent,
        })
    }
}

fn passing(code: &str, sentence: String) -> End {
    End::Failed(Failure {
        code: code.into(),
        sentence,
        passing: true,
    })
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
        use spool_domain::jobs::Stage as JobStage;
        match self.parts.commands.state::<Job>(self.job.stream()).await {
            Ok((Job::Known(known), _)) => {
                matches!(&known.stage, JobStage::Leased { attempt, .. } if *attempt == self.number)
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
        let requested = &known.requested;
        let published = known
            .renditions
            .iter()
            .map(|(name, progress)| (name.clone(), progress.segments))
            .collect();
        let place = (requested.video, self.job, self.number);
        let mut pass = Pass {
            publisher: Publisher::new(
                self.parts.commands.clone(),
                self.parts.blobs.clone(),
                place,
                self.lease,
                published,
            ),
            progress: Progress::new(
                self.parts.signals.clone(),
                requested.video,
                self.job,
                requested.owner,
                self.number,
            ),
            finished: known
                .renditions
                .iter()
                .filter(|(_, progress)| progress.finished)
                .map(|(name, _)| name.clone())
                .collect(),
            thumbnail: known.thumbnail.is_some(),
            parts: &self.parts,
            known: &known,
            probe: None,
            provisional: None,
            warnings: BTreeMap::new(),
            duration_ms: 0,
        };
        pass.run().await
    }
}

/// The passes over the film, one process each, and what they have found out so far.
struct Pass<'a> {
    parts: &'a Parts,
    known: &'a Known,
    publisher: Publisher,
    progress: Progress,
    /// Renditions that are whole.
    finished: BTreeSet<String>,
    thumbnail: bool,
    probe: Option<Probe>,
    /// The rendition that is published for the first minutes only.
    provisional: Option<String>,
    warnings: BTreeMap<String, String>,
    duration_ms: u64,
}

impl Pass<'_> {
    async fn run(&mut self) -> Result<Command, End> {
        let first_attempt = self.known.film.is_none();
        self.progress
            .pass(Stage::Processing, "looking at the film", SHARE_OF_SOURCE);
        if !first_attempt {
            // The plan says which rendition is the copied one, and so where to go on with it.
            self.pass(Task::Probe {
                limits: self.limits(),
            })
            .await?;
        }
        self.remux().await?;
        let plan = self.plan()?;
        self.thumbnail().await?;
        self.encode(&plan).await?;
        self.publisher.flush().await?;
        let warnings = self.warnings.values().cloned().collect();
        Ok(Command::Complete {
            attempt: self.attempt(),
            duration_ms: self.duration_ms,
            warnings,
        })
    }

    const fn attempt(&self) -> u32 {
        self.known.attempts
    }

    fn plan(&self) -> Result<Plan, End> {
        let mut plan = plan(
            self.probe
                .as_ref()
                .ok_or_else(|| passing("no_probe", "the film was not looked at".into()))?,
        );
        let highest = self.parts.config.media.max_height;
        let lowest = plan.rungs.first().cloned();
        plan.rungs.retain(|rung| rung.width.min(rung.height) <= highest);
        if plan.rungs.is_empty() && !matches!(plan.source, SourceUse::Rung { .. }) {
            plan.rungs.extend(lowest);
        }
        Ok(plan)
    }

    fn limits(&self) -> Limits {
        let media = &self.parts.config.media;
        Limits {
            duration_ms_max: media.max_duration_seconds * 1_000,
            cpu_seconds_max: media.cpu_seconds,
            memory_bytes_max: media.memory_bytes,
            ..Limits::default()
        }
    }

    fn audio(&self) -> Option<AudioTask> {
        let audio = spool_media_protocol::AUDIO_RENDITION;
        (!self.finished.contains(audio)).then(|| AudioTask {
            start_segment: self.publisher.next_segment(audio),
        })
    }

    /// Copies a browser-safe picture, and makes the sound: people can watch from here on.
    async fn remux(&mut self) -> Result<(), End> {
        let name = match self.probe.as_ref().map(|probe| plan(probe).source) {
            Some(SourceUse::Rung { name } | SourceUse::FirstMinutes { name }) => Some(name),
            Some(SourceUse::None) => return Ok(()),
            None => None,
        };
        let sound_is_done = self.audio().is_none();
        if name.as_ref().is_some_and(|name| self.finished.contains(name)) && sound_is_done {
            return Ok(());
        }
        let start_segment = name.as_ref().map_or(0, |name| self.publisher.next_segment(name));
        let task = RemuxTask {
            limits: self.limits(),
            start_segment,
            audio: self.audio(),
            limit_ms: 120_000,
            ..RemuxTask::default()
        };
        self.pass(Task::Remux(task)).await
    }

    async fn thumbnail(&mut self) -> Result<(), End> {
        if self.thumbnail {
            return Ok(());
        }
        let task = ThumbnailTask {
            limits: self.limits(),
            width: 640,
            at_ms: None,
        };
        self.pass(Task::Thumbnail(task)).await
    }

    /// The lowest rung alone, so that everybody can watch soon; then the others from one decode.
    async fn encode(&mut self, plan: &Plan) -> Result<(), End> {
        let missing = |pass: &Self, rungs: &[spool_media_protocol::Rung]| -> Vec<RungTask> {
            rungs
                .iter()
                .filter(|rung| !pass.finished.contains(&rung.name))
                .map(|rung| RungTask {
                    rung: rung.clone(),
                    start_segment: pass.publisher.next_segment(&rung.name),
                })
                .collect()
        };
        let (first, others) = plan.rungs.split_at(plan.rungs.len().min(1));
        let all = 1.0 - SHARE_OF_SOURCE;
        let share = if others.is_empty() {
            all
        } else {
            SHARE_OF_FIRST_RUNG
        };
        for (rungs, share) in [(first, share), (others, all - share)] {
            let rungs = missing(self, rungs);
            let sound_is_missing = self.probe.as_ref().is_some_and(|probe| probe.audio.is_some());
            let audio = self.audio().filter(|_| sound_is_missing);
            let names: Vec<_> = rungs.iter().map(|task| task.rung.name.as_str()).collect();
            self.progress
                .pass(Stage::Processing, format!("making {}", names.join(", ")), share);
            if rungs.is_empty() {
                continue;
            }
            let task = EncodeTask {
                limits: self.limits(),
                rungs,
                audio,
                cut: plan.cut,
                encoder_threads: 0,
            };
            self.pass(Task::Encode(task)).await?;
        }
        self.progress.pass(Stage::Uploading, "finishing", 0.0);
        Ok(())
    }

    /// Runs one process over the film and publishes what it makes.
    async fn pass(&mut self, task: Task) -> Result<(), End> {
        let film = self.parts.blobs.open_file(&self.known.requested.blob).await?;
        let mut child = MediaChild::start(&self.parts.config.media, &task, film.file)?;
        while let Some((message, bytes)) = child.next().await? {
            match message {
                Message::Probed(probe) => self.probed(*probe).await?,
                Message::Init(init) => {
                    let provisional = !init.whole;
                    if provisional {
                        self.provisional = Some(init.rendition.clone());
                    }
                    let rendition = Rendition {
                        name: init.rendition,
                        kind: match init.kind {
                            spool_media_protocol::RenditionKind::Video => RenditionKind::Video,
                            spool_media_protocol::RenditionKind::Audio => RenditionKind::Audio,
                        },
                        codecs: init.codec,
                        width: init.width,
                        height: init.height,
                        frames_per_second: init.frame_rate,
                        provisional,
                    };
                    self.publisher.start_rendition(rendition, bytes).await?;
                }
                Message::Segment(segment) => {
                    let published = Segment {
                        duration_ms: u32::try_from(segment.duration_ms).unwrap_or(u32::MAX),
                        bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                    };
                    self.publisher
                        .segment(&segment.rendition, segment.index, published, bytes)
                        .await?;
                }
                Message::Thumbnail(_) => {
                    self.publisher.thumbnail(bytes).await?;
                    self.thumbnail = true;
                }
                Message::Progress(progress) => {
                    #[expect(clippy::cast_precision_loss, reason = "a fraction for a progress bar")]
                    self.progress
                        .done(progress.done_ms as f64 / progress.total_ms.max(1) as f64);
                    self.publisher.flush_old().await?;
                }
                Message::Finished(finished) => self.pass_finished(&task, finished).await?,
                Message::Refused(refusal) => {
                    let code = serde_json::to_value(refusal.code)
                        .ok()
                        .and_then(|code| code.as_str().map(str::to_owned));
                    return Err(End::Failed(Failure {
                        code: code.unwrap_or_default(),
                        sentence: refusal.sentence,
                        passing: false,
                    }));
                }
                Message::Failed(failed) => {
                    return Err(End::Failed(Failure {
                        code: failed.code,
                        sentence: failed.sentence,
                        passing: !failed.permanent,
                    }));
                }
            }
        }
        Ok(())
    }

    async fn probed(&mut self, probe: Probe) -> Result<(), End> {
        if self.probe.is_some() {
            return Ok(());
        }
        let film = Film {
            duration_ms: probe.duration_ms,
            width: probe.video.width,
            height: probe.video.height,
            frames_per_second: probe.video.frame_rate,
            video_codec: probe.video.codec.clone(),
            audio_codec: probe.audio.as_ref().map(|audio| audio.codec.clone()),
            bits_per_second: Some(probe.bit_rate),
        };
        self.duration_ms = probe.duration_ms;
        self.note(&probe.warnings);
        self.probe = Some(probe);
        Ok(self.publisher.fact(Fact::Probed(film)).await?)
    }

    async fn pass_finished(&mut self, task: &Task, finished: Finished) -> Result<(), End> {
        self.note(&finished.warnings);
        let read_the_film = match task {
            Task::Encode(_) => true,
            Task::Remux(_) => !finished.renditions.is_empty() && self.provisional.is_none(),
            Task::Probe { .. } | Task::Thumbnail(_) => false,
        };
        if read_the_film {
            self.duration_ms = finished.duration_ms;
        }
        self.publisher.flush().await?;
        for total in finished.renditions.into_iter().filter(|total| total.whole) {
            if self.finished.insert(total.rendition.clone()) {
                self.publisher
                    .fact(Fact::RenditionFinished {
                        rendition: total.rendition,
                    })
                    .await?;
            }
        }
        Ok(())
    }

    fn note(&mut self, warnings: &[spool_media_protocol::Warning]) {
        for warning in warnings {
            self.warnings
                .insert(format!("{:?}", warning.code), warning.sentence.clone());
        }
    }
}
