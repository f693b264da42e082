//! What one is answered: durable, and the same when asked again.

use crate::given::{ask, create, describe, described, fresh, job, request, video};
use crate::world::World;
use spool_commands::{AnyRefusal, CommandError, Outcome};
use spool_domain::videos::{self, Video};

fn check_same(again: &Outcome, first: &Outcome) {
    assert!(again.repeated && !first.repeated);
    assert_eq!(
        (
            again.stream,
            again.version,
            again.position,
            &again.events,
            &again.token
        ),
        (
            first.stream,
            first.version,
            first.position,
            &first.events,
            &first.token
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_durable_and_given_again_to_the_same_question() {
    let mut world = World::new();
    let stream = video(1).stream();
    let first = world
        .commands
        .give(stream, create(1), ask(1, "aa"))
        .await
        .expect("accepted");
    let (partition, offset) = first.position.expect("there was something to say");
    assert_eq!((first.version, first.events.len()), (2, 2));
    assert_eq!(world.log.head(partition), offset + 1);
    assert_eq!(first.token.to_string(), format!("{partition}:{}", offset + 1));
    world
        .commands
        .give(stream, describe("another title"), fresh())
        .await
        .expect("accepted");

    for restart in ["none", "plain", "with snapshots", "without snapshots"] {
        match restart {
            "plain" => world.restart().await,
            "with snapshots" => {
                world.write_snapshots().await;
                world.restart().await;
            }
            "without snapshots" => world.restart_without_snapshots().await,
            _ => {}
        }
        let again = world
            .commands
            .give(stream, create(1), ask(1, "aa"))
            .await
            .expect(restart);
        check_same(&again, &first);
        let other = world
            .commands
            .give(stream, create(1), ask(1, "bb"))
            .await
            .expect_err(restart);
        assert!(matches!(other, CommandError::OtherRequest), "{other}");
        assert_eq!(world.state_is_the_refold().await.facts.len(), 2, "{restart}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_for_another_stream_is_another_request() {
    let world = World::configured(|config| spool_log::Config {
        partitions: 1,
        ..config
    });
    world
        .commands
        .give(video(1).stream(), create(1), ask(1, "aa"))
        .await
        .expect("accepted");
    let other = world
        .commands
        .give(video(2).stream(), create(2), ask(1, "aa"))
        .await;
    assert!(matches!(other, Err(CommandError::OtherRequest)));
    assert_eq!(world.commits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_a_version_that_has_passed_is_stale() {
    let world = World::new();
    let stream = video(1).stream();
    let at = |version| spool_commands::Ask {
        expected_version: Some(version),
        ..fresh()
    };
    world
        .commands
        .give(stream, create(1), at(0))
        .await
        .expect("accepted");
    let stale = world
        .commands
        .give(stream, describe("b"), at(1))
        .await
        .expect_err("stale");
    assert!(matches!(stale, CommandError::Stale { version: 2 }), "{stale}");
    world
        .commands
        .give(stream, describe("b"), at(2))
        .await
        .expect("accepted");
    let twins = (0..8).map(|n| {
        let commands = world.commands.clone();
        tokio::spawn(async move { commands.give(stream, describe(&format!("twin {n}")), at(3)).await })
    });
    let mut accepted = 0;
    for twin in twins.collect::<Vec<_>>() {
        match twin.await.expect("no panic") {
            Ok(_) => accepted += 1,
            Err(error) => assert!(matches!(error, CommandError::Stale { version: 4 }), "{error}"),
        }
    }
    assert_eq!(accepted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_and_refusals_write_nothing() {
    let world = World::new();
    let stream = video(1).stream();
    let none = world
        .commands
        .give(stream, describe("b"), fresh())
        .await
        .expect_err("there is none");
    let expected = AnyRefusal::Videos(videos::Refusal::NoSuchVideo);
    assert!(matches!(none, CommandError::Refused(refusal) if refusal == expected));
    let first = world
        .commands
        .give(stream, create(1), fresh())
        .await
        .expect("accepted");
    let quiet = world
        .commands
        .give(stream, create(1), fresh())
        .await
        .expect("quiet");
    assert_eq!((quiet.version, quiet.position, quiet.repeated), (2, None, false));
    assert_eq!((quiet.events, quiet.token), (vec![], first.token));
    let wrong = world
        .commands
        .give(stream, request(1), fresh())
        .await
        .expect_err("a video is no job");
    assert!(matches!(wrong, CommandError::Refused(AnyRefusal::WrongStream(_))));
    assert_eq!(world.commits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_shows_what_was_accepted_before() {
    let world = World::new();
    let (state, version) = world
        .commands
        .state::<Video>(video(1).stream())
        .await
        .expect("readable");
    assert_eq!((state, version), (Video::Nothing, 0));
    for n in 0..50 {
        let stream = video(n % 3).stream();
        let commands = world.commands.clone();
        commands
            .give(stream, create(n % 3), fresh())
            .await
            .expect("accepted");
        let title = format!("title {n}");
        // Asked for and not waited for: decided, so it comes first.
        let given = commands.give(stream, describe(&title), fresh());
        crate::cut::poll_once(given).await;
        let (state, _) = commands.state::<Video>(stream).await.expect("readable");
        let Video::Existing(video) = state else {
            panic!("{state:?}")
        };
        assert_eq!(video.description, described(&title));
    }
    let wrong = world.commands.state::<Video>(job(1).stream()).await;
    assert!(matches!(wrong, Err(CommandError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_the_log_is_refused_and_leaves_no_trace() {
    let world = World::configured(|config| spool_log::Config {
        commit_bytes_max: 2_000,
        ..config
    });
    let stream = video(1).stream();
    world
        .commands
        .give(stream, create(1), fresh())
        .await
        .expect("accepted");
    let large = videos::Command::Describe {
        by: crate::given::owner(),
        description: videos::Described {
            description: "x".repeat(4_000),
            ..described("a film")
        },
    };
    let refused = world
        .commands
        .give(stream, large, fresh())
        .await
        .expect_err("too large");
    assert!(
        matches!(&refused, CommandError::Unavailable(why) if why.contains("more than")),
        "{refused}"
    );
    world
        .commands
        .give(stream, describe("b"), fresh())
        .await
        .expect("accepted");
    assert_eq!(world.state_is_the_refold().await.facts.len(), 2);
}
