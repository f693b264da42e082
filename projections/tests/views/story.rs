//! Histories as the executor would write them: commands given to the real deciders, their facts made commits.

use spool_domain::accounts::{Account, Registered};
use spool_domain::actors::{Actor, Role};
use spool_domain::decider::Decider;
use spool_domain::ids::{AccountId, JobId, ReservationId, StreamId, UploadId, VideoId};
use spool_domain::jobs::{self, Fact, Failure, Job, Requested};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::reservations::{self, Reservation};
use spool_domain::sealed::Sealed;
use spool_domain::time::{Millis, Timestamp};
use spool_domain::uploads::{self, Received, Upload};
use spool_domain::videos::{self, Described, Source, Video, Visibility};
use spool_domain::{accounts, views};
use spool_schemas::{AnyEvent, Cause, Commit, Event};
use uuid::Uuid;

pub const LEASE: Millis = Millis(30_000);

/// What has been said so far, ready to be appended.
pub struct Story {
    pub now: Timestamp,
    pub commits: Vec<Commit>,
    pub films: Vec<FilmStory>,
    pub people: Vec<AccountId>,
    commands: u128,
}

/// One video with its job, as the deciders know them.
pub struct FilmStory {
    pub id: VideoId,
    pub video: (Video, u64),
    pub job: (Job, u64),
}

impl Story {
    pub fn new() -> Self {
        Self {
            now: Timestamp::from_millis(1_790_000_000_000),
            commits: vec![],
            films: vec![],
            people: vec![],
            commands: 0,
        }
    }

    pub fn wait(&mut self, span: Millis) {
        self.now = self.now + span;
    }

    /// A person registers; the two places are reserved and confirmed first.
    pub fn register(&mut self, seed: u128) -> AccountId {
        let id = AccountId(uuid(seed, 1));
        let (email, username) = (ReservationId(uuid(seed, 2)), ReservationId(uuid(seed, 3)));
        for place in [email, username] {
            let mut state = (Reservation::default(), 0);
            self.give(
                place.stream(),
                &mut state,
                &reservations::Command::Reserve { account: id },
            );
            self.give(
                place.stream(),
                &mut state,
                &reservations::Command::Confirm { account: id },
            );
        }
        let registered = Registered {
            personal: Sealed("c2VhbGVkIHBlcnNvbmFsIGRhdGEgb2Ygc29tZWJvZHkgc29tZXdoZXJl".into()),
            password_hash: Sealed("c2VhbGVkIGhhc2ggb2YgYSBwYXNzd29yZCB0aGF0IG5vYm9keSBrbm93cw".into()),
            email,
            username,
            role: Role::Creator,
            identity: None,
            bootstrap: None,
            email_confirmed: false,
        };
        let mut account = (Account::default(), 0);
        self.give(
            id.stream(),
            &mut account,
            &accounts::Command::Register(registered),
        );
        self.people.push(id);
        id
    }

    /// A file arrives, becomes a video, and its job is requested.
    pub fn upload(&mut self, seed: u128, owner: AccountId, visibility: Visibility) -> usize {
        let id = VideoId(uuid(seed, 4));
        let upload = UploadId::of(id);
        let description = Described {
            title: format!("Film {seed}"),
            description: "As seen on a rainy day".into(),
            visibility,
        };
        let source = source(id, upload, seed);
        let received = Received {
            video: id,
            owner,
            description: description.clone(),
            source: source.clone(),
        };
        let mut awaited = (Upload::default(), 0);
        self.give(
            upload.stream(),
            &mut awaited,
            &uploads::Command::Receive(received),
        );
        let requested = Requested {
            video: id,
            owner,
            blob: source.blob.clone(),
            container: source.container.clone(),
            attempts_max: 3,
        };
        let create = videos::Command::Create {
            owner,
            description,
            upload,
            source,
        };
        let mut film = FilmStory {
            id,
            video: Default::default(),
            job: Default::default(),
        };
        self.give(id.stream(), &mut film.video, &create);
        self.give(
            JobId::of(id, 1).stream(),
            &mut film.job,
            &jobs::Command::Request(requested),
        );
        self.films.push(film);
        self.films.len() - 1
    }

    /// Gives a command about the video of a film; true if anything followed.
    pub fn video(&mut self, film: usize, command: &videos::Command) -> bool {
        let mut state = std::mem::take(&mut self.films[film].video);
        let said = self.give(self.films[film].id.stream(), &mut state, command);
        self.films[film].video = state;
        said
    }

    /// Gives a command to the job of a film; true if anything followed.
    pub fn job(&mut self, film: usize, command: &jobs::Command) -> bool {
        let mut state = std::mem::take(&mut self.films[film].job);
        let said = self.give(JobId::of(self.films[film].id, 1).stream(), &mut state, command);
        self.films[film].job = state;
        said
    }

    pub fn claim(&mut self, film: usize) -> bool {
        let worker = "worker-1".to_owned();
        self.job(film, &jobs::Command::Claim { worker, lease: LEASE })
    }

    pub fn report(&mut self, film: usize, facts: Vec<Fact>) -> bool {
        let attempt = self.attempt(film);
        self.job(
            film,
            &jobs::Command::Report {
                attempt,
                lease: LEASE,
                facts,
            },
        )
    }

    /// The next `count` segments of a rendition.
    pub fn publish(&mut self, film: usize, name: &str, segments: &[Segment]) -> bool {
        let published = self.known_job(film).and_then(|job| job.renditions.get(name));
        let from = published.map_or(0, |progress| progress.segments);
        let (rendition, segments) = (name.to_owned(), segments.to_vec());
        self.report(
            film,
            vec![Fact::SegmentsPublished {
                rendition,
                from,
                segments,
            }],
        )
    }

    /// Finishes what is unfinished, and completes; a job that has made nothing makes a segment first.
    pub fn complete(&mut self, film: usize, duration_ms: u64) -> bool {
        let has_picture = |job: &jobs::Known| {
            let mut made = job.renditions.values().filter(|progress| progress.segments > 0);
            made.any(|progress| progress.rendition.kind == RenditionKind::Video)
        };
        if !self.known_job(film).is_some_and(has_picture) {
            self.report(film, vec![Fact::RenditionStarted(rung(360))]);
            self.publish(film, "360p", &segments(1, 10_000));
        }
        let open: Vec<String> = self.known_job(film).map_or_else(Vec::new, |job| {
            let open = job.renditions.iter().filter(|(_, progress)| !progress.finished);
            open.map(|(name, _)| name.clone()).collect()
        });
        for rendition in open {
            self.report(film, vec![Fact::RenditionFinished { rendition }]);
        }
        let attempt = self.attempt(film);
        let warnings = vec!["the sound ends before the picture".to_owned()];
        self.job(
            film,
            &jobs::Command::Complete {
                attempt,
                duration_ms,
                warnings,
            },
        )
    }

    pub fn fail(&mut self, film: usize, passing: bool) -> bool {
        let attempt = self.attempt(film);
        let failure = Failure {
            code: "no_video".into(),
            sentence: "there is no picture in this file".into(),
            passing,
        };
        self.job(film, &jobs::Command::Fail { attempt, failure })
    }

    pub fn attempt(&self, film: usize) -> u32 {
        self.known_job(film).map_or(0, |job| job.attempts)
    }

    fn known_job(&self, film: usize) -> Option<&jobs::Known> {
        match &self.films[film].job.0 {
            Job::Known(job) => Some(job),
            Job::Nothing => None,
        }
    }

    /// Says in the log which version of a view answers.
    pub fn switched(&mut self, view: &str, version: u32, after: u64) {
        let stream = spool_domain::ids::ViewId::of(view).stream();
        let name = view.to_owned();
        let event = views::Event::Switched(views::Switched { name, version });
        self.say(stream, after + 1, vec![event.into()]);
    }

    fn give<D: Decider>(&mut self, stream: StreamId, state: &mut (D, u64), command: &D::Command) -> bool
    where
        D::Event: Into<AnyEvent>,
    {
        let Ok(events) = state.0.decide(command, self.now) else {
            return false;
        };
        if events.is_empty() {
            return false;
        }
        let (version, count) = (state.1 + 1, events.len() as u64);
        state.0 = events.iter().fold(std::mem::take(&mut state.0), D::evolve);
        state.1 += count;
        self.say(stream, version, events.into_iter().map(Into::into).collect());
        true
    }

    fn say(&mut self, stream: StreamId, version: u64, events: Vec<AnyEvent>) {
        self.commands += 1;
        self.now = self.now + Millis(1);
        self.commits.push(Commit {
            stream,
            version,
            command: Uuid::from_u128(self.commands),
            request: None,
            time: self.now,
            actor: Actor::System,
            cause: Cause::default(),
            events: events.into_iter().map(Event).collect(),
        });
    }
}

pub fn film(duration_ms: u64) -> Film {
    Film {
        duration_ms,
        width: 1280,
        height: 720,
        // A number that decimal text cannot say exactly.
        frames_per_second: 24_000.0 / 1_001.0,
        video_codec: "h264".into(),
        audio_codec: Some("aac".into()),
        bits_per_second: Some(2_000_000),
    }
}

pub fn rung(height: u32) -> Rendition {
    Rendition {
        name: format!("{height}p"),
        kind: RenditionKind::Video,
        codecs: "avc1.64001f".into(),
        width: height * 16 / 9,
        height,
        frames_per_second: 24_000.0 / 1_001.0,
        provisional: false,
    }
}

pub fn source_rung() -> Rendition {
    Rendition {
        name: "source".into(),
        provisional: true,
        ..rung(720)
    }
}

pub fn sound() -> Rendition {
    Rendition {
        name: "audio".into(),
        kind: RenditionKind::Audio,
        codecs: "mp4a.40.2".into(),
        width: 0,
        height: 0,
        frames_per_second: 0.0,
        provisional: false,
    }
}

pub fn segments(count: u32, bytes: u32) -> Vec<Segment> {
    (0..count)
        .map(|at| Segment {
            duration_ms: 4_000,
            bytes: bytes + at,
        })
        .collect()
}

fn source(video: VideoId, upload: UploadId, seed: u128) -> Source {
    Source {
        blob: format!("originals/{video}/{upload}"),
        file_name: "holiday.mp4".into(),
        bytes: 1_000_000 + u64::try_from(seed % 1_000).unwrap_or(0),
        sha256: format!("{seed:064x}"),
        container: "mp4".into(),
    }
}

/// Spread over the partitions as random ids would be.
fn uuid(seed: u128, kind: u128) -> Uuid {
    let mixed = (seed * 8 + kind).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Uuid::from_u128(mixed ^ (mixed >> 64))
}
