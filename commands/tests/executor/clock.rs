//! Time: it never runs backwards in a partition, and what is due happens, also after a restart.

use crate::given::{LEASE, claim, create, describe, fresh, job, request, video};
use crate::world::{START_MS, World, until};
use spool_domain::jobs::{Job, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn time_stands_still_while_the_clock_runs_backwards() {
    let mut world = World::configured(|config| spool_log::Config {
        partitions: 1,
        ..config
    });
    let stream = video(1).stream();
    world
        .commands
        .give(stream, create(1), fresh())
        .await
        .expect("accepted");
    world.clock.set(START_MS - 3_600_000);
    world
        .commands
        .give(stream, describe("b"), fresh())
        .await
        .expect("accepted");
    world.restart().await;
    world
        .commands
        .give(stream, describe("c"), fresh())
        .await
        .expect("accepted");
    world.write_snapshots().await;
    world.clock.set(0);
    world.restart().await;
    world
        .commands
        .give(video(2).stream(), create(2), fresh())
        .await
        .expect("accepted");
    world.clock.set(START_MS + 5);
    world
        .commands
        .give(stream, describe("d"), fresh())
        .await
        .expect("accepted");
    let times: Vec<i64> = world.history().facts.iter().map(|fact| fact.time_ms).collect();
    assert_eq!(times, [START_MS, START_MS, START_MS, START_MS, START_MS + 5]);
}

async fn claimed_by_a_worker_that_dies(world: &World, number: u64) {
    let stream = job(number).stream();
    world
        .commands
        .give(stream, request(number), fresh())
        .await
        .expect("accepted");
    world
        .commands
        .give(stream, claim("worker"), fresh())
        .await
        .expect("accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_end_by_timer_also_after_a_restart() {
    for snapshots in [false, true] {
        let mut world = World::new();
        for number in 0..40 {
            claimed_by_a_worker_that_dies(&world, number).await;
        }
        if snapshots {
            world.write_snapshots().await;
        }
        // The first attempts were running when the process ended, and their time is over when it starts.
        world.restart().await;
        world.clock.advance(LEASE.0);
        world.run_timers();
        until("all leases have ended", async || world.commits() == 3 * 40).await;
        // The second are claimed while the timers run.
        world.clock.advance(3_600_000);
        for number in 0..40 {
            world
                .commands
                .give(job(number).stream(), claim("other"), fresh())
                .await
                .expect("accepted");
        }
        world.clock.advance(LEASE.0 - 1);
        let (early, _) = world
            .commands
            .state::<Job>(job(7).stream())
            .await
            .expect("readable");
        assert!(matches!(early, Job::Known(job) if matches!(job.stage, Stage::Leased { .. })));
        world.clock.advance(1);
        until("all leases have ended", async || world.commits() == 5 * 40).await;
        let history = world.state_is_the_refold().await;
        for number in 0..40 {
            let expected = [
                "TranscodeRequested",
                "JobClaimed",
                "JobAttemptEnded",
                "JobClaimed",
                "JobAttemptEnded",
            ];
            assert_eq!(history.names(job(number).stream()), expected);
        }
        world.stop_running().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_lease_is_not_ended_by_the_old_timer() {
    let mut world = World::new();
    world.run_timers();
    claimed_by_a_worker_that_dies(&world, 1).await;
    for _ in 0..20 {
        world.clock.advance(LEASE.0 - 1);
        let renew = spool_domain::jobs::Command::Renew {
            attempt: 1,
            lease: LEASE,
        };
        world
            .commands
            .give(job(1).stream(), renew, fresh())
            .await
            .expect("still leased");
    }
    assert_eq!(world.commits(), 22);
    world.clock.advance(LEASE.0);
    until("the lease has ended", async || world.commits() == 23).await;
    world.stop_running().await;
}
