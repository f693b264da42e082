//! Partitions that change hands under load: every command is acknowledged all the same, and is in the log once.

use crate::given::{create, describe, fresh, video};
use crate::history::History;
use crate::world::{Node, PARTITIONS, PATIENCE, Place};
use spool_commands::{Commands, Outcome};
use spool_domain::videos::Video;
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const GUESTS: u64 = 24;
const COMMANDS_EACH: u64 = 25;
const VIDEOS: u64 = 6;

/// Gives commands one after the other through whichever node comes next, and takes no failure for an answer.
async fn stay(nodes: Vec<Commands>, guest: u64) -> Vec<(Uuid, Outcome)> {
    let mut acknowledged = Vec::new();
    for number in 0..COMMANDS_EACH {
        let node = &nodes[usize::try_from((guest + number) % nodes.len() as u64).expect("an index")];
        let (stream, ask) = (video((guest + number) % VIDEOS).stream(), fresh());
        let title = format!("title {number} of {guest}");
        let given = node.give(stream, describe(&title), ask.clone()).await;
        acknowledged.push((ask.command, given.expect("acknowledged in the end")));
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_command_is_acknowledged_once_while_partitions_change_hands() {
    let place = Place::new().await;
    let nodes: [Node; 3] = [
        place.node("one").await,
        place.node("other").await,
        place.visitor(PATIENCE).await,
    ];
    nodes[0].lead_all().await;
    for number in 0..VIDEOS {
        let given = nodes[2]
            .commands
            .give(video(number).stream(), create(number), fresh())
            .await;
        given.expect("accepted");
    }
    let mut guests = JoinSet::new();
    for guest in 0..GUESTS {
        let nodes = nodes.iter().map(|node| node.commands.clone()).collect();
        guests.spawn(stay(nodes, guest));
    }
    let (mut acknowledged, mut coups) = (Vec::new(), 0_u16);
    while !guests.is_empty() {
        let usurper = &nodes[usize::from(coups / PARTITIONS % 2)];
        usurper.log.claim(coups % PARTITIONS);
        coups += 1;
        let ended = tokio::time::timeout(Duration::from_millis(40), guests.join_next()).await;
        if let Ok(Some(ended)) = ended {
            acknowledged.extend(ended.expect("no guest panics"));
        }
    }
    assert_eq!(acknowledged.len() as u64, GUESTS * COMMANDS_EACH);
    assert!(coups > 10, "the guests were gone before anything changed hands");
    nodes[1].lead_all().await;
    let history = History::of(&nodes[1].log);
    for (command, outcome) in &acknowledged {
        history.has(*command, outcome);
    }
    assert_eq!(history.len() as u64, VIDEOS + GUESTS * COMMANDS_EACH);
    // All see the same in the end.
    for number in 0..VIDEOS {
        let stream = video(number).stream();
        let seen = nodes[1].commands.state::<Video>(stream).await.expect("it leads");
        for node in [&nodes[0], &nodes[2]] {
            assert_eq!(node.commands.state(stream).await, Ok(seen.clone()));
        }
    }
    for node in nodes {
        node.close().await;
    }
}
