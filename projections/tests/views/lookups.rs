//! People by account and place, and what happened on which day.

use crate::story::{Story, film, rung};
use crate::world::World;
use spool_domain::actors::Role;
use spool_domain::ids::AccountId;
use spool_domain::jobs::Fact;
use spool_domain::time::Millis;
use spool_domain::videos::Visibility;
use spool_projections::Projections;
use uuid::Uuid;

#[tokio::test]
async fn an_account_is_found_by_its_id_and_by_its_places() {
    let (world, mut story) = (World::new(), Story::new());
    let id = story.register(1);
    world.tell_and_see(&mut story).await;
    let accounts = world.projections.accounts();
    let account = accounts
        .account(id)
        .expect("the view answers")
        .expect("it is there");
    assert_eq!((account.id, account.role), (id, Role::Creator));
    assert_eq!(
        accounts.holder(account.email).expect("the view answers"),
        Some(id)
    );
    assert_eq!(
        accounts.holder(account.username).expect("the view answers"),
        Some(id)
    );
    assert_eq!(
        accounts
            .account(AccountId(Uuid::nil()))
            .expect("the view answers"),
        None
    );
}

#[tokio::test]
async fn a_day_sums_what_happened_in_all_partitions() {
    let (world, mut story) = (World::new(), Story::new());
    for seed in 1..=20 {
        let owner = story.register(seed);
        let at = story.upload(seed, owner, Visibility::Public);
        story.claim(at);
        story.report(
            at,
            vec![Fact::Probed(film(90_000)), Fact::RenditionStarted(rung(360))],
        );
        match seed % 4 {
            0 => story.fail(at, false),
            _ => story.complete(at, 90_000),
        };
    }
    story.wait(Millis(86_400_000));
    let first = story.commits[0].time.date();
    let next = story.now.date();
    story.register(21);
    world.tell_and_see(&mut story).await;
    let days = world
        .projections
        .analytics()
        .days(&first, &next)
        .expect("the view answers");
    assert_eq!(days.len(), 2);
    let day = &days[0];
    assert_eq!(
        (
            day.date.as_str(),
            day.registrations,
            day.videos_created,
            day.uploads
        ),
        (first.as_str(), 20, 20, 20)
    );
    assert_eq!((day.jobs_completed, day.jobs_failed), (15, 5));
    assert_eq!(day.minutes_transcoded, 15.0 * 1.5);
    assert_eq!(day.bytes, (1..=20).map(|seed| 1_000_000 + seed).sum::<u64>());
    assert_eq!((days[1].date.as_str(), days[1].registrations), (next.as_str(), 1));
    assert_eq!(
        world
            .projections
            .analytics()
            .days(&next, &next)
            .expect("the view answers"),
        days[1..]
    );
    assert!(
        world
            .projections
            .analytics()
            .days("2030-01-01", "2031-01-01")
            .expect("the view answers")
            .is_empty()
    );
    world.rows_are_a_refold().await;
}

#[test]
fn the_list_of_views_is_the_whole_list() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let world = runtime.block_on(async { World::new() });
    let names: Vec<String> = world
        .projections
        .status()
        .into_iter()
        .map(|status| status.name)
        .collect();
    assert_eq!(names, Projections::VIEWS);
}
