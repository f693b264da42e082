//! The topics follow the log: all of it, in order, once where nothing happened and recognisably again where it did.

use crate::published::compare;
use crate::story::Story;
use crate::world::{World, films};
use spool_projections::publisher::public::{Topic, public_types};
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_public_event_arrives_once_and_in_order() {
    let (world, mut story) = (World::new().await, Story::new());
    films(&mut story, 10, 1_000);
    world.tell(&mut story).await;
    let running = world.publish();
    films(&mut story, 10, 2_000);
    world.tell(&mut story).await;
    let published = world.all_published().await;
    assert_eq!(compare(&published, &world.expected()), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_nothing_is_repeated() {
    let (world, mut story) = (World::new().await, Story::new());
    for round in 1..4 {
        films(&mut story, 5, round * 1_000);
        world.tell(&mut story).await;
        let running = world.publish();
        world.all_published().await;
        running.stop().await;
    }
    assert_eq!(compare(&world.published().await, &world.expected()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_anywhere_it_goes_on_without_a_gap() {
    let (world, mut story) = (World::new().await, Story::new());
    let mut in_the_middle = 0;
    films(&mut story, 1_500, 10_000);
    world.tell(&mut story).await;
    let wanted = world.expected();
    for round in 0..12 {
        let end = world.end_of(Topic::Jobs, round % 4).await;
        let running = world.publish();
        // One partition moves: the others are somewhere, and something of each is on its way.
        let moved = end.moved().await;
        running.cut_off().await;
        let written: BTreeSet<String> = world
            .published()
            .await
            .into_iter()
            .map(|event| event.id)
            .collect();
        in_the_middle += usize::from(written.len() < wanted.len());
        if !moved {
            break;
        }
    }
    println!("{in_the_middle} cuts were in the middle of writing");
    let running = world.publish();
    let published = world.all_published().await;
    let repeats = compare(&published, &wanted);
    println!("{} events, {repeats} of them written again", wanted.len());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_publishers_at_once_only_make_repeats() {
    let (world, mut story) = (World::new().await, Story::new());
    films(&mut story, 10, 1_000);
    world.tell(&mut story).await;
    let (one, other) = (world.publish(), world.publish());
    for round in 2..5 {
        films(&mut story, 10, round * 1_000);
        world.tell(&mut story).await;
    }
    world.all_published().await;
    one.cut_off().await;
    films(&mut story, 10, 9_000);
    world.tell(&mut story).await;
    world.all_published().await;
    other.stop().await;
    compare(&world.published().await, &world.expected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_a_cloud_event_with_a_body_as_published() {
    let (world, mut story) = (World::new().await, Story::new());
    films(&mut story, 4, 1_000);
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for commit in &mut story.commits {
        commit.cause.traceparent = Some(traceparent.to_owned());
    }
    world.tell(&mut story).await;
    let running = world.publish();
    let published = world.all_published().await;
    running.stop().await;

    let schemas: BTreeMap<String, jsonschema::Validator> = public_types()
        .iter()
        .map(|kind| {
            (
                kind.schema_id(),
                jsonschema::validator_for(&kind.json_schema()).expect("a schema"),
            )
        })
        .collect();
    for event in &published {
        let headers = &event.headers;
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["ce_specversion"], "1.0");
        assert!(
            headers["ce_source"].starts_with("urn:spool:public-"),
            "{headers:?}"
        );
        assert_eq!(
            headers["ce_subject"],
            headers["ce_id"].split('@').next().expect("a stream")
        );
        assert!(headers["ce_subject"].ends_with(&event.key));
        assert!(headers["ce_time"].ends_with('Z'), "{headers:?}");
        assert_eq!(
            (
                headers["traceparent"].as_str(),
                headers["ce_traceparent"].as_str()
            ),
            (traceparent, traceparent)
        );
        assert_eq!(headers["spool_log_partition"], event.partition.to_string());
        let body = serde_json::from_slice(&event.body).expect("it is JSON");
        let schema = &schemas[&headers["ce_dataschema"]];
        assert!(schema.is_valid(&body), "{}: {body}", headers["ce_dataschema"]);
    }
}
