//! Futures that are dropped half-way: what was decided happens, once, and nothing is left behind.

use crate::given::{ask, create, describe, fresh, video};
use crate::room::Disk;
use crate::world::{World, until};
use spool_domain::ids::AccountId;
use spool_domain::reservations::Command;
use spool_domain::videos::Video;
use std::future::Future;

/// Runs `future` up to its first wait and drops it.
pub async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        answer = future => Some(answer),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waited_for_is_there_once() {
    let mut world = World::new();
    for number in 0..200 {
        poll_once(
            world
                .commands
                .give(video(number).stream(), create(number), ask(number, "aa")),
        )
        .await;
    }
    for number in 0..200 {
        let stream = video(number).stream();
        let again = world
            .commands
            .give(stream, create(number), ask(number, "aa"))
            .await;
        assert!(again.expect("it was accepted").repeated);
    }
    world.restart().await;
    assert_eq!(world.state_is_the_refold().await.facts.len(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waited_for_and_had_no_room_is_nowhere() {
    let disk = Disk::default();
    let world = World::configured(|config| disk.inject(config));
    let stream = video(1).stream();
    world
        .commands
        .give(stream, create(1), fresh())
        .await
        .expect("accepted");
    disk.fill();
    for n in 0..20 {
        poll_once(
            world
                .commands
                .give(stream, describe(&format!("lost {n}")), ask(n, "aa")),
        )
        .await;
    }
    // Whoever looks now may see what was there before, and nothing else.
    let seen = world.commands.state::<Video>(stream).await;
    assert!(seen.is_err() || seen.is_ok_and(|(_, version)| version == 2));
    disk.empty();
    until("the state is without them", async || {
        matches!(world.commands.state::<Video>(stream).await, Ok((_, 2)))
    })
    .await;
    let again = world
        .commands
        .give(stream, describe("kept"), ask(3, "aa"))
        .await
        .expect("accepted");
    assert!(!again.repeated);
    assert_eq!(world.state_is_the_refold().await.facts.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_survives_a_commit_that_came_to_nothing() {
    let disk = Disk::default();
    let mut world = World::configured(|config| disk.inject(config));
    let account = AccountId(video(1).0);
    let place = crate::given::registered(&world.keys, "a@b.example", "a")
        .email
        .stream();
    world
        .commands
        .give(place, Command::Reserve { account }, fresh())
        .await
        .expect("accepted");
    world.run_timers();
    disk.fill();
    // It would end the timer, and nobody hears that it failed.
    poll_once(world.commands.give(place, Command::Confirm { account }, fresh())).await;
    until("the log has refused it", async || disk.refusals() > 0).await;
    disk.empty();
    world.clock.advance(61_000);
    until("the reservation has lapsed", async || world.commits() == 2).await;
    assert_eq!(
        world.state_is_the_refold().await.names(place),
        ["NameReserved", "NameReservationLapsed"]
    );
    world.stop_running().await;
}
