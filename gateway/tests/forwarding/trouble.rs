//! Answers that get lost, nodes that say nothing, and nobody who leads.

use crate::given::{ask, create, describe, fresh, video};
use crate::history::History;
use crate::world::{PATIENCE, Place, close, lead_all, listener, until, url};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use spool_commands::CommandError;
use spool_domain::videos::Video;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_whose_answer_was_lost_is_given_again_and_happens_once() {
    let place = Place::new().await;
    let passed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&passed);
    // Each command is taken, and of its answers only the third arrives.
    let node = place
        .node_behind("one", move |routes| {
            routes.layer(from_fn(move |request: Request, next: Next| {
                let passed = Arc::clone(&counted);
                async move {
                    let answer: Response = next.run(request).await;
                    match passed.fetch_add(1, Ordering::Relaxed) % 3 {
                        2 => answer,
                        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                    }
                }
            }))
        })
        .await;
    let visitor = place.visitor(PATIENCE).await;
    node.lead_all().await;
    for number in 0..5 {
        // Also a question that nobody else will repeat.
        for ask in [ask(number), fresh()] {
            let given = if ask.request.is_some() {
                create(number)
            } else {
                describe("another title")
            };
            let outcome = visitor
                .commands
                .give(video(number).stream(), given, ask.clone())
                .await
                .expect("accepted");
            assert!(outcome.repeated && !outcome.events.is_empty());
            History::of(&node.log).has(ask.command, &outcome);
        }
    }
    assert_eq!(History::of(&node.log).len(), 10);
    assert!(
        passed.load(Ordering::Relaxed) >= 30,
        "answers arrived that were to be lost"
    );
    node.close().await;
    visitor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_for_a_node_that_says_nothing_is_answered_by_the_next_leader() {
    let place = Place::new().await;
    let node = place.node("one").await;
    let visitor = place.visitor(PATIENCE).await;
    // It takes connections and never answers.
    let silent = listener().await;
    let (_dir, its_log) = place.open("silent", &url(&silent)).await;
    lead_all(&its_log).await;
    until("the visitor has heard who leads", async || {
        visitor.log.owner(0).is_some_and(|owner| owner.node == "silent")
            && (0..crate::world::PARTITIONS).all(|partition| visitor.log.owner(partition).is_some())
    })
    .await;
    let (commands, stream) = (visitor.commands.clone(), video(1).stream());
    let giving = tokio::spawn(async move { commands.give(stream, create(1), ask(1)).await });
    let (connection, _) = silent.accept().await.expect("the command comes");
    node.lead_all().await;
    let given = giving.await.expect("giving does not panic").expect("accepted");
    assert!(!given.repeated);
    History::of(&node.log).has(ask(1).command, &given);
    drop(connection);
    close(its_log).await;
    node.close().await;
    visitor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_nobody_answers_the_time_runs_out_and_then_it_is_said() {
    let place = Place::new().await;
    let deadline = Duration::from_millis(400);
    let visitor = place.visitor(deadline).await;
    let stream = video(1).stream();
    let began = Instant::now();
    let given = visitor.commands.give(stream, create(1), ask(1)).await;
    assert!(matches!(given, Err(CommandError::Unavailable(_))), "{given:?}");
    let seen = visitor.commands.state::<Video>(stream).await;
    assert!(matches!(seen, Err(CommandError::Unavailable(_))), "{seen:?}");
    let took = began.elapsed();
    assert!(took >= 2 * deadline && took < 20 * deadline, "{took:?}");

    // One that is gone: its port takes no connections.
    let gone = listener().await;
    let (_dir, its_log) = place.open("gone", &url(&gone)).await;
    drop(gone);
    lead_all(&its_log).await;
    let given = visitor.commands.give(stream, create(1), ask(1)).await;
    assert!(matches!(given, Err(CommandError::Unavailable(_))), "{given:?}");
    close(its_log).await;
    visitor.close().await;
}
