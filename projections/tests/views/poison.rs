//! An event that cannot be folded parks its own stream and nothing else.

use crate::story::{Story, rung};
use crate::world::{World, blocking};
use spool_domain::ids::JobId;
use spool_domain::jobs::Fact;
use spool_domain::videos::Visibility;
use spool_projections::catalogue::Status;
use spool_projections::{RebuildError, VerifyError};

fn parked(world: &World, view: &str) -> u64 {
    let status = world
        .projections
        .status()
        .into_iter()
        .find(|status| status.name == view);
    status.expect("the view is there").parked
}

fn praised(stream: &str, version: u64) -> String {
    format!(
        r#"{{"stream":"{stream}","version":{version},"command":"00000000-0000-0000-0000-000000000001","time":"2026-11-21T08:00:00.000Z","actor":"system","cause":{{"correlation":"00000000-0000-0000-0000-000000000001"}},"events":[{{"type":"VideoPraised","v":1,"data":{{}}}}]}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_parks_its_video_while_all_others_go_on() {
    let (mut world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    for seed in 1..=6 {
        story.upload(seed, owner, Visibility::Public);
    }
    world.tell_and_see(&mut story).await;
    let stream = story.films[2].id.stream();
    world.append_raw(stream, &praised(&stream.to_string(), 3)).await;
    for film in 0..6 {
        story.claim(film);
    }
    world.tell_and_see(&mut story).await;

    for round in ["at once", "after a restart"] {
        for (at, film) in story.films.iter().enumerate() {
            let video = world
                .projections
                .catalogue()
                .video(film.id)
                .expect("the view answers");
            let expected = if at == 2 {
                Status::Uploaded
            } else {
                Status::Processing
            };
            assert_eq!(video.expect("it is there").status, expected, "film {at} {round}");
        }
        assert_eq!(
            parked(&world, "catalogue"),
            2,
            "the event and the claim after it, {round}"
        );
        assert_eq!(parked(&world, "jobs"), 0, "the queue has no use for such events");
        world.restart().await;
        world.caught_up().await;
    }
    let job = world
        .projections
        .jobs()
        .job(JobId::of(story.films[2].id, 1))
        .expect("the view answers");
    assert_eq!(job.map(|job| job.attempts), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_stops_at_a_poison_event_and_says_where() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Public);
    let stream = story.films[at].id.stream();
    world.tell(&mut story).await;
    let (partition, offset) = (
        stream.partition(world.log.partitions()),
        world.log.head(stream.partition(world.log.partitions())),
    );
    world.append_raw(stream, &praised(&stream.to_string(), 3)).await;
    world.caught_up().await;
    let error = world
        .projections
        .rebuild("catalogue")
        .expect("it starts")
        .finished()
        .await;
    let Err(RebuildError::Poison {
        at,
        stream: named,
        reason,
    }) = error
    else {
        panic!("it should have stopped: {error:?}");
    };
    assert_eq!(
        (at.partition, at.offset, named),
        (partition, offset, stream.to_string())
    );
    assert!(reason.contains("VideoPraised"), "{reason}");
    let status = &world.projections.status()[1];
    assert_eq!(
        (status.version, status.rebuilding.clone()),
        (Some(1), None),
        "the old version serves"
    );
    let verified = blocking(&world.projections, |projections| projections.verify()).await;
    assert!(
        matches!(
            verified,
            Err(VerifyError::Refold {
                view: "catalogue",
                ..
            })
        ),
        "{verified:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_rows_are_made_again_around_a_poison_event() {
    let (mut world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    for seed in 1..=40 {
        story.upload(seed, owner, Visibility::Public);
    }
    world.tell(&mut story).await;
    let stream = story.films[0].id.stream();
    world.append_raw(stream, &praised(&stream.to_string(), 3)).await;
    world.append_raw(stream, "this is no commit").await;
    for film in 0..40 {
        story.claim(film);
        story.report(film, vec![Fact::RenditionStarted(rung(360))]);
    }
    world.tell_and_see(&mut story).await;
    world
        .stop_and(|dir| std::fs::remove_dir_all(dir.path().join("tables")).expect("it can be removed"))
        .await;
    world.caught_up().await;
    assert_eq!(
        world
            .projections
            .jobs()
            .counts()
            .expect("the view answers")
            .running,
        40
    );
    let status = |film: usize| {
        let video = world
            .projections
            .catalogue()
            .video(story.films[film].id)
            .expect("the view answers");
        video.expect("it is there").status
    };
    assert_eq!(status(0), Status::Uploaded);
    assert!((1..40).all(|film| status(film) == Status::Processing));
    assert_eq!(parked(&world, "catalogue"), 4);
}
