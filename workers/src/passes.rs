//! The passes over a film, one process each: what can be watched soonest comes first.

use crate::ending::{End, passing};
use crate::media_child::MediaChild;
use crate::outages;
use crate::progress::{Progress, Stage};
use crate::publisher::Publisher;
use crate::runner::Parts;
use spool_domain::ids::JobId;
use spool_domain::jobs::{Command, Fact, Failure, Known};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::time::Millis;
use spool_media_protocol::{
    AudioTask, CutBy, EncodeTask, Finished, Init, Limits, Message, Plan, Probe, RemuxTask, RungTask,
    SourceUse, Task, ThumbnailTask, ladder, plan,
};
use std::collections::{BTreeMap, BTreeSet};

/// How much of the whole each pass is, roughly, so that the bar moves evenly.
const SHARE_OF_SOURCE: f64 = 0.04;
const SHARE_OF_FIRST_RUNG: f64 = 0.2;

/// The passes over the film, one process each, and what they have found out so far.
pub struct Passes<'a> {
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
    /// The copied picture as announced by this attempt.
    copied: Option<Rendition>,
    /// The source cannot be a rung after all: everything is encoded.
    encode_all: bool,
    warnings: BTreeMap<String, String>,
    duration_ms: u64,
}

impl<'a> Passes<'a> {
    pub fn new(parts: &'a Parts, job: JobId, known: &'a Known, lease: Millis) -> Self {
        let (requested, attempt) = (&known.requested, known.attempts);
        let published = known
            .renditions
            .iter()
            .map(|(name, progress)| (name.clone(), progress.segments))
            .collect();
        let whole = known.renditions.iter().filter(|(_, progress)| progress.finished);
        let place = (requested.video, job, attempt);
        let (commands, blobs, signals) = (parts.commands.clone(), parts.blobs.clone(), parts.signals.clone());
        Self {
            publisher: Publisher::new(commands, blobs, place, lease, published),
            progress: Progress::new(signals, requested.video, job, requested.owner, attempt),
            finished: whole.map(|(name, _)| name.clone()).collect(),
            thumbnail: known.thumbnail.is_some(),
            parts,
            known,
            probe: None,
            provisional: None,
            copied: None,
            encode_all: false,
            warnings: BTreeMap::new(),
            duration_ms: 0,
        }
    }

    /// The command that ends the job well.
    pub async fn run(mut self) -> Result<Command, End> {
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
        let probe = self
            .probe
            .as_ref()
            .ok_or_else(|| passing("no_probe", "the film was not looked at".into()))?;
        let mut plan = if self.encode_all {
            self.plan_without_source(probe)
        } else {
            plan(probe)
        };
        let highest = self.parts.config.media.max_height;
        let lowest = plan.rungs.first().cloned();
        plan.rungs.retain(|rung| rung.width.min(rung.height) <= highest);
        if plan.rungs.is_empty() && !matches!(plan.source, SourceUse::Rung { .. }) {
            plan.rungs.extend(lowest);
        }
        Ok(plan)
    }

    /// Every rung encoded on the plain grid, under names that the copied source has not taken.
    fn plan_without_source(&self, probe: &Probe) -> Plan {
        let taken = self.copied.as_ref().map(|rendition| rendition.name.as_str());
        let mut rungs = ladder(probe);
        for rung in rungs.iter_mut().filter(|rung| Some(rung.name.as_str()) == taken) {
            rung.name.push_str("-encoded");
        }
        Plan {
            source: SourceUse::None,
            rungs,
            cut: CutBy::Grid,
        }
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
        match self.pass(Task::Remux(task)).await {
            Err(End::Failed(failure)) if failure.code == "source_not_cuttable" => self.step_down().await,
            ended => ended,
        }
    }

    /// What was copied so far is kept for the first minutes, and everything is encoded.
    async fn step_down(&mut self) -> Result<(), End> {
        self.encode_all = true;
        self.publisher.flush().await?;
        if let Some(copied) = &mut self.copied {
            copied.provisional = true;
            let again = copied.clone();
            self.publisher.fact(Fact::RenditionStarted(again)).await?;
        }
        Ok(())
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
        let missing = |passes: &Self, rungs: &[spool_media_protocol::Rung]| -> Vec<RungTask> {
            rungs
                .iter()
                .filter(|rung| !passes.finished.contains(&rung.name))
                .map(|rung| RungTask {
                    rung: rung.clone(),
                    start_segment: passes.publisher.next_segment(&rung.name),
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
        let (blobs, key) = (&self.parts.blobs, &self.known.requested.blob);
        let film = outages::stored(async || blobs.open_file(key).await?.into_file().await).await?;
        let mut child = MediaChild::start(&self.parts.config.media, &task, film)?;
        while let Some((message, bytes)) = child.next().await? {
            match message {
                Message::Probed(probe) => self.probed(*probe).await?,
                Message::Init(init) => self.rendition_begins(init, bytes).await?,
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

    async fn rendition_begins(&mut self, init: Init, bytes: bytes::Bytes) -> Result<(), End> {
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
        if init.copied && rendition.kind == RenditionKind::Video {
            self.copied = Some(rendition.clone());
        }
        Ok(self.publisher.start_rendition(rendition, bytes).await?)
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
