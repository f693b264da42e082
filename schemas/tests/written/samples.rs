//! One event of every type as real ones look, and variants where a type can look otherwise. With UPDATE=1
//! those that have no file yet are written once; files are never written again.

use crate::sealed_texts;
use spool_domain::accounts;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, ApiKeyId, JobId, ReservationId, SessionId, UploadId, VideoId};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use spool_domain::videos::{Described, Source, Visibility};
use spool_domain::{jobs, reservations, uploads, videos, views};
use spool_schemas::AnyEvent;
use uuid::{Uuid, uuid};

pub const ANNA: AccountId = AccountId(uuid!("01982f3a-5c1e-7b44-9d0a-3f6f2f6f8a11"));
pub const EMAIL: ReservationId = ReservationId(uuid!("7c9e6679-7425-80de-944b-e07fc1f90ae7"));
pub const VIDEO: VideoId = VideoId(uuid!("01982f41-9b70-7c3e-8f52-6b1d0e9a4c27"));
const USERNAME: ReservationId = ReservationId(uuid!("3d813cbb-47fb-82ba-91df-831e1593ac29"));
const IDENTITY: ReservationId = ReservationId(uuid!("5b7f0a52-2f0e-8c7d-9a41-77c0de0f1e63"));
const BOOTSTRAP: ReservationId = ReservationId(uuid!("0d9c1f7e-61b3-8a52-b6c4-2f3e4d5c6b7a"));
const API_KEY: ApiKeyId = ApiKeyId(uuid!("01982f3c-4f10-7a3b-9c1d-6e5f4a3b2c1d"));
const ADMIN: AccountId = AccountId(uuid!("01982f39-0000-7d10-a5c3-0d1f7c55e902"));
const PHONE: SessionId = SessionId(uuid!("01982f3b-10aa-7e0f-8a3d-c2f4b1d09e55"));

/// The word that tells variants apart, empty for the usual one, and the event.
pub type Sample = (&'static str, AnyEvent);

pub fn samples() -> Vec<Sample> {
    [
        accounts(),
        ways_in(),
        lives_of_accounts(),
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

fn admin() -> Actor {
    Actor::Person {
        account: ADMIN,
        role: Role::Admin,
    }
}

pub fn registered(role: Role) -> accounts::Registered {
    accounts::Registered {
        personal: Sealed("AXd1Zk0ySmVwQ0l3b2c4T2hYb3VtUT09Lg3uV5bqkW2c7dJt8yq0mQ".into()),
        password_hash: Sealed("AVJ5bE9pWm5zN2tQcE1hUTJmTzR3PT0uQpX1v0bT3sYk9cLr6uNw".into()),
        email: EMAIL,
        username: USERNAME,
        role,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    }
}

fn accounts() -> Vec<Sample> {
    use accounts::*;
    let ended = |reason| {
        Event::SessionEnded(SessionEnded {
            session: PHONE,
            reason,
        })
    };
    vec![
        ("", Event::Registered(registered(Role::Creator)).into()),
        ("viewer", Event::Registered(registered(Role::Viewer)).into()),
        ("admin", Event::Registered(registered(Role::Admin)).into()),
        ("service", Event::Registered(registered(Role::Service)).into()),
        ("", Event::RegistrationVoided(RegistrationVoided {}).into()),
        (
            "",
            Event::SessionStarted(SessionStarted {
                session: PHONE,
                expires_at: at("23:59:59.999"),
                at: None,
                client: None,
            })
            .into(),
        ),
        (
            "client",
            Event::SessionStarted(SessionStarted {
                session: PHONE,
                expires_at: at("23:59:59.999"),
                at: Some(at("08:00:00.125")),
                client: Some(sealed()),
            })
            .into(),
        ),
        (
            "",
            Event::SessionRefreshed(SessionRefreshed {
                session: PHONE,
                counter: 4,
                at: at("08:15:00.250"),
                expires_at: at("23:59:59.999"),
            })
            .into(),
        ),
        ("", ended(SessionEnd::LoggedOut).into()),
        ("reused", ended(SessionEnd::RefreshTokenReused).into()),
        ("displaced", ended(SessionEnd::Displaced).into()),
        ("revoked", ended(SessionEnd::Revoked).into()),
        ("password", ended(SessionEnd::PasswordChanged).into()),
        ("disabled", ended(SessionEnd::Disabled).into()),
        ("deleted", ended(SessionEnd::Deleted).into()),
    ]
}

fn sealed() -> Sealed {
    Sealed("AW1vZGVzdGx5IHNlYWxlZCBub3RoaW5nIGluIHBhcnRpY3VsYXI".into())
}

fn identity() -> accounts::Identity {
    accounts::Identity {
        place: IDENTITY,
        provider: "keycloak".into(),
        shown: sealed(),
    }
}

fn ways_in() -> Vec<Sample> {
    use accounts::*;
    let by_provider = Registered {
        identity: Some(identity()),
        email_confirmed: true,
        ..registered(Role::Creator)
    };
    let first_admin = Registered {
        bootstrap: Some(BOOTSTRAP),
        ..registered(Role::Admin)
    };
    let password = |how| {
        Event::PasswordChanged(PasswordChanged {
            password_hash: sealed(),
            how,
        })
    };
    let key = |scopes: &[Scope], expires_at| {
        Event::ApiKeyCreated(ApiKeyCreated {
            key: API_KEY,
            name: sealed(),
            hash: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg".into(),
            scopes: scopes.to_vec(),
            at: at("08:20:00.000"),
            expires_at,
        })
    };
    let reset = PasswordResetRequested {
        number: 3,
        at: at("08:30:00.000"),
        expires_at: at("09:30:00.000"),
    };
    let asked = EmailConfirmationRequested {
        email: EMAIL,
        at: at("08:00:01.000"),
    };
    let linked = IdentityLinked {
        identity: identity(),
        at: at("08:40:00.000"),
    };
    let all = [
        Scope::VideosRead,
        Scope::VideosWrite,
        Scope::AccountRead,
        Scope::AccountWrite,
        Scope::Admin,
    ];
    vec![
        ("by-provider", Event::Registered(by_provider).into()),
        ("first-admin", Event::Registered(first_admin).into()),
        ("", password(PasswordChange::ByOwner).into()),
        ("link", password(PasswordChange::ByLink).into()),
        ("", Event::PasswordResetRequested(reset).into()),
        ("", Event::EmailConfirmationRequested(asked).into()),
        ("", Event::EmailConfirmed(EmailConfirmed { email: EMAIL }).into()),
        ("", key(&[Scope::VideosRead], Some(at("23:00:00.000"))).into()),
        ("all", key(&all, None).into()),
        ("", Event::ApiKeyRevoked(ApiKeyRevoked { key: API_KEY }).into()),
        ("", Event::IdentityLinked(linked).into()),
        (
            "",
            Event::IdentityUnlinked(IdentityUnlinked { place: IDENTITY }).into(),
        ),
    ]
}

fn lives_of_accounts() -> Vec<Sample> {
    use accounts::*;
    let changed = |given_up| {
        Event::ProfileChanged(ProfileChanged {
            personal: sealed(),
            email: EMAIL,
            username: USERNAME,
            given_up,
        })
    };
    let preferences = PreferencesChanged {
        preferences: sealed(),
    };
    let avatar = AvatarChanged {
        version: "5f1d7a84e2b9c036".to_owned(),
        image: sealed(),
    };
    let role = RoleChanged {
        role: Role::Admin,
        by: admin(),
    };
    let deleted = Deleted {
        by: owner(),
        erase_at: at("08:50:00.000"),
    };
    let erased = Erased {
        places: vec![EMAIL, USERNAME, IDENTITY],
    };
    vec![
        ("", changed(vec![]).into()),
        ("moved", changed(vec![IDENTITY]).into()),
        ("", Event::NameGivenUp(NameGivenUp { place: USERNAME }).into()),
        ("", Event::PreferencesChanged(preferences).into()),
        ("", Event::AvatarChanged(avatar).into()),
        ("", Event::AvatarRemoved(AvatarRemoved {}).into()),
        ("", Event::RoleChanged(role).into()),
        ("", Event::Disabled(Disabled { by: admin() }).into()),
        ("", Event::Enabled(Enabled { by: Actor::System }).into()),
        ("", Event::Deleted(deleted).into()),
        ("", Event::Restored(Restored { by: admin() }).into()),
        ("", Event::Erased(erased).into()),
    ]
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
