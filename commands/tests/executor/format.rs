//! The written form of states, which snapshots keep.

use crate::given::{LEASE, account, claim, create, owner, receive, request, video};
use spool_domain::accounts::{self, Account};
use spool_domain::decider::Decider;
use spool_domain::ids::{AccountId, SessionId};
use spool_domain::jobs::{self, Fact, Job};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::reservations::{self, Reservation};
use spool_domain::time::Timestamp;
use spool_domain::uploads::Upload;
use spool_domain::videos::{self, Video};
use spool_domain::views::{self, View};
use std::fmt::Write;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Every state on the way through `commands`, one line each.
fn states<D: Decider + serde::Serialize>(lines: &mut String, commands: Vec<D::Command>)
where
    D::Refusal: std::fmt::Debug,
{
    let mut state = D::default();
    for command in commands {
        let events = state.decide(&command, NOW).expect("the story is possible");
        state = events.iter().fold(state, D::evolve);
        let json = serde_json::to_string(&state).expect("a state is JSON");
        let name = std::any::type_name::<D>().rsplit("::").next().unwrap_or_default();
        writeln!(lines, "{name} {json}").expect("a string takes everything");
    }
}

fn report(facts: Vec<Fact>) -> jobs::Command {
    jobs::Command::Report {
        attempt: 1,
        lease: LEASE,
        facts,
    }
}

fn film() -> Vec<Fact> {
    let rendition = Rendition {
        name: "360p".into(),
        kind: RenditionKind::Video,
        codecs: "avc1.64001f".into(),
        width: 640,
        height: 360,
        frames_per_second: 25.0,
        provisional: false,
    };
    let segments = vec![Segment {
        duration_ms: 2_000,
        bytes: 90_000,
    }];
    vec![
        Fact::Probed(Film {
            duration_ms: 2_000,
            width: 640,
            height: 360,
            frames_per_second: 25.0,
            video_codec: "h264".into(),
            audio_codec: Some("aac".into()),
            bits_per_second: Some(1_000_000),
        }),
        Fact::RenditionStarted(rendition),
        Fact::SegmentsPublished {
            rendition: "360p".into(),
            from: 0,
            segments,
        },
        Fact::RenditionFinished {
            rendition: "360p".into(),
        },
        Fact::ThumbnailMade {
            blob: "renditions/thumbnail.jpg".into(),
        },
    ]
}

fn all_states() -> String {
    let mut lines = String::new();
    let place = spool_domain::ids::ReservationId(video(9).0);
    let person = accounts::Registered {
        personal: spool_domain::sealed::Sealed("sealed".into()),
        password_hash: spool_domain::sealed::Sealed("sealed".into()),
        email: place,
        username: place,
        role: spool_domain::actors::Role::Creator,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    };
    let (session, expires_at) = (SessionId(Uuid::from_u128(5)), NOW + LEASE);
    states::<Account>(&mut lines, vec![accounts::Command::VoidRegistration]);
    states::<Account>(
        &mut lines,
        vec![
            accounts::Command::Register(person),
            accounts::Command::StartSession {
                session,
                expires_at,
                client: None,
            },
            accounts::Command::Refresh {
                session,
                counter: 0,
                expires_at,
            },
        ],
    );
    let account: AccountId = account(1);
    use reservations::Command::{Confirm, Release, Reserve};
    let (reserve, confirm) = (Reserve { account }, Confirm { account });
    states::<Reservation>(&mut lines, vec![reserve.clone(), confirm]);
    states::<Reservation>(&mut lines, vec![reserve, Release { account }]);
    states::<Upload>(&mut lines, vec![receive(1)]);
    states::<Video>(
        &mut lines,
        vec![create(1), videos::Command::Delete { by: owner() }],
    );
    let fail = |passing| jobs::Command::Fail {
        attempt: 1,
        failure: jobs::Failure {
            code: "code".into(),
            sentence: "a sentence".into(),
            passing,
        },
    };
    let complete = jobs::Command::Complete {
        attempt: 1,
        duration_ms: 2_000,
        warnings: vec![],
    };
    let to = |end: jobs::Command| vec![request(1), claim("worker"), report(film()), end];
    for end in [
        complete,
        fail(true),
        fail(false),
        jobs::Command::Cancel { by: owner() },
    ] {
        states::<Job>(&mut lines, to(end));
    }
    states::<View>(
        &mut lines,
        vec![views::Command::Switch {
            name: "catalogue".into(),
            version: 2,
        }],
    );
    lines
}

/// When this fails, the form has changed: raise `FORMAT` in `snapshots.rs`, so that nobody reads old
/// snapshots as what they are not, and write the file anew with `SPOOL_BLESS=1`.
#[test]
fn states_are_written_as_the_format_of_the_snapshots_has_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/executor/states.txt");
    let written = all_states();
    if std::env::var_os("SPOOL_BLESS").is_some() {
        std::fs::write(path, &written).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    for (line, (written, kept)) in written.lines().zip(kept.lines()).enumerate() {
        assert_eq!(
            written,
            kept,
            "line {}: raise FORMAT in snapshots.rs, then bless",
            line + 1
        );
    }
    assert_eq!(
        written.lines().count(),
        kept.lines().count(),
        "raise FORMAT in snapshots.rs, then bless"
    );
}
