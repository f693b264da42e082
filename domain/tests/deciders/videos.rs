//! A video says what its owner says, and nobody but the owner and administrators changes it.

use crate::anything;
use crate::history::{History, nothing_breaks};
use proptest::collection::vec;
use proptest::prelude::*;
use spool_domain::actors::{Actor, Role};
use spool_domain::decider::{Decider, scenario::given};
use spool_domain::ids::{AccountId, UploadId};
use spool_domain::text::{DESCRIPTION_MAX_CHARS, TITLE_MAX_CHARS};
use spool_domain::time::{Millis, Timestamp};
use spool_domain::videos::*;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ANNA: AccountId = AccountId(Uuid::from_u128(1));
const UPLOAD: UploadId = UploadId(Uuid::from_u128(21));

fn person(account: u128, role: Role) -> Actor {
    let account = AccountId(Uuid::from_u128(account));
    Actor::Person { account, role }
}

fn owner() -> Actor {
    person(1, Role::Creator)
}

fn stranger() -> Actor {
    person(2, Role::Creator)
}

fn called(title: &str, visibility: Visibility) -> Described {
    Described {
        title: title.into(),
        description: "Two lines\nof text.".into(),
        visibility,
    }
}

fn file() -> Source {
    Source {
        blob: "originals/film".into(),
        file_name: "sintel.mp4".into(),
        bytes: 1_048_576,
        sha256: "ab".repeat(32),
        container: "mp4".into(),
    }
}

fn create(upload: UploadId, description: Described) -> Command {
    Command::Create {
        owner: ANNA,
        description,
        upload,
        source: file(),
    }
}

fn exists(visibility: Visibility) -> Vec<Event> {
    vec![
        Event::Created(Created {
            owner: ANNA,
            description: called("Sintel", visibility),
        }),
        Event::Uploaded(Uploaded {
            upload: UPLOAD,
            source: file(),
        }),
    ]
}

fn gone(visibility: Visibility) -> Vec<Event> {
    let mut past = exists(visibility);
    past.push(Event::Deleted(Deleted { by: owner() }));
    past
}

fn describe(by: Actor, title: &str) -> Command {
    Command::Describe {
        by,
        description: called(title, Visibility::Public),
    }
}

#[test]
fn an_upload_becomes_a_video_once() {
    let command = || create(UPLOAD, called("Sintel", Visibility::Public));
    given::<Video>(&[])
        .when(command(), NOW)
        .then(&exists(Visibility::Public));
    given::<Video>(&exists(Visibility::Public))
        .when(command(), NOW)
        .then_nothing();
    given::<Video>(&gone(Visibility::Public))
        .when(command(), NOW)
        .then_nothing();
}

#[test]
fn another_upload_cannot_become_the_same_video() {
    let other = create(
        UploadId(Uuid::from_u128(22)),
        called("Sintel", Visibility::Public),
    );
    given::<Video>(&exists(Visibility::Public))
        .when(other, NOW)
        .then_refused(Refusal::AlreadyExists);
}

#[test]
fn the_owner_and_administrators_describe_a_video() {
    for by in [owner(), person(9, Role::Admin), Actor::System] {
        given::<Video>(&exists(Visibility::Private))
            .when(describe(by, "Durian"), NOW)
            .then(&[Event::Described(called("Durian", Visibility::Public))]);
    }
}

#[test]
fn the_same_description_is_no_news() {
    given::<Video>(&exists(Visibility::Public))
        .when(describe(owner(), "Sintel"), NOW)
        .then_nothing();
}

#[test]
fn strangers_change_nothing_and_do_not_learn_of_private_videos() {
    for by in [stranger(), person(2, Role::Viewer), Actor::Anonymous] {
        for command in [describe(by, "Mine now"), Command::Delete { by }] {
            given::<Video>(&exists(Visibility::Public))
                .when(command.clone(), NOW)
                .then_refused(Refusal::NotOwner);
            given::<Video>(&exists(Visibility::Unlisted))
                .when(command.clone(), NOW)
                .then_refused(Refusal::NotOwner);
            given::<Video>(&exists(Visibility::Private))
                .when(command, NOW)
                .then_refused(Refusal::NoSuchVideo);
        }
    }
}

#[test]
fn a_deleted_video_is_gone_for_good() {
    given::<Video>(&exists(Visibility::Public))
        .when(Command::Delete { by: owner() }, NOW)
        .then(&[Event::Deleted(Deleted { by: owner() })]);
    given::<Video>(&gone(Visibility::Public))
        .when(Command::Delete { by: owner() }, NOW)
        .then_nothing();
    given::<Video>(&gone(Visibility::Public))
        .when(Command::Delete { by: stranger() }, NOW)
        .then_refused(Refusal::NoSuchVideo);
    given::<Video>(&gone(Visibility::Public))
        .when(describe(owner(), "Back"), NOW)
        .then_refused(Refusal::NoSuchVideo);
}

#[test]
fn nothing_can_be_done_to_a_video_that_is_not() {
    given::<Video>(&[])
        .when(describe(owner(), "Sintel"), NOW)
        .then_refused(Refusal::NoSuchVideo);
    given::<Video>(&[])
        .when(Command::Delete { by: owner() }, NOW)
        .then_refused(Refusal::NoSuchVideo);
}

#[track_caller]
fn refuses(title: &str, description: &str, wrong: &str) {
    let description = Described {
        title: title.into(),
        description: description.into(),
        visibility: Visibility::Public,
    };
    for (video, command) in [
        (Video::default(), create(UPLOAD, description.clone())),
        (
            spool_domain::decider::refold(&exists(Visibility::Public)),
            Command::Describe {
                by: owner(),
                description,
            },
        ),
    ] {
        let outcome = video.decide(&command, NOW);
        assert!(
            matches!(&outcome, Err(Refusal::Invalid { field, .. }) if field == wrong),
            "{outcome:?}"
        );
    }
}

#[test]
fn texts_that_fit_nowhere_are_refused_by_name() {
    refuses("", "", "title");
    refuses(" \u{200b}", "", "title");
    refuses(&"é".repeat(TITLE_MAX_CHARS + 1), "", "title");
    refuses("two\nlines", "", "title");
    refuses("nul\0", "", "title");
    refuses("fine", &"é".repeat(DESCRIPTION_MAX_CHARS + 1), "description");
    refuses("fine", "escape \u{1b}[31m", "description");
}

#[test]
fn the_longest_texts_fit() {
    let description = Described {
        title: "é".repeat(TITLE_MAX_CHARS),
        description: "é".repeat(DESCRIPTION_MAX_CHARS),
        visibility: Visibility::Public,
    };
    assert_eq!(description.check(), Ok(()));
}

fn any_command() -> impl Strategy<Value = Command> {
    let upload = || (1u128..3).prop_map(|number| UploadId(Uuid::from_u128(number)));
    prop_oneof![
        3 => (anything::account(), anything::described(), upload(), anything::source()).prop_map(
            |(owner, description, upload, source)| Command::Create { owner, description, upload, source }
        ),
        4 => (anything::actor(), anything::described())
            .prop_map(|(by, description)| Command::Describe { by, description }),
        1 => anything::actor().prop_map(|by| Command::Delete { by }),
    ]
}

/// Who owned the video before the command.
fn owner_of(video: &Video) -> Option<AccountId> {
    match video {
        Video::Nothing => None,
        Video::Existing(existing) => Some(existing.owner),
        Video::Deleted { owner } => Some(*owner),
    }
}

proptest! {
    #[test]
    fn whatever_happened_nothing_breaks(
        events in vec(anything::video_event(), 0..10),
        commands in vec(any_command(), 0..10),
        now in anything::time(),
    ) {
        nothing_breaks::<Video>(&events, &commands, now);
    }

    #[test]
    fn only_the_owner_and_administrators_change_a_video(steps in vec(any_command(), 0..30)) {
        let mut history = History::<Video>::new();
        for command in steps {
            history.wait(Millis(1));
            let owner = owner_of(&history.state);
            let news = history.give(&command).unwrap_or_default();
            if let Command::Describe { by, .. } | Command::Delete { by } = &command {
                let entitled = match by {
                    Actor::Anonymous => false,
                    Actor::System => true,
                    Actor::Person { role: Role::Admin | Role::Service, .. } => true,
                    Actor::Person { account, .. } => Some(*account) == owner,
                };
                prop_assert!(entitled || news.is_empty(), "{by:?} changed a video of {owner:?}");
            }
            if owner.is_some() {
                prop_assert_eq!(owner_of(&history.state), owner, "a video changed hands");
            }
            history.asking_again_is_quiet(&command);
        }
        history.is_what_its_events_say();
    }

    #[test]
    fn what_a_video_is_called_could_always_be_shown(steps in vec(any_command(), 0..30)) {
        let mut history = History::<Video>::new();
        for command in steps {
            let _ = history.give(&command);
            if let Video::Existing(video) = &history.state {
                prop_assert_eq!(video.description.check(), Ok(()));
            }
        }
    }
}
