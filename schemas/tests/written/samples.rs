//! One event of every type as real ones look, and variants where a type can look otherwise. With UPDATE=1
//! those that have no file yet are written once; files are never written again.

mod people;

use people::admin;
pub use people::registered;

use crate::sealed_texts;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, JobId, ReservationId, UploadId, VideoId};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::time::Timestamp;
use spool_domain::videos::{Described, Source, Visibility};
use spool_domain::{jobs, reservations, uploads, videos, views};
use spool_schemas::AnyEvent;
use uuid::{Uuid, uuid};

pub const ANNA: AccountId = AccountId(uuid!("01982f3a-5c1e-7b44-9d0a-3f6f2f6f8a11"));
pub const EMAIL: ReservationId = ReservationId(uuid!("7c9e6679-7425-80de-944b-e07fc1f90ae7"));
pub const VIDEO: VideoId = VideoId(uuid!("01982f41-9b70-7c3e-8f52-6b1d0e9a4c27"));

/// The word that tells variants apart, empty for the usual one, and the event.
pub type Sample = (&'static str, AnyEvent);

pub fn samples() -> Vec<Sample> {
    [
        people::accounts(),
        people::ways_in(),
        people::lives_of_accounts(),
        reservations(),
        uploads_and_videos(),
        courses_of_jobs(),
        work_on_jobs(),
    ]
    .concat()
}

/// A moment on the day that all samples are of.
pub fn at(text: &str) -> Timestamp {
    format!("2026-07-21T{text}Z")
        .parse()
        .expect("the samples have good times")
}

pub fn owner() -> Actor {
    Actor::Person {
        account: ANNA,
        role: Role::Creator,
    }
}

fn reservations() -> Vec<Sample> {
    use reservations::*;
    let until = at("08:01:00.000");
    vec![
        ("", Event::Reserved(Reserved { account: ANNA, until }).into()),
        ("", Event::Confirmed(Confirmed { account: ANNA }).into()),
        ("", Event::Lapsed(Lapsed { account: ANNA }).into()),
        ("", Event::Released(Released { account: ANNA }).into()),
        (
            "",
            Event::PasswordResetWanted(PasswordResetWanted { at: until }).into(),
        ),
    ]
}

pub fn described(visibility: Visibility) -> Described {
    Described {
        title: "Großer Hase – \"Big Buck Bunny\" 🐰".into(),
        description:
            "A rabbit, three rodents and a plan.\n\n© Blender Foundation, CC BY 3.0 <bigbuckbunny.org>".into(),
        visibility,
    }
}

pub fn source() -> Source {
    Source {
        blob: format!("originals/{VIDEO}/{}", UploadId::of(VIDEO)),
        file_name: "bbb_720p25 (final) ünï.mp4".into(),
        bytes: 1_055_736,
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        container: "mp4".into(),
    }
}

pub fn received() -> uploads::Received {
    uploads::Received {
        video: VIDEO,
        owner: ANNA,
        description: described(Visibility::Public),
        source: source(),
    }
}

pub fn created() -> [videos::Event; 2] {
    let created = videos::Created {
        owner: ANNA,
        description: described(Visibility::Public),
    };
    let uploaded = videos::Uploaded {
        upload: UploadId::of(VIDEO),
        source: source(),
    };
    [videos::Event::Created(created), videos::Event::Uploaded(uploaded)]
}

fn uploads_and_videos() -> Vec<Sample> {
    use videos::*;
    let [created, uploaded] = created();
    let deleted = |by| Event::Deleted(Deleted { by });
    vec![
        ("", uploads::Event::Received(received()).into()),
        ("", created.into()),
        ("", uploaded.into()),
        ("", Event::Described(described(Visibility::Unlisted)).into()),
        ("private", Event::Described(described(Visibility::Private)).into()),
        ("sealed", Event::Described(sealed_texts::described()).into()),
        ("", deleted(owner()).into()),
        ("by-admin", deleted(admin()).into()),
        ("by-system", deleted(Actor::System).into()),
    ]
}

fn failure(code: &str, sentence: &str, passing: bool) -> jobs::Failure {
    jobs::Failure {
        code: code.into(),
        sentence: sentence.into(),
        passing,
    }
}

fn courses_of_jobs() -> Vec<Sample> {
    use jobs::*;
    let worker = "worker-2".to_owned();
    let until = at("08:00:32.120");
    let requested = Requested {
        video: VIDEO,
        owner: ANNA,
        blob: source().blob,
        container: "mp4".into(),
        attempts_max: 3,
    };
    let completed = |warnings: &[&str]| Completed {
        attempt: 2,
        duration_ms: 179_960,
        warnings: warnings.iter().map(|line| (*line).to_owned()).collect(),
    };
    let silent = failure("lease_expired", "the worker stopped answering", true);
    let mute = failure("no_video", "there is no picture in this file, only sound", false);
    let cancelled = |by| Event::Cancelled(Cancelled { by });
    let missing = "the file ends before the film does: 3 s are missing";
    vec![
        ("", Event::Requested(requested).into()),
        (
            "",
            Event::Claimed(Claimed {
                attempt: 2,
                worker,
                until,
            })
            .into(),
        ),
        ("", Event::LeaseRenewed(LeaseRenewed { attempt: 2, until }).into()),
        ("", Event::Completed(completed(&[])).into()),
        ("warned", Event::Completed(completed(&[missing])).into()),
        (
            "",
            Event::AttemptEnded(AttemptEnded {
                attempt: 1,
                failure: silent,
                again_at: at("08:00:34.120"),
            })
            .into(),
        ),
        (
            "",
            Event::Failed(Failed {
                attempt: 1,
                failure: mute,
            })
            .into(),
        ),
        ("", cancelled(owner()).into()),
        ("by-system", cancelled(Actor::System).into()),
        ("", Event::Restarted(Restarted { by: admin() }).into()),
        (
            "",
            views::Event::Switched(views::Switched {
                name: "catalogue".into(),
                version: 2,
            })
            .into(),
        ),
    ]
}

fn film() -> Film {
    Film {
        duration_ms: 180_000,
        width: 1280,
        height: 720,
        frames_per_second: 23.976,
        video_codec: "h264".into(),
        audio_codec: Some("aac".into()),
        bits_per_second: Some(1_482_113),
    }
}

fn rendition() -> Rendition {
    Rendition {
        name: "360p".into(),
        kind: RenditionKind::Video,
        codecs: "avc1.64001e,mp4a.40.2".into(),
        width: 640,
        height: 360,
        frames_per_second: 23.976,
        provisional: false,
    }
}

fn work_on_jobs() -> Vec<Sample> {
    let job = JobId::of(VIDEO, 1);
    let [probed, started, published] = first_news(2);
    let silent = Film {
        frames_per_second: 25.0,
        audio_codec: None,
        bits_per_second: None,
        ..film()
    };
    let sound = Rendition {
        name: "audio".into(),
        kind: RenditionKind::Audio,
        codecs: "mp4a.40.2".into(),
        width: 0,
        height: 0,
        frames_per_second: 0.0,
        provisional: false,
    };
    let early = Rendition {
        name: "source".into(),
        provisional: true,
        ..rendition()
    };
    use jobs::*;
    let begin = |rendition| {
        Event::RenditionStarted(RenditionStarted {
            attempt: 2,
            rendition,
        })
    };
    let finished = RenditionFinished {
        attempt: 2,
        rendition: "360p".into(),
    };
    let made = ThumbnailMade {
        attempt: 2,
        blob: format!("renditions/{VIDEO}/{job}/2/thumbnail.jpg"),
    };
    vec![
        ("", probed.into()),
        (
            "silent",
            Event::Probed(Probed {
                attempt: 1,
                film: silent,
            })
            .into(),
        ),
        ("", started.into()),
        ("audio", begin(sound).into()),
        ("provisional", begin(early).into()),
        ("", published.into()),
        ("", Event::RenditionFinished(finished).into()),
        ("", Event::ThumbnailMade(made).into()),
    ]
}

/// What an attempt says first: the film, a rendition, its first segments.
pub fn first_news(attempt: u32) -> [jobs::Event; 3] {
    use jobs::*;
    let lengths = [(4_004, 251_904), (4_004, 248_117), (3_962, 190_532)];
    let published = SegmentsPublished {
        attempt,
        rendition: "360p".into(),
        from: 0,
        segments: lengths
            .map(|(duration_ms, bytes)| Segment { duration_ms, bytes })
            .to_vec(),
    };
    [
        Event::Probed(Probed {
            attempt,
            film: film(),
        }),
        Event::RenditionStarted(RenditionStarted {
            attempt,
            rendition: rendition(),
        }),
        Event::SegmentsPublished(published),
    ]
}

/// A command's id, as made from a request's key.
pub const COMMAND: Uuid = uuid!("5f0c6f4e-94f1-8a6e-8d0b-2a7d9f3c1b60");
