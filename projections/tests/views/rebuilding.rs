//! A new version is filled beside the one that serves, and takes over in one step.

use crate::story::{Story, film, rung, segments};
use crate::world::{World, blocking, tables};
use spool_domain::jobs::Fact;
use spool_domain::videos::Visibility;
use spool_projections::{Changes, Phase, Projections, RebuildError};
use std::fs;

/// Some films, the last of them half done.
fn tell_of_films(story: &mut Story, from: u128, count: u128) {
    for seed in from..from + count {
        let owner = story.register(seed);
        let at = story.upload(seed, owner, Visibility::Public);
        story.claim(at);
        story.report(
            at,
            vec![Fact::Probed(film(10_000)), Fact::RenditionStarted(rung(360))],
        );
        story.publish(at, "360p", &segments(3, 10_000));
        if seed % 2 == 0 {
            story.complete(at, 10_000);
        }
    }
}

fn serving(world: &World, view: &str) -> Option<u32> {
    let status = world
        .projections
        .status()
        .into_iter()
        .find(|status| status.name == view);
    status.expect("the view is there").version
}

/// Until `version` of the queue answers.
async fn jobs_switched(world: &World, version: u32) {
    let mut generations = world.projections.jobs().watch();
    while serving(world, "jobs") != Some(version) {
        generations.changed().await.expect("the views live");
    }
}

fn completed(projections: &Projections) -> u64 {
    projections
        .jobs()
        .counts()
        .expect("the view answers throughout")
        .completed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_version_takes_over_with_the_same_rows() {
    let (mut world, mut story) = (World::new(), Story::new());
    tell_of_films(&mut story, 1, 40);
    world.tell_and_see(&mut story).await;
    let mut changes = world.projections.catalogue().changes();
    for view in Projections::VIEWS {
        let rebuild = world.projections.rebuild(view).expect("it starts");
        let progress = rebuild.progress();
        assert_eq!(rebuild.finished().await.expect("it ends well"), 2, "{view}");
        assert_eq!(progress.borrow().phase, Phase::Done);
        assert_eq!(serving(&world, view), Some(2));
    }
    assert_eq!(*changes.recv().await.expect("nobody lags"), Changes::All);
    world.rows_are_a_refold().await;

    world.restart().await;
    assert_eq!(serving(&world, "catalogue"), Some(2), "the log says so");
    tell_of_films(&mut story, 50, 5);
    world.tell_and_see(&mut story).await;
    world.rows_are_a_refold().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_answered_and_never_go_back_while_a_view_is_rebuilt() {
    let (world, mut story) = (World::new(), Story::new());
    tell_of_films(&mut story, 1, 60);
    world.tell_and_see(&mut story).await;
    let reader = std::thread::spawn({
        let projections = world.projections.clone();
        move || {
            let mut highest = completed(&projections);
            while projections.status()[2].version < Some(3) {
                let now = completed(&projections);
                assert!(now >= highest, "{now} after {highest}");
                highest = now;
            }
        }
    });
    for seed in [100, 200] {
        let rebuild = world.projections.rebuild("jobs").expect("it starts");
        tell_of_films(&mut story, seed, 40);
        world.tell(&mut story).await;
        rebuild.finished().await.expect("it ends well");
    }
    blocking(&world.projections, |_| {
        reader.join().expect("what was seen stays seen")
    })
    .await;
    world.caught_up().await;
    assert_eq!(completed(&world.projections), 30 + 20 + 20);
    world.rows_are_a_refold().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_older_version_is_kept_and_fed_for_a_way_back() {
    let (mut world, mut story) = (World::new(), Story::new());
    tell_of_films(&mut story, 1, 4);
    world.tell_and_see(&mut story).await;
    for version in 2..=3 {
        let rebuild = world.projections.rebuild("jobs").expect("it starts");
        assert_eq!(rebuild.finished().await.expect("it ends well"), version);
    }
    let on_disk = |world: &World| {
        let tables = tables(&world.dir);
        tables.versions("jobs_r1").expect("it can be listed")
    };
    assert_eq!(on_disk(&world), [2, 3]);

    tell_of_films(&mut story, 10, 4);
    story.switched("jobs", 2, 100);
    world.tell_and_see(&mut story).await;
    jobs_switched(&world, 2).await;
    assert_eq!(
        (serving(&world, "jobs"), completed(&world.projections)),
        (Some(2), 4)
    );
    world.rows_are_a_refold().await;
    world.restart().await;
    assert_eq!(
        on_disk(&world),
        [2],
        "what the log has turned away from goes at the next start"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_has_one_rebuild_at_a_time_and_unknown_ones_none() {
    let (world, mut story) = (World::new(), Story::new());
    tell_of_films(&mut story, 1, 200);
    world.tell_and_see(&mut story).await;
    let first = world.projections.rebuild("catalogue").expect("it starts");
    let second = world.projections.rebuild("catalogue");
    assert!(matches!(
        second.err(),
        Some(RebuildError::AlreadyRunning("catalogue"))
    ));
    assert!(matches!(
        world.projections.rebuild("x").err(),
        Some(RebuildError::UnknownView(_))
    ));
    first.finished().await.expect("it ends well");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_lost_are_made_from_the_log_at_start() {
    let (mut world, mut story) = (World::new(), Story::new());
    tell_of_films(&mut story, 1, 20);
    world.tell_and_see(&mut story).await;
    let losses: [fn(&std::path::Path); 2] = [
        |dir| fs::remove_dir_all(dir.join("tables")).expect("it can be removed"),
        |dir| fs::write(dir.join("tables/jobs_r1/v1.db"), b"not a database").expect("it can be written"),
    ];
    for lose in losses {
        world.stop_and(|dir| lose(dir.path())).await;
        world.caught_up().await;
        assert_eq!(completed(&world.projections), 10);
        world.rows_are_a_refold().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_stopped_leaves_the_old_version_and_no_rubbish() {
    let (mut world, mut story) = (World::new(), Story::new());
    tell_of_films(&mut story, 1, 100);
    world.tell_and_see(&mut story).await;
    let rebuild = world.projections.rebuild("catalogue").expect("it starts");
    world.restart().await;
    let version = rebuild.finished().await.unwrap_or(1);
    world.caught_up().await;
    // The switch may have been recorded just before the stop.
    assert!(serving(&world, "catalogue") >= Some(version));
    world.rows_are_a_refold().await;
}
