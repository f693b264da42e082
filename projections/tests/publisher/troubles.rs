//! Kafka away, topics missing, topics of somebody else: the publisher waits, says so, and goes on by itself.

use crate::published::compare;
use crate::story::Story;
use crate::world::{World, films};
use spool_services::{Brokers, Kafka};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_kafka_is_away_events_wait_in_the_log() {
    let broker = tokio::task::spawn_blocking(|| Kafka::start(Brokers::One)).await;
    let mut broker = broker.expect("it does not panic").expect("a broker starts");
    let (world, mut story) = (World::on(&broker), Story::new());
    world.make_topics().await;
    films(&mut story, 5, 1_000);
    world.tell(&mut story).await;
    let running = world.publish();
    world.all_published().await;

    broker.kill(1).expect("it runs");
    films(&mut story, 100, 2_000);
    world.tell(&mut story).await;
    let broker = tokio::task::spawn_blocking(move || {
        broker.restart(1).expect("it starts again");
        broker
    });
    let broker = broker.await.expect("it does not panic");
    films(&mut story, 5, 3_000);
    world.tell(&mut story).await;
    let published = world.all_published().await;
    compare(&published, &world.expected());
    running.stop().await;
    tokio::task::spawn_blocking(move || drop(broker))
        .await
        .expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_made_later_are_filled() {
    let (world, mut story) = (World::without_topics().await, Story::new());
    films(&mut story, 3, 1_000);
    world.tell(&mut story).await;
    let running = world.publish();
    world.make_topics().await;
    let published = world.all_published().await;
    assert_eq!(compare(&published, &world.expected()), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_of_another_log_are_left_alone() {
    let (world, mut story) = (World::new().await, Story::new());
    films(&mut story, 5, 1_000);
    world.tell(&mut story).await;
    let running = world.publish();
    let before = world.all_published().await;
    running.stop().await;

    let (other, mut story) = (world.with_another_log(), Story::new());
    films(&mut story, 20, 7_000);
    other.tell(&mut story).await;
    let told = other
        .publisher()
        .trouble()
        .await
        .expect("it must not write there");
    assert!(
        told.contains("is not about this log") && told.contains("kafka.topic_prefix"),
        "{told}"
    );
    assert_eq!(world.published().await.len(), before.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_missing_are_told_with_what_to_do() {
    let world = World::without_topics().await;
    let told = world.publisher().trouble().await.expect("there are no topics");
    assert!(
        told.contains("video-events") && told.contains("spool topics ensure"),
        "{told}"
    );
    world.make_topics().await;
    assert_eq!(world.publisher().trouble().await, None);
}
