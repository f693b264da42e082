//! An upload brings one file, once, and only one that a video can be made of.

use crate::anything;
use crate::history::{History, nothing_breaks};
use proptest::collection::vec;
use proptest::prelude::*;
use spool_domain::decider::Decider;
use spool_domain::decider::scenario::given;
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::text::TITLE_MAX_CHARS;
use spool_domain::time::Timestamp;
use spool_domain::uploads::{Command, Event, Received, Refusal, Upload};
use spool_domain::videos::{self, Described, Source, Video, Visibility};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn film() -> Received {
    Received {
        video: VideoId(Uuid::from_u128(7)),
        owner: AccountId(Uuid::from_u128(1)),
        description: Described {
            title: "Sintel".into(),
            description: "A girl looks for a dragon.\nBlender Foundation, 2010.".into(),
            visibility: Visibility::Public,
        },
        source: Source {
            blob: "originals/film".into(),
            file_name: "sintel.mp4".into(),
            bytes: 1_048_576,
            sha256: "ab".repeat(32),
            container: "mp4".into(),
        },
    }
}

#[track_caller]
fn refuses(received: Received, field: &str) {
    let outcome = receive(received);
    let named = |refusal: &Refusal| matches!(refusal, Refusal::Invalid(videos::Refusal::Invalid { field: wrong, .. }) if *wrong == field);
    assert!(outcome.as_ref().is_err_and(named), "{outcome:?}");
}

fn receive(received: Received) -> Result<Vec<Event>, Refusal> {
    Upload::default().decide(&Command::Receive(received), NOW)
}

#[test]
fn a_whole_file_is_received() {
    given::<Upload>(&[])
        .when(Command::Receive(film()), NOW)
        .then(&[Event::Received(film())]);
}

#[test]
fn the_same_file_again_is_no_news() {
    given::<Upload>(&[Event::Received(film())])
        .when(Command::Receive(film()), NOW)
        .then_nothing();
}

#[test]
fn another_file_is_refused() {
    let mut other = film();
    other.source.sha256 = "cd".repeat(32);
    given::<Upload>(&[Event::Received(film())])
        .when(Command::Receive(other), NOW)
        .then_refused(Refusal::AlreadyReceived);
}

#[test]
fn an_empty_file_is_refused() {
    let mut empty = film();
    empty.source.bytes = 0;
    given::<Upload>(&[])
        .when(Command::Receive(empty), NOW)
        .then_refused(Refusal::Empty);
}

#[test]
fn what_no_video_may_be_called_is_refused_at_once() {
    let mut long = film();
    long.description.title = "x".repeat(TITLE_MAX_CHARS + 1);
    refuses(long, "title");
    let mut bell = film();
    bell.description.description = "ding \u{7}".into();
    refuses(bell, "description");
    let mut path = film();
    path.source.file_name = "../../etc/passwd".into();
    refuses(path, "file name");
}

proptest! {
    #[test]
    fn whatever_happened_nothing_breaks(
        events in vec(anything::upload_event(), 0..5),
        commands in vec(anything::received().prop_map(Command::Receive), 0..5),
        now in anything::time(),
    ) {
        nothing_breaks::<Upload>(&events, &commands, now);
    }

    #[test]
    fn an_upload_keeps_its_first_file(commands in vec(anything::received(), 1..8)) {
        let mut history = History::<Upload>::new();
        for received in commands {
            let command = Command::Receive(received);
            let _ = history.give(&command);
            history.asking_again_is_quiet(&command);
        }
        prop_assert!(history.events.len() <= 1);
        history.is_what_its_events_say();
    }

    /// Whoever was told that the file was received will find the video.
    #[test]
    fn what_was_received_becomes_a_video(received in anything::received()) {
        if receive(received.clone()).is_ok() {
            let create = videos::Command::Create {
                owner: received.owner,
                description: received.description,
                upload: UploadId::of(received.video),
                source: received.source,
            };
            prop_assert_eq!(Video::default().decide(&create, NOW).map(|events| events.len()), Ok(2));
        }
    }
}
