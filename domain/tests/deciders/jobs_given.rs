//! The words in which the tests of jobs are told.

use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, VideoId};
use spool_domain::jobs::*;
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::time::{Millis, Timestamp};
use uuid::Uuid;

pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub const LEASE: Millis = Millis(30_000);

pub fn wanted() -> Requested {
    Requested {
        video: VideoId(Uuid::from_u128(7)),
        owner: AccountId(Uuid::from_u128(1)),
        blob: "originals/film".into(),
        container: "mp4".into(),
        attempts_max: 3,
    }
}

pub fn owner() -> Actor {
    Actor::Person {
        account: AccountId(Uuid::from_u128(1)),
        role: Role::Creator,
    }
}

pub fn stranger() -> Actor {
    Actor::Person {
        account: AccountId(Uuid::from_u128(2)),
        role: Role::Creator,
    }
}

pub fn claimed(attempt: u32, worker: &str) -> Event {
    Event::Claimed(Claimed {
        attempt,
        worker: worker.into(),
        until: NOW + LEASE,
    })
}

pub fn claim(worker: &str) -> Command {
    Command::Claim {
        worker: worker.into(),
        lease: LEASE,
    }
}

pub fn passing() -> Failure {
    Failure {
        code: "out_of_memory".into(),
        sentence: "there was not enough memory".into(),
        passing: true,
    }
}

/// What the timer says of a worker that is not heard of any more.
pub fn silent() -> Failure {
    Failure {
        code: "lease_expired".into(),
        sentence: "the worker stopped answering".into(),
        passing: true,
    }
}

pub fn lasting() -> Failure {
    Failure {
        code: "no_video".into(),
        sentence: "the file has no picture".into(),
        passing: false,
    }
}

pub fn film() -> Film {
    Film {
        duration_ms: 60_000,
        width: 1280,
        height: 720,
        frames_per_second: 29.97,
        video_codec: "h264".into(),
        audio_codec: Some("aac".into()),
        bits_per_second: Some(1_500_000),
    }
}

pub fn rendition(name: &str) -> Rendition {
    Rendition {
        name: name.into(),
        kind: RenditionKind::Video,
        codecs: "avc1.64001f,mp4a.40.2".into(),
        width: 640,
        height: 360,
        frames_per_second: 25.0,
        provisional: false,
    }
}

pub fn segments(count: usize) -> Vec<Segment> {
    let segment = Segment {
        duration_ms: 4_000,
        bytes: 250_000,
    };
    vec![segment; count]
}

pub fn announced(attempt: u32) -> Event {
    let rendition = rendition("360p");
    Event::RenditionStarted(RenditionStarted { attempt, rendition })
}

pub fn published(attempt: u32, from: u32, count: usize) -> Event {
    Event::SegmentsPublished(SegmentsPublished {
        attempt,
        rendition: "360p".into(),
        from,
        segments: segments(count),
    })
}

pub fn finished(attempt: u32) -> Event {
    let rendition = "360p".into();
    Event::RenditionFinished(RenditionFinished { attempt, rendition })
}

pub fn publish(from: u32, count: usize) -> Fact {
    Fact::SegmentsPublished {
        rendition: "360p".into(),
        from,
        segments: segments(count),
    }
}

pub fn finish() -> Fact {
    let rendition = "360p".into();
    Fact::RenditionFinished { rendition }
}

pub fn report(attempt: u32, facts: Vec<Fact>) -> Command {
    Command::Report {
        attempt,
        lease: LEASE,
        facts,
    }
}

pub fn complete(attempt: u32) -> Command {
    Command::Complete {
        attempt,
        duration_ms: 59_960,
        warnings: vec![],
    }
}

pub fn completed(attempt: u32) -> Event {
    Event::Completed(Completed {
        attempt,
        duration_ms: 59_960,
        warnings: vec![],
    })
}

pub fn fail(attempt: u32, failure: Failure) -> Command {
    Command::Fail { attempt, failure }
}

pub fn failed(attempt: u32, failure: Failure) -> Event {
    Event::Failed(Failed { attempt, failure })
}

pub fn pause(attempt: u32, failure: Failure, again_at: Timestamp) -> Event {
    Event::AttemptEnded(AttemptEnded {
        attempt,
        failure,
        again_at,
    })
}

/// A requested job and what happened then.
pub fn job(then: &[Event]) -> Vec<Event> {
    [&[Event::Requested(wanted())], then].concat()
}

pub fn cancelled() -> Vec<Event> {
    job(&[Event::Cancelled(Cancelled { by: owner() })])
}
