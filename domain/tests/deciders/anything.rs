//! Any value of any event, odd ones included. Also used by the tests of the written form.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, ReservationId, SessionId, UploadId, VideoId};
use spool_domain::media::{Film, Rendition, RenditionKind, Segment};
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use spool_domain::{accounts, jobs, reservations, uploads, videos, views};
use uuid::Uuid;

/// Control characters, quotes, NUL, letters beyond the first plane: whatever a string can hold.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(any::<char>(), 0..12).prop_map(String::from_iter),
        Just("\"\\\u{0}\u{7f}\u{2028}\u{202e}é🎬</script>".to_owned()),
    ]
}

pub fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        any::<i64>().prop_map(Timestamp::from_millis),
        (0i64..4_000_000_000_000).prop_map(Timestamp::from_millis),
    ]
}

/// Few, so that several values meet.
pub fn uuid() -> impl Strategy<Value = Uuid> {
    prop_oneof![4 => (1u128..4).prop_map(Uuid::from_u128), 1 => any::<u128>().prop_map(Uuid::from_u128)]
}

pub fn account() -> impl Strategy<Value = AccountId> {
    uuid().prop_map(AccountId)
}

pub fn actor() -> impl Strategy<Value = Actor> {
    let role = prop_oneof![
        Just(Role::Viewer),
        Just(Role::Creator),
        Just(Role::Admin),
        Just(Role::Service)
    ];
    prop_oneof![
        1 => Just(Actor::Anonymous),
        4 => (account(), role).prop_map(|(account, role)| Actor::Person { account, role }),
        1 => Just(Actor::System),
    ]
}

pub fn registered() -> impl Strategy<Value = accounts::Registered> {
    (text(), text(), uuid(), uuid()).prop_map(|(personal, hash, email, username)| accounts::Registered {
        personal: Sealed(personal),
        password_hash: Sealed(hash),
        email: ReservationId(email),
        username: ReservationId(username),
        role: Role::Creator,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    })
}

pub fn account_event() -> impl Strategy<Value = accounts::Event> {
    use accounts::*;
    let session = || uuid().prop_map(SessionId);
    let reason = prop_oneof![
        Just(SessionEnd::LoggedOut),
        Just(SessionEnd::RefreshTokenReused),
        Just(SessionEnd::Displaced)
    ];
    prop_oneof![
        registered().prop_map(Event::Registered),
        Just(Event::RegistrationVoided(RegistrationVoided {})),
        (session(), time()).prop_map(|(session, expires_at)| {
            Event::SessionStarted(SessionStarted {
                session,
                expires_at,
                at: None,
                client: None,
            })
        }),
        (session(), any::<u32>(), time(), time()).prop_map(|(session, counter, at, expires_at)| {
            Event::SessionRefreshed(SessionRefreshed {
                session,
                counter,
                at,
                expires_at,
            })
        }),
        (session(), reason)
            .prop_map(|(session, reason)| Event::SessionEnded(SessionEnded { session, reason })),
        change_of_account(),
    ]
}

fn change_of_account() -> impl Strategy<Value = accounts::Event> {
    use accounts::*;
    let place = || uuid().prop_map(ReservationId);
    let sealed = || text().prop_map(Sealed);
    prop_oneof![
        sealed().prop_map(|password_hash| Event::PasswordChanged(PasswordChanged {
            password_hash,
            how: PasswordChange::ByLink,
        })),
        (any::<u32>(), time(), time()).prop_map(|(number, at, expires_at)| {
            Event::PasswordResetRequested(PasswordResetRequested {
                number,
                at,
                expires_at,
            })
        }),
        place().prop_map(|email| Event::EmailConfirmed(EmailConfirmed { email })),
        (sealed(), place(), place()).prop_map(|(personal, email, username)| {
            Event::ProfileChanged(ProfileChanged {
                personal,
                email,
                username,
                given_up: vec![],
            })
        }),
        (text(), sealed())
            .prop_map(|(version, image)| Event::AvatarChanged(AvatarChanged { version, image })),
        Just(Event::AvatarRemoved(AvatarRemoved {})),
        place().prop_map(|place| Event::NameGivenUp(NameGivenUp { place })),
        actor().prop_map(|by| Event::Disabled(Disabled { by })),
        actor().prop_map(|by| Event::Enabled(Enabled { by })),
        (actor(), time()).prop_map(|(by, erase_at)| Event::Deleted(Deleted { by, erase_at })),
        actor().prop_map(|by| Event::Restored(Restored { by })),
        Just(Event::Erased(Erased { places: vec![] })),
        place().prop_map(|place| Event::IdentityUnlinked(IdentityUnlinked { place })),
    ]
}

pub fn reservation_event() -> impl Strategy<Value = reservations::Event> {
    use reservations::*;
    prop_oneof![
        (account(), time()).prop_map(|(account, until)| Event::Reserved(Reserved { account, until })),
        account().prop_map(|account| Event::Confirmed(Confirmed { account })),
        account().prop_map(|account| Event::Lapsed(Lapsed { account })),
        account().prop_map(|account| Event::Released(Released { account })),
        time().prop_map(|at| Event::PasswordResetWanted(PasswordResetWanted { at })),
    ]
}

pub fn described() -> impl Strategy<Value = videos::Described> {
    use videos::Visibility::{Private, Public, Unlisted};
    let visibility = prop_oneof![Just(Public), Just(Unlisted), Just(Private)];
    let title = prop_oneof![3 => "[a-c]", 1 => text()];
    (title, text(), visibility).prop_map(|(title, description, visibility)| videos::Described {
        title,
        description,
        visibility,
    })
}

pub fn source() -> impl Strategy<Value = videos::Source> {
    let file_name = prop_oneof![3 => "[ab]\\.mp4", 1 => text()];
    (text(), file_name, any::<u64>(), text(), text()).prop_map(
        |(blob, file_name, bytes, sha256, container)| videos::Source {
            blob,
            file_name,
            bytes,
            sha256,
            container,
        },
    )
}

pub fn received() -> impl Strategy<Value = uploads::Received> {
    (uuid(), account(), described(), source()).prop_map(|(video, owner, description, source)| {
        uploads::Received {
            video: VideoId(video),
            owner,
            description,
            source,
        }
    })
}

pub fn upload_event() -> impl Strategy<Value = uploads::Event> {
    received().prop_map(uploads::Event::Received)
}

pub fn video_event() -> impl Strategy<Value = videos::Event> {
    use videos::*;
    prop_oneof![
        (account(), described())
            .prop_map(|(owner, description)| Event::Created(Created { owner, description })),
        (uuid(), source()).prop_map(|(upload, source)| {
            let upload = UploadId(upload);
            Event::Uploaded(Uploaded { upload, source })
        }),
        described().prop_map(Event::Described),
        actor().prop_map(|by| Event::Deleted(Deleted { by })),
    ]
}

/// As deciders let them through: three decimals.
fn rate() -> impl Strategy<Value = f64> {
    (0u32..240_000).prop_map(|thousandths| f64::from(thousandths) / 1000.0)
}

pub fn film() -> impl Strategy<Value = Film> {
    let codecs = (text(), option::of(text()), option::of(any::<u64>()));
    (any::<u64>(), any::<u32>(), any::<u32>(), rate(), codecs).prop_map(
        |(duration_ms, width, height, frames_per_second, codecs)| Film {
            duration_ms,
            width,
            height,
            frames_per_second,
            video_codec: codecs.0,
            audio_codec: codecs.1,
            bits_per_second: codecs.2,
        },
    )
}

pub fn rendition_name() -> impl Strategy<Value = String> {
    prop_oneof![8 => "(source|360p|audio)", 1 => text()]
}

pub fn rendition() -> impl Strategy<Value = Rendition> {
    let kind = prop_oneof![4 => Just(RenditionKind::Video), 1 => Just(RenditionKind::Audio)];
    let codecs = prop_oneof![8 => Just("avc1.64001f,mp4a.40.2".to_owned()), 1 => text()];
    let size = (any::<u32>(), any::<u32>(), rate(), any::<bool>());
    (rendition_name(), kind, codecs, size).prop_map(|(name, kind, codecs, size)| Rendition {
        name,
        kind,
        codecs,
        width: size.0,
        height: size.1,
        frames_per_second: size.2,
        provisional: size.3,
    })
}

pub fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let segment =
        (any::<u32>(), any::<u32>()).prop_map(|(duration_ms, bytes)| Segment { duration_ms, bytes });
    vec(segment, 0..4)
}

pub fn requested() -> impl Strategy<Value = jobs::Requested> {
    let attempts_max = prop_oneof![4 => 0u32..5, 1 => any::<u32>()];
    (uuid(), account(), text(), text(), attempts_max).prop_map(
        |(video, owner, blob, container, attempts_max)| jobs::Requested {
            video: VideoId(video),
            owner,
            blob,
            container,
            attempts_max,
        },
    )
}

pub fn failure() -> impl Strategy<Value = jobs::Failure> {
    (text(), text(), prop::bool::weighted(0.8)).prop_map(|(code, sentence, passing)| jobs::Failure {
        code,
        sentence,
        passing,
    })
}

fn attempt() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0u32..4, 1 => any::<u32>()]
}

pub fn job_event() -> impl Strategy<Value = jobs::Event> {
    prop_oneof![course_of_a_job(), work_on_a_job()]
}

fn course_of_a_job() -> impl Strategy<Value = jobs::Event> {
    use jobs::*;
    prop_oneof![
        4 => requested().prop_map(Event::Requested),
        4 => (attempt(), text(), time()).prop_map(|(attempt, worker, until)| {
            Event::Claimed(Claimed { attempt, worker, until })
        }),
        1 => (attempt(), any::<u64>(), vec(text(), 0..3)).prop_map(|(attempt, duration_ms, warnings)| {
            Event::Completed(Completed { attempt, duration_ms, warnings })
        }),
        1 => (attempt(), failure(), time()).prop_map(|(attempt, failure, again_at)| {
            Event::AttemptEnded(AttemptEnded { attempt, failure, again_at })
        }),
        1 => (attempt(), failure()).prop_map(|(attempt, failure)| Event::Failed(Failed { attempt, failure })),
        1 => actor().prop_map(|by| Event::Cancelled(Cancelled { by })),
        1 => actor().prop_map(|by| Event::Restarted(Restarted { by })),
    ]
}

fn work_on_a_job() -> impl Strategy<Value = jobs::Event> {
    use jobs::*;
    prop_oneof![
        (attempt(), time()).prop_map(|(attempt, until)| Event::LeaseRenewed(LeaseRenewed { attempt, until })),
        (attempt(), film()).prop_map(|(attempt, film)| Event::Probed(Probed { attempt, film })),
        (attempt(), rendition()).prop_map(|(attempt, rendition)| {
            Event::RenditionStarted(RenditionStarted { attempt, rendition })
        }),
        (attempt(), rendition_name(), any::<u32>(), segments()).prop_map(
            |(attempt, rendition, from, segments)| {
                Event::SegmentsPublished(SegmentsPublished {
                    attempt,
                    rendition,
                    from,
                    segments,
                })
            }
        ),
        (attempt(), rendition_name()).prop_map(|(attempt, rendition)| {
            Event::RenditionFinished(RenditionFinished { attempt, rendition })
        }),
        (attempt(), text()).prop_map(|(attempt, blob)| Event::ThumbnailMade(ThumbnailMade { attempt, blob })),
    ]
}

pub fn view_event() -> impl Strategy<Value = views::Event> {
    (text(), any::<u32>())
        .prop_map(|(name, version)| views::Event::Switched(views::Switched { name, version }))
}
