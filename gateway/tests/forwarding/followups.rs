//! Process managers and timers of several nodes: each is driven by whoever leads its partition, and none by nobody.

use crate::given::{account, fresh, registered};
use crate::history::History;
use crate::world::{Node, PARTITIONS, PATIENCE, Place, until};
use spool_domain::accounts::Account;
use spool_domain::reservations::{self, Holding, PENDING_FOR, Reservation};
use std::time::Duration;
use tokio::task::JoinSet;

const PEOPLE: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn registrations_are_settled_across_partitions_while_these_change_hands() {
    let place = Place::new().await;
    let mut nodes: [Node; 2] = [place.node("one").await, place.node("other").await];
    for node in &mut nodes {
        place.run_followups(node);
    }
    let visitor = place.visitor(PATIENCE).await;
    nodes[0].lead_all().await;
    let mut guests = JoinSet::new();
    for number in 0..PEOPLE {
        let (commands, keys) = (visitor.commands.clone(), place.keys.clone());
        guests.spawn(async move {
            let registered = registered(&keys, &format!("person{number}"));
            let given = commands.register(account(number), registered, &fresh()).await;
            given.expect("registered");
        });
    }
    let mut coups = 0_u16;
    while !guests.is_empty() {
        nodes[usize::from(coups % 2)].log.claim(coups % PARTITIONS);
        coups += 1;
        if let Ok(Some(ended)) = tokio::time::timeout(Duration::from_millis(30), guests.join_next()).await {
            ended.expect("no guest panics");
        }
    }
    for number in 0..PEOPLE {
        let registered = registered(&place.keys, &format!("person{number}"));
        for name in [registered.email, registered.username] {
            until("the name is confirmed", async || {
                let seen = visitor.commands.state::<Reservation>(name.stream()).await;
                let confirmed = Holding::Confirmed {
                    account: account(number),
                };
                seen.is_ok_and(|(place, _)| place.holding == confirmed)
            })
            .await;
        }
        let (state, _) = visitor
            .commands
            .state::<Account>(account(number).stream())
            .await
            .expect("readable");
        assert!(matches!(state, Account::Active(_)));
    }
    // Two names reserved, one registered, two confirmed, each once.
    assert_eq!(History::of(&nodes[0].log).len() as u64, 5 * PEOPLE);
    for node in nodes {
        node.close().await;
    }
    visitor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_timer_that_is_overdue_fires_on_the_node_that_takes_over() {
    let place = Place::new().await;
    let one = place.node("one").await;
    let mut other = place.node("other").await;
    // The first has no timers, as if it had died.
    place.run_followups(&mut other);
    let visitor = place.visitor(PATIENCE).await;
    one.lead_all().await;
    let names: Vec<_> = (0..8)
        .map(|number| registered(&place.keys, &format!("person{number}")).email)
        .collect();
    for name in &names {
        let reserve = reservations::Command::Reserve { account: account(1) };
        let given = visitor.commands.give(name.stream(), reserve, fresh()).await;
        given.expect("reserved");
    }
    place.clock.advance(PENDING_FOR.0 + 1);
    other.lead_all().await;
    for name in &names {
        until("the name is given back", async || {
            let seen = visitor.commands.state::<Reservation>(name.stream()).await;
            seen.is_ok_and(|(place, _)| place.holding == Holding::Free)
        })
        .await;
    }
    for node in [one, other, visitor] {
        node.close().await;
    }
}
