//! Identities of other providers belong to one account: whoever races for them, and wherever a link is cut off.

use crate::given::{account, ask, fresh, registered};
use crate::names::{check_names, place, settle};
use crate::world::World;
use spool_commands::CommandError;
use spool_commands::accounts::{RegisterError, email_place, identity_place, username_place};
use spool_domain::accounts::{Account, Active, Command, Identity, Registered};
use spool_domain::ids::AccountId;
use spool_domain::reservations::{self, Holding};
use spool_domain::sealed::Sealed;

fn identity(world: &World, subject: &str) -> Identity {
    Identity {
        place: identity_place(&world.keys, "https://issuer.example", subject),
        provider: "test".to_owned(),
        shown: Sealed("sealed".into()),
    }
}

/// Account `number`, with names of its own.
async fn somebody(world: &World, number: u64) -> AccountId {
    let names = registered(
        &world.keys,
        &format!("{number}@x.example"),
        &format!("user{number}"),
    );
    let ask = ask(number, "register");
    let registering = world.commands.register(account(number), names, &ask);
    registering.await.expect("the names are free");
    account(number)
}

async fn active(world: &World, account: AccountId) -> Box<Active> {
    let state = world.commands.state::<Account>(account.stream()).await;
    match state.expect("readable").0 {
        Account::Active(active) => active,
        other => panic!("{other:?}"),
    }
}

async fn unlink(world: &World, account: AccountId, identity: &Identity) {
    let place = identity.place;
    let unlink = Command::UnlinkIdentity { place };
    let given = world.commands.give(account.stream(), unlink, fresh()).await;
    given.expect("there is a password, too");
}

#[test]
fn a_place_is_of_issuer_and_subject_together() {
    let world = World::new();
    let place = |issuer, subject| identity_place(&world.keys, issuer, subject);
    assert_eq!(place("https://a", "1"), place("https://a", "1"));
    assert_ne!(place("https://a", "1"), place("https://a/", "1"));
    assert_ne!(place("https://a", "1"), place("https://a1", ""));
    assert_ne!(
        place("https://a", "x"),
        place("https://a", "X"),
        "subjects are compared letter by letter"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_accounts_that_want_an_identity_one_gets_it() {
    let mut world = World::new();
    let identity = identity(&world, "ada");
    let mut tasks = vec![];
    for number in 0..8 {
        let somebody = somebody(&world, number).await;
        let (commands, identity) = (world.commands.clone(), identity.clone());
        let linking = async move {
            commands
                .link_identity(somebody, identity, &ask(100 + number, "link"))
                .await
        };
        tasks.push((somebody, tokio::spawn(linking)));
    }
    let mut winners = vec![];
    for (somebody, task) in tasks {
        match task.await.expect("no panic") {
            Ok(_) => winners.push(somebody),
            Err(RegisterError::IdentityTaken) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    settle(&mut world).await;
    check_names(&world).await;
    let account = winners[0];
    assert_eq!(
        place(&world, identity.place).await,
        Holding::Confirmed { account }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_link_that_was_cut_short_gives_the_identity_back_and_cannot_be_ended_late() {
    let mut world = World::new();
    let (ada, bob) = (somebody(&world, 1).await, somebody(&world, 2).await);
    let identity = identity(&world, "ada");
    let given_up = active(&world, ada).await.given_up;
    let retake = reservations::Command::Retake { account: ada };
    let reserved = world
        .commands
        .give(identity.place.stream(), retake, fresh())
        .await;
    reserved.expect("it is free");
    settle(&mut world).await;
    check_names(&world).await;
    let identity_again = identity.clone();
    let late = Command::LinkIdentity {
        identity: identity_again,
        given_up,
    };
    let late = world.commands.give(ada.stream(), late, fresh()).await;
    assert!(matches!(late, Err(CommandError::Refused(_))), "{late:?}");
    let linked = world
        .commands
        .link_identity(bob, identity.clone(), &fresh())
        .await;
    linked.expect("it was given back");
    settle(&mut world).await;
    check_names(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_identity_that_was_taken_away_can_be_linked_again_at_once_by_the_same_and_soon_by_others() {
    let mut world = World::new();
    world.run_all();
    let (ada, bob) = (somebody(&world, 1).await, somebody(&world, 2).await);
    let identity = identity(&world, "ada");
    for round in 0..3 {
        let linked = world
            .commands
            .link_identity(ada, identity.clone(), &fresh())
            .await;
        linked.unwrap_or_else(|error| panic!("round {round}: {error}"));
        unlink(&world, ada, &identity).await;
    }
    let linked = world
        .commands
        .link_identity(ada, identity.clone(), &fresh())
        .await;
    linked.expect("nobody else has it");
    settle(&mut world).await;
    check_names(&world).await;
    assert!(active(&world, ada).await.holds(identity.place));
    unlink(&world, ada, &identity).await;
    settle(&mut world).await;
    check_names(&world).await;
    let linked = world.commands.link_identity(bob, identity, &fresh()).await;
    linked.expect("it was given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_registers_with_what_another_has_leaves_nothing_behind() {
    let mut world = World::new();
    let identity = identity(&world, "ada");
    let by = |email: &str, username: &str, subject: &str| Registered {
        identity: Some(self::identity(&world, subject)),
        ..registered(&world.keys, email, username)
    };
    let register = async |number, registered| {
        let ask = fresh();
        world.commands.register(account(number), registered, &ask).await
    };
    let (first, fresh_email) = (
        by("ada@x.example", "ada", "ada"),
        by("2@x.example", "ada2", "ada"),
    );
    let (same_email, same_username) = (by("ada@x.example", "ada3", "3"), by("4@x.example", "ada", "4"));
    register(1, first).await.expect("all of it is free");
    let refused = register(2, fresh_email).await;
    assert!(
        matches!(refused, Err(RegisterError::IdentityTaken)),
        "{refused:?}"
    );
    let refused = register(3, same_email).await;
    assert!(matches!(refused, Err(RegisterError::EmailTaken)), "{refused:?}");
    let refused = register(4, same_username).await;
    assert!(
        matches!(refused, Err(RegisterError::UsernameTaken)),
        "{refused:?}"
    );
    let keys = world.keys.clone();
    let left = [
        email_place(&keys, "2@x.example"),
        username_place(&keys, "ada2"),
        username_place(&keys, "ada3"),
        email_place(&keys, "4@x.example"),
        identity_place(&keys, "https://issuer.example", "3"),
        identity_place(&keys, "https://issuer.example", "4"),
    ];
    for left in left {
        assert_eq!(place(&world, left).await, Holding::Free);
    }
    settle(&mut world).await;
    check_names(&world).await;
    let account = account(1);
    assert_eq!(
        place(&world, identity.place).await,
        Holding::Confirmed { account }
    );
}
