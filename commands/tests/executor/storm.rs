//! Many tasks, few streams, random commands, dropped futures, snapshots and restarts: what was
//! acknowledged is in the log exactly once, and the state is the refold of the log.

use crate::dice::{Dice, seeds};
use crate::given::{
    LEASE, account, ask, claim, create, delete, describe, job, owner, receive, registered, request, video,
};
use crate::history::History;
use crate::world::World;
use spool_commands::{AnyCommand, Commands, Outcome};
use spool_domain::ids::{AccountId, SessionId, StreamId, UploadId};
use spool_domain::time::{Millis, Timestamp};
use spool_domain::{accounts, jobs, reservations};
use spool_platform::clock::Clock;
use spool_platform::keys::Keys;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const TASKS: u64 = 64;
/// Keys that are used again by whoever comes.
const KEYS: u64 = 400;

/// What was answered to each key the first time, and must be for ever.
pub type Answers = Arc<Mutex<HashMap<u64, Outcome>>>;

#[derive(Clone)]
pub struct Guest {
    /// Of every node there is.
    pub nodes: Vec<Commands>,
    pub keys: Keys,
    pub clock: Clock,
    pub answers: Answers,
}

/// The command belongs to the key, so whoever uses the key asks the same.
fn command_of(key: u64, keys: &Keys) -> (StreamId, AnyCommand) {
    let mut dice = Dice::new(key);
    let number = dice.below(5);
    let (title, attempt) = (format!("title {}", dice.below(3)), dice.below(3) as u32 + 1);
    let person = registered(keys, &format!("{number}@x.example"), "name");
    let reserve = reservations::Command::Reserve {
        account: account(number),
    };
    match dice.below(16) {
        0 => (UploadId::of(video(number)).stream(), receive(number).into()),
        1 | 2 => (video(number).stream(), create(number).into()),
        3..=5 => (video(number).stream(), describe(&title).into()),
        6 if dice.one_in(4) => (video(number).stream(), delete().into()),
        6 | 7 => (job(number).stream(), request(number).into()),
        8 | 9 => (job(number).stream(), claim(&title).into()),
        10 => (
            job(number).stream(),
            jobs::Command::Renew {
                attempt,
                lease: LEASE,
            }
            .into(),
        ),
        11 => (job(number).stream(), jobs::Command::Cancel { by: owner() }.into()),
        12 => (
            job(number).stream(),
            jobs::Command::Restart { by: owner() }.into(),
        ),
        13 => (person.email.stream(), reserve.into()),
        14 => (
            account(number).stream(),
            accounts::Command::Register(person).into(),
        ),
        _ => {
            let (session, expires_at) = (SessionId(Uuid::from_u128(dice.below(4).into())), Timestamp::MAX);
            let start = accounts::Command::StartSession {
                session,
                expires_at,
                client: None,
            };
            (account(number).stream(), start.into())
        }
    }
}

impl Guest {
    pub async fn stay(self, mut dice: Dice) {
        for _ in 0..40 {
            if dice.one_in(30) {
                self.clock.advance(dice.below(LEASE.0 as u64) as i64 - 5_000);
            }
            let key = dice.below(KEYS);
            let (stream, command) = command_of(key, &self.keys);
            let node = &self.nodes[dice.below(self.nodes.len() as u64) as usize];
            if dice.one_in(8) {
                crate::cut::poll_once(node.give(stream, command, ask(key, "aa"))).await;
                continue;
            }
            let given = node.give(stream, command, ask(key, "aa")).await;
            if let Ok(outcome) = given
                && outcome.position.is_some()
            {
                self.note(key, outcome);
            }
        }
    }

    fn note(&self, key: u64, outcome: Outcome) {
        let mut answers = self.answers.lock().expect("no panic");
        let first = answers.entry(key).or_insert_with(|| outcome.clone());
        assert_eq!(
            (first.stream, first.version, first.position, &first.events),
            (outcome.stream, outcome.version, outcome.position, &outcome.events),
            "key {key} got another answer"
        );
    }
}

async fn storm(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut world = World::new();
    let answers = Answers::default();
    for _ in 0..6 {
        if dice.one_in(2) {
            world.run_all();
        }
        let mut guests = JoinSet::new();
        for _ in 0..TASKS {
            let guest = Guest {
                nodes: vec![world.commands.clone()],
                keys: world.keys.clone(),
                clock: world.clock.clone(),
                answers: Arc::clone(&answers),
            };
            guests.spawn(guest.stay(Dice::new(dice.next())));
        }
        for _ in 0..dice.below(4) {
            world.write_snapshots().await;
        }
        tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
        // The door closes on whoever is still in it.
        let commands = world.commands.clone();
        match dice.below(4) {
            0 => while guests.join_next().await.is_some_and(|ended| ended.is_ok()) {},
            1 => guests.abort_all(),
            _ => commands.log().clone().close(),
        }
        if dice.one_in(3) {
            world.restart_without_snapshots().await;
        } else {
            world.restart().await;
        }
        while let Some(ended) = guests.join_next().await {
            assert!(!ended.is_err_and(|error| error.is_panic()), "a guest panicked");
        }
        check(&world, &answers).await;
    }
    // Millis is what leases are measured in; after all of it the timers have the last word.
    world.clock.advance(Millis(3 * LEASE.0).0);
    world.run_all();
    world.managers_are_done().await;
    world.stop_running().await;
    check(&world, &answers).await;
}

async fn check(world: &World, answers: &Answers) {
    let history = world.state_is_the_refold().await;
    all_are_there(&history, answers);
}

/// Each answer is a commit of the history.
pub fn all_are_there(history: &History, answers: &Answers) {
    let by_command: HashMap<Uuid, _> = history.facts.iter().map(|fact| (fact.command, fact)).collect();
    for (key, outcome) in answers.lock().expect("no panic").iter() {
        let fact = by_command
            .get(&ask(*key, "").command)
            .unwrap_or_else(|| panic!("key {key} was acknowledged and is not there"));
        assert_eq!(
            (
                fact.stream,
                fact.version,
                Some((fact.partition, fact.offset)),
                &fact.events
            ),
            (outcome.stream, outcome.version, outcome.position, &outcome.events)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_is_in_the_log_once_whatever_happens() {
    for seed in seeds(5) {
        storm(seed).await;
    }
}

#[test]
fn the_guests_know_ids_that_lie_in_several_partitions() {
    let partitions: std::collections::BTreeSet<u16> = (0..5)
        .map(|number| AccountId(account(number).0).stream().partition(4))
        .collect();
    assert!(partitions.len() > 1, "{partitions:?}");
}
