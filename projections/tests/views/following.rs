//! Following the log: waiting for a position, being told of changes, stopping and starting again.

use crate::story::{Story, film, rung};
use crate::world::{SOON, World};
use spool_domain::jobs::Fact;
use spool_domain::videos::Visibility;
use spool_projections::{Changes, Projections, WaitError};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_query_waits_for_the_position_of_a_command() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Public);
    let partition = story.films[at].id.stream().partition(world.log.partitions());
    world.tell_and_see(&mut story).await;

    let catalogue = world.projections.catalogue();
    let token = BTreeMap::from([(partition, world.log.head(partition) + 1)]);
    let too_early = catalogue.wait_for(&token, Duration::from_millis(20)).await;
    assert_eq!(too_early, Err(WaitError::TimedOut { view: "catalogue" }));

    let waiting = tokio::spawn({
        let (projections, token) = (world.projections.clone(), token.clone());
        async move { projections.wait_for("catalogue", &token, SOON).await }
    });
    story.claim(at);
    world.tell(&mut story).await;
    assert_eq!(waiting.await.expect("it does not panic"), Ok(()));
    let unknown = world.projections.wait_for("nothing", &token, SOON).await;
    assert_eq!(unknown, Err(WaitError::UnknownView("nothing".into())));
}

#[tokio::test]
async fn readers_are_told_which_videos_changed_once_they_can_be_read() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    world.tell_and_see(&mut story).await;
    let catalogue = world.projections.catalogue();
    let (mut changes, mut generations) = (catalogue.changes(), catalogue.watch());
    let before = catalogue.generation();

    let at = story.upload(1, owner, Visibility::Public);
    let id = story.films[at].id;
    world.tell(&mut story).await;
    let told = tokio::time::timeout(SOON, changes.recv())
        .await
        .expect("it comes")
        .expect("nobody lags");
    assert_eq!(*told, Changes::Keys(vec![id.to_string()]));
    assert!(catalogue.video(id).expect("the view answers").is_some());
    tokio::time::timeout(SOON, generations.wait_for(|generation| *generation > before))
        .await
        .expect("it comes")
        .expect("the views live");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waited_for_the_rows_finds_the_change_told_already() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    world.tell_and_see(&mut story).await;
    let catalogue = world.projections.catalogue();
    let mut changes = catalogue.changes();
    for turn in 0..200 {
        let at = story.upload(turn, owner, Visibility::Public);
        let id = story.films[at].id;
        world.tell(&mut story).await;
        let partition = id.stream().partition(world.log.partitions());
        let token = BTreeMap::from([(partition, world.log.head(partition))]);
        let waited = catalogue.wait_for(&token, SOON).await;
        assert_eq!(waited, Ok(()));
        let mut told = vec![];
        while let Ok(next) = changes.try_recv() {
            told.push(next);
        }
        let is_told =
            |changes: &Changes| matches!(changes, Changes::Keys(keys) if keys.contains(&id.to_string()));
        assert!(
            told.iter().any(|changes| is_told(changes)),
            "turn {turn}: {told:?}"
        );
    }
}

#[tokio::test]
async fn what_was_seen_is_seen_again_after_a_stop_at_any_moment() {
    let (mut world, mut story) = (World::new(), Story::new());
    for seed in 1..=30 {
        let owner = story.register(seed);
        let at = story.upload(seed, owner, Visibility::Public);
        story.claim(at);
        story.report(
            at,
            vec![Fact::Probed(film(10_000)), Fact::RenditionStarted(rung(360))],
        );
        world.tell(&mut story).await;
        if seed % 3 == 0 {
            world.restart().await;
        }
    }
    world.caught_up().await;
    let counts = world.projections.jobs().counts().expect("the view answers");
    assert_eq!((counts.running, counts.pending), (30, 0));
    world.rows_are_a_refold().await;
}

#[tokio::test]
async fn dropping_the_last_handle_gives_the_log_back() {
    let (world, mut story) = (World::new(), Story::new());
    story.register(1);
    world.tell_and_see(&mut story).await;
    let World {
        dir,
        log,
        projections,
    } = world;
    let other = projections.clone();
    drop(projections);
    assert_eq!(other.status().len(), Projections::VIEWS.len());
    crate::world::blocking(&other, Projections::end_writing).await;
    drop(other);
    log.close();
    let mut config = spool_log::Config::new(dir.path().join("log"));
    config.partitions = 4;
    assert!(spool_log::Log::open(config).is_ok());
}

/// Loose on purpose, because machines that run tests are busy: it is some milliseconds when nothing else runs.
#[tokio::test]
async fn an_idle_view_shows_a_commit_at_once() {
    let (world, mut story) = (World::new(), Story::new());
    let mut slowest = Duration::ZERO;
    for seed in 1..=20 {
        story.register(seed);
        world.tell(&mut story).await;
        let appended = Instant::now();
        world.caught_up().await;
        slowest = slowest.max(appended.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
