//! What follows by itself: videos of uploads, jobs of videos; once, however often the managers read it.

use crate::given::{ask, claim, delete, fresh, job, receive, registered, video};
use crate::world::{World, until};
use spool_domain::ids::UploadId;
use spool_domain::jobs::{Job, Stage};
use spool_domain::videos::Video;
use std::time::{Duration, Instant};

async fn uploaded(world: &World, number: u64) {
    let stream = UploadId::of(video(number)).stream();
    world
        .commands
        .give(stream, receive(number), fresh())
        .await
        .expect("accepted");
}

async fn stage(world: &World, number: u64) -> Option<Stage> {
    match world
        .commands
        .state::<Job>(job(number).stream())
        .await
        .expect("readable")
        .0
    {
        Job::Nothing => None,
        Job::Known(job) => Some(job.stage),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_gateway_died_becomes_a_video_with_a_job() {
    let mut world = World::new();
    for number in 0..20 {
        uploaded(&world, number).await;
    }
    world.restart().await;
    world.run_managers();
    world.managers_are_done().await;
    for number in 0..20 {
        let (state, _) = world
            .commands
            .state::<Video>(video(number).stream())
            .await
            .expect("readable");
        assert!(matches!(state, Video::Existing(video) if video.upload.is_some()));
        assert!(matches!(stage(&world, number).await, Some(Stage::Waiting { .. })));
    }
    assert_eq!(world.state_is_the_refold().await.facts.len(), 3 * 20);
    world.stop_running().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_video_stops_its_job() {
    let mut world = World::new();
    world.run_managers();
    for number in 0..3 {
        uploaded(&world, number).await;
    }
    world.managers_are_done().await;
    world
        .commands
        .give(job(1).stream(), claim("worker"), fresh())
        .await
        .expect("accepted");
    for number in 0..2 {
        world
            .commands
            .give(video(number).stream(), delete(), fresh())
            .await
            .expect("accepted");
    }
    world.managers_are_done().await;
    assert_eq!(stage(&world, 0).await, Some(Stage::Cancelled));
    assert_eq!(stage(&world, 1).await, Some(Stage::Cancelled));
    assert!(matches!(stage(&world, 2).await, Some(Stage::Waiting { .. })));
    world.stop_running().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_deleted_before_anybody_looked_gets_no_job() {
    let mut world = World::new();
    uploaded(&world, 1).await;
    world
        .commands
        .give(video(1).stream(), crate::given::create(1), fresh())
        .await
        .expect("accepted");
    world
        .commands
        .give(video(1).stream(), delete(), fresh())
        .await
        .expect("accepted");
    world.run_managers();
    world.managers_are_done().await;
    assert!(matches!(stage(&world, 1).await, None | Some(Stage::Cancelled)));
    world.stop_running().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_that_begin_again_change_nothing() {
    let mut world = World::new();
    world.run_managers();
    for number in 0..30 {
        uploaded(&world, number).await;
        let names = (format!("p{number}@x.example"), format!("p{number}"));
        let person = registered(&world.keys, &names.0, &names.1);
        let account = crate::given::account(number);
        world
            .commands
            .register(account, person, &ask(number, "aa"))
            .await
            .expect("registered");
    }
    world.managers_are_done().await;
    for number in 0..10 {
        world
            .commands
            .give(video(number).stream(), delete(), fresh())
            .await
            .expect("accepted");
        // What the manager asked for once must not come again after somebody wanted otherwise.
        until("the job was stopped", async || {
            stage(&world, number).await == Some(Stage::Cancelled)
        })
        .await;
        let restart = spool_domain::jobs::Command::Restart {
            by: crate::given::owner(),
        };
        world
            .commands
            .give(job(number).stream(), restart, fresh())
            .await
            .expect("accepted");
    }
    world.managers_are_done().await;
    let there = world.commits();
    for snapshots in [true, false] {
        if snapshots {
            world.write_snapshots().await;
        }
        world
            .restart_after(|dir| {
                std::fs::remove_dir_all(dir.join("tables/managers")).expect("there are checkpoints");
                if !snapshots {
                    std::fs::remove_dir_all(dir.join("tables/snapshots")).expect("there are snapshots");
                }
            })
            .await;
        world.run_managers();
        world.managers_are_done().await;
        assert_eq!(world.commits(), there);
        assert!(matches!(stage(&world, 3).await, Some(Stage::Waiting { .. })));
    }
    world.state_is_the_refold().await;
    world.stop_running().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_no_room_follows_when_there_is_some() {
    let disk = crate::room::Disk::default();
    let mut world = World::configured(|config| disk.inject(config));
    for number in 0..10 {
        uploaded(&world, number).await;
    }
    disk.fill();
    world.run_managers();
    until("every partition was refused", async || disk.refusals() >= 4).await;
    disk.empty();
    world.managers_are_done().await;
    for number in 0..10 {
        assert!(matches!(stage(&world, number).await, Some(Stage::Waiting { .. })));
    }
    assert_eq!(world.state_is_the_refold().await.facts.len(), 3 * 10);
    world.stop_running().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_stop_in_the_middle_of_their_work_and_go_on_later() {
    let mut world = World::new();
    for number in 0..500 {
        crate::cut::poll_once(world.commands.give(
            UploadId::of(video(number)).stream(),
            receive(number),
            fresh(),
        ))
        .await;
    }
    for _ in 0..4 {
        world.run_managers();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let asked = Instant::now();
        world.stop_running().await;
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
    world.restart().await;
    world.run_managers();
    world.managers_are_done().await;
    assert_eq!(world.state_is_the_refold().await.facts.len(), 3 * 500);
    world.stop_running().await;
}
