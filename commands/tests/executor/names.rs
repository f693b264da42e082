//! Names belong to one account: whoever races for them, and wherever a registration is cut off.

use crate::dice::{Dice, seeds};
use crate::given::{account, ask, fresh, registered};
use crate::world::{World, until};
use spool_commands::accounts::{RegisterError, email_place};
use spool_domain::accounts::{Account, Registered};
use spool_domain::ids::{AccountId, ReservationId};
use spool_domain::reservations::{Command, Holding, Reservation};
use std::collections::HashMap;

pub async fn place(world: &World, place: ReservationId) -> Holding {
    world
        .commands
        .state::<Reservation>(place.stream())
        .await
        .expect("readable")
        .0
        .holding
}

async fn is_active(world: &World, account: AccountId) -> bool {
    let (state, _) = world
        .commands
        .state::<Account>(account.stream())
        .await
        .expect("readable");
    matches!(state, Account::Active(_))
}

/// Every name and identity is free or confirmed, and confirmed ones are of active accounts that say so themselves.
pub async fn check_names(world: &World) {
    let history = world.state_is_the_refold().await;
    let mut holders = HashMap::new();
    for stream in history.streams.keys() {
        if stream.feature == spool_domain::ids::Feature::Accounts {
            let account = AccountId(stream.id);
            let (state, _) = world.commands.state::<Account>(*stream).await.expect("readable");
            let Account::Active(active) = state else { continue };
            let names = [active.email, active.username].into_iter();
            for name in names.chain(active.identities.keys().copied()) {
                assert_eq!(place(world, name).await, Holding::Confirmed { account });
                assert_eq!(holders.insert(name, account), None, "two accounts have one name");
            }
        }
    }
    for stream in history.streams.keys() {
        if stream.feature == spool_domain::ids::Feature::Reservations {
            let id = ReservationId(stream.id);
            let expected = match holders.get(&id) {
                Some(account) => Holding::Confirmed { account: *account },
                None => Holding::Free,
            };
            assert_eq!(place(world, id).await, expected);
        }
    }
}

/// Lets every reservation run out, and everything that follows happen.
pub async fn settle(world: &mut World) {
    world.run_all();
    let pending = async || {
        let history = world.history();
        let places = history
            .streams
            .keys()
            .filter(|stream| stream.feature == spool_domain::ids::Feature::Reservations);
        for stream in places {
            let state = place(world, ReservationId(stream.id)).await;
            if matches!(state, Holding::Pending { .. } | Holding::Lapsed { .. }) {
                return true;
            }
        }
        false
    };
    world.clock.advance(60_001);
    until("no name is pending", async || !pending().await).await;
    world.managers_are_done().await;
    world.stop_running().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_want_the_same_names_one_gets_them() {
    for seed in seeds(8) {
        let mut world = World::new();
        let tasks = (0..12).map(|n| {
            let commands = world.commands.clone();
            let person = registered(
                &world.keys,
                "One@X.example",
                if n % 2 == 0 { "one" } else { "ONE" },
            );
            // Some ask twice at once.
            let asker = n % 8;
            tokio::spawn(async move {
                for _ in 0..Dice::new(seed ^ n).below(4) {
                    tokio::task::yield_now().await;
                }
                (
                    asker,
                    commands.register(account(asker), person, &ask(asker, "aa")).await,
                )
            })
        });
        let mut winner = None;
        for task in tasks.collect::<Vec<_>>() {
            match task.await.expect("no panic") {
                (asker, Ok(_)) => assert_eq!(*winner.get_or_insert(asker), asker),
                (_, Err(RegisterError::EmailTaken | RegisterError::UsernameTaken)) => {}
                (asker, Err(error)) => panic!("{asker}: {error}"),
            }
        }
        let winner = account(winner.expect("somebody gets it"));
        settle(&mut world).await;
        check_names(&world).await;
        let email = email_place(&world.keys, "one@x.example");
        assert_eq!(
            world.commands.account_at(email).await.expect("readable"),
            Some(winner)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn crossed_names_and_repeats_end_with_no_name_twice() {
    for seed in seeds(8) {
        let mut world = World::new();
        world.run_all();
        for n in 0..4 {
            // Begun and abandoned: these names come free while others ask for them.
            let person = registered(&world.keys, &format!("{n}@x.example"), &format!("u{n}"));
            step(&world, 1, account(50 + n), &person).await;
        }
        let tasks = (0..24).map(|n| {
            let (commands, mut dice) = (world.commands.clone(), Dice::new(seed ^ (n % 12) << 32));
            let (email, username) = (dice.below(4), dice.below(4));
            let person = registered(
                &world.keys,
                &format!("{email}@x.example"),
                &format!("u{username}"),
            );
            tokio::spawn(async move {
                // The same question again and again, also after a refusal.
                for _ in 0..6 {
                    let _ = commands
                        .register(account(n % 12), person.clone(), &ask(n % 12, "aa"))
                        .await;
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        world.clock.advance(60_001);
        for task in tasks {
            task.await.expect("no panic");
        }
        world.managers_are_done().await;
        settle(&mut world).await;
        check_names(&world).await;
    }
}

async fn step(world: &World, number: u32, account: AccountId, person: &Registered) {
    let reserve = |place: ReservationId| {
        world
            .commands
            .give(place.stream(), Command::Reserve { account }, fresh())
    };
    match number {
        0 => drop(reserve(person.email).await.expect("free")),
        1 => drop(reserve(person.username).await.expect("free")),
        _ => {
            let register = spool_domain::accounts::Command::Register(person.clone());
            drop(
                world
                    .commands
                    .give(account.stream(), register, fresh())
                    .await
                    .expect("accepted"),
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_cut_off_after_any_step_ends_well() {
    for steps in 0..=3 {
        for restart in [false, true] {
            let mut world = World::new();
            let person = registered(&world.keys, "a@x.example", "a");
            for number in 0..steps {
                step(&world, number, account(1), &person).await;
            }
            if restart {
                world.write_snapshots().await;
                world.restart().await;
            }
            settle(&mut world).await;
            check_names(&world).await;
            assert_eq!(is_active(&world, account(1)).await, steps == 3);
            let again = world.commands.register(account(2), person, &ask(2, "aa")).await;
            assert_eq!(again.is_ok(), steps < 3, "{again:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_too_late_finds_the_registration_given_up() {
    let mut world = World::new();
    let person = registered(&world.keys, "a@x.example", "a");
    step(&world, 0, account(1), &person).await;
    settle(&mut world).await;
    let late = world
        .commands
        .register(account(1), person.clone(), &ask(1, "aa"))
        .await;
    assert!(late.is_err_and(|error| error.to_string().contains("register again")));
    // At once, for a void account holds nothing.
    world
        .commands
        .register(account(2), person, &ask(2, "aa"))
        .await
        .expect("free again");
    settle(&mut world).await;
    check_names(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_username_gives_the_address_back_and_stays_refused() {
    let mut world = World::new();
    let first = registered(&world.keys, "a@x.example", "same");
    world
        .commands
        .register(account(1), first, &ask(1, "aa"))
        .await
        .expect("free");
    let second = registered(&world.keys, "b@x.example", "same");
    for _ in 0..3 {
        let refused = world
            .commands
            .register(account(2), second.clone(), &ask(2, "aa"))
            .await;
        assert!(
            matches!(refused, Err(RegisterError::UsernameTaken)),
            "{refused:?}"
        );
        assert_eq!(place(&world, second.email).await, Holding::Free);
    }
    let third = registered(&world.keys, "b@x.example", "other");
    world
        .commands
        .register(account(3), third, &ask(3, "aa"))
        .await
        .expect("free");
    // The refused one asks again, now that its address is somebody else's.
    let refused = world.commands.register(account(2), second, &ask(2, "aa")).await;
    assert!(matches!(refused, Err(RegisterError::EmailTaken)), "{refused:?}");
    settle(&mut world).await;
    check_names(&world).await;
    assert!(!is_active(&world, account(2)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_refused_and_asks_again_does_not_rely_on_a_name_that_was_given_back() {
    let mut world = World::new();
    // Somebody began and never came back.
    let abandoned = registered(&world.keys, "z@x.example", "same");
    step(&world, 1, account(9), &abandoned).await;
    let second = registered(&world.keys, "b@x.example", "same");
    let refused = world
        .commands
        .register(account(2), second.clone(), &ask(2, "aa"))
        .await;
    assert!(
        matches!(refused, Err(RegisterError::UsernameTaken)),
        "{refused:?}"
    );
    settle(&mut world).await;
    // Now the username is free, and the address is taken by another.
    let third = registered(&world.keys, "b@x.example", "other");
    world
        .commands
        .register(account(3), third, &ask(3, "aa"))
        .await
        .expect("free");
    let again = world.commands.register(account(2), second, &ask(2, "aa")).await;
    assert!(matches!(again, Err(RegisterError::EmailTaken)), "{again:?}");
    settle(&mut world).await;
    check_names(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn registrations_dropped_anywhere_end_well() {
    for seed in seeds(8) {
        let mut dice = Dice::new(seed);
        let mut world = World::new();
        if dice.one_in(2) {
            world.run_all();
        }
        for n in 0..10 {
            let names = (format!("{}@x.example", n % 5), format!("u{}", n % 5));
            let person = registered(&world.keys, &names.0, &names.1);
            let question = ask(n, "aa");
            let (commands, wanted) = (world.commands.clone(), world.commits() + dice.below(4));
            tokio::select! {
                biased;
                _ = commands.register(account(n), person, &question) => {}
                () = until("so much has happened", async || world.commits() >= wanted) => {}
            }
        }
        match dice.below(3) {
            0 => world.restart().await,
            1 => world.restart_without_snapshots().await,
            _ => world.stop_running().await,
        }
        settle(&mut world).await;
        check_names(&world).await;
        let person = |n: u64| registered(&world.keys, &format!("{n}@x.example"), &format!("u{n}"));
        for n in 0..5 {
            let known = world
                .commands
                .account_at(email_place(&world.keys, &format!("{n}@x.example")))
                .await;
            let free = known.expect("readable").is_none();
            let again = world
                .commands
                .register(account(100 + n), person(n), &ask(100 + n, "aa"))
                .await;
            assert_eq!(again.is_ok(), free, "{again:?}");
        }
    }
}
