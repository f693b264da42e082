//! What the queue says: who may be claimed and how many there are.

use crate::story::{LEASE, Story};
use crate::world::World;
use spool_domain::actors::Actor;
use spool_domain::ids::JobId;
use spool_domain::jobs::Command;
use spool_domain::time::{Millis, Timestamp};
use spool_domain::videos::Visibility;
use spool_projections::jobs::{Counts, JobState};

/// The films whose jobs may be claimed at `now`, by their place in the story.
fn claimable(world: &World, story: &Story, now: Timestamp, limit: usize) -> (Vec<usize>, Option<Timestamp>) {
    let found = world
        .projections
        .jobs()
        .claimable(now, limit)
        .expect("the view answers");
    let place = |job: &spool_projections::Job| {
        let film = story.films.iter().position(|film| film.id == job.video_id);
        film.expect("the story has told of it")
    };
    (found.jobs.iter().map(place).collect(), found.next_at)
}

fn counts(world: &World) -> Counts {
    world.projections.jobs().counts().expect("the view answers")
}

#[tokio::test]
async fn jobs_are_claimable_in_the_order_of_their_request() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    for seed in 1..=4 {
        story.upload(seed, owner, Visibility::Public);
    }
    world.tell_and_see(&mut story).await;
    assert_eq!(claimable(&world, &story, story.now, 3).0, [0, 1, 2]);
    story.claim(1);
    world.tell_and_see(&mut story).await;
    assert_eq!(claimable(&world, &story, story.now, 10).0, [0, 2, 3]);
    assert_eq!(
        counts(&world),
        Counts {
            pending: 3,
            running: 1,
            ..Counts::default()
        }
    );
    assert_eq!(
        world
            .projections
            .jobs()
            .leased(5)
            .expect("the view answers")
            .len(),
        1
    );
    world.rows_are_a_refold().await;
}

#[tokio::test]
async fn a_job_pauses_between_two_attempts_and_says_until_when() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    story.upload(1, owner, Visibility::Public);
    story.claim(0);
    story.fail(0, true);
    world.tell_and_see(&mut story).await;
    let (now, next_at) = claimable(&world, &story, story.now, 10);
    let next_at = next_at.expect("it will be claimable");
    assert_eq!((now, next_at > story.now), (vec![], true));
    assert_eq!(claimable(&world, &story, next_at, 10), (vec![0], None));
    let job = world
        .projections
        .jobs()
        .job(JobId::of(story.films[0].id, 1))
        .expect("the view answers");
    let job = job.expect("it is there");
    assert_eq!((job.state, job.attempts), (JobState::Pending, 1));
    assert_eq!(
        job.error_text.as_deref(),
        Some("there is no picture in this file")
    );
}

#[tokio::test]
async fn a_job_ends_completed_failed_or_cancelled() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    for seed in 1..=4 {
        story.upload(seed, owner, Visibility::Public);
        story.claim(usize::try_from(seed).expect("it is small") - 1);
    }
    story.complete(0, 1_000);
    story.fail(1, false);
    story.job(2, &Command::Cancel { by: Actor::System });
    story.wait(Millis(1_000));
    story.job(
        3,
        &Command::Renew {
            attempt: 1,
            lease: LEASE,
        },
    );
    world.tell_and_see(&mut story).await;
    let expected = Counts {
        pending: 0,
        running: 1,
        completed: 1,
        failed: 1,
        cancelled: 1,
    };
    assert_eq!(counts(&world), expected);
    let job = |film: usize| {
        let id = JobId::of(story.films[film].id, 1);
        world
            .projections
            .jobs()
            .job(id)
            .expect("the view answers")
            .expect("it is there")
    };
    assert_eq!(
        (job(0).state, job(0).progress, job(0).finished_at.is_some()),
        (JobState::Completed, 100, true)
    );
    assert_eq!(
        (job(1).state, job(1).error_code.as_deref()),
        (JobState::Failed, Some("no_video"))
    );
    assert_eq!(job(2).state, JobState::Cancelled);
    assert_eq!(job(3).lease_until.map(|until| until > story.now), Some(true));
    story.job(2, &Command::Restart { by: Actor::System });
    world.tell_and_see(&mut story).await;
    assert_eq!(claimable(&world, &story, story.now, 10).0, [2]);
    assert_eq!(
        counts(&world),
        Counts {
            pending: 1,
            cancelled: 0,
            ..expected
        }
    );
    world.rows_are_a_refold().await;
}
