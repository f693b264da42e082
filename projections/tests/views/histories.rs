//! Whatever happens, in whatever order: the rows are a refold of the log, from any checkpoint, in any version.

use crate::story::{Story, film, rung, segments, sound, source_rung};
use crate::world::World;
use proptest::prelude::*;
use spool_domain::actors::Actor;
use spool_domain::jobs::{Command, Fact};
use spool_domain::time::Millis;
use spool_domain::videos::{self, Described, Visibility};
use spool_projections::Projections;

/// What may happen next; the numbers choose the film and what of it.
#[derive(Clone, Debug)]
enum Step {
    Register,
    Upload(u8),
    Describe(u8, u8),
    Delete(u8),
    Claim(u8),
    Announce(u8, u8),
    Publish(u8, u8, u8),
    Finish(u8, u8),
    Thumbnail(u8),
    Complete(u8),
    Fail(u8, bool),
    Cancel(u8),
    Restart(u8),
    Wait(u16),
    /// The views are stopped with whatever they have not written, and started again.
    Stop,
    Rebuild(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let film = || 0u8..6;
    prop_oneof![
        1 => Just(Step::Register),
        4 => any::<u8>().prop_map(Step::Upload),
        2 => (film(), any::<u8>()).prop_map(|(film, how)| Step::Describe(film, how)),
        1 => film().prop_map(Step::Delete),
        6 => film().prop_map(Step::Claim),
        6 => (film(), any::<u8>()).prop_map(|(film, which)| Step::Announce(film, which)),
        12 => (film(), any::<u8>(), 1u8..100).prop_map(|(film, which, count)| Step::Publish(film, which, count)),
        3 => (film(), any::<u8>()).prop_map(|(film, which)| Step::Finish(film, which)),
        2 => film().prop_map(Step::Thumbnail),
        2 => film().prop_map(Step::Complete),
        3 => (film(), any::<bool>()).prop_map(|(film, passing)| Step::Fail(film, passing)),
        1 => film().prop_map(Step::Cancel),
        2 => film().prop_map(Step::Restart),
        3 => any::<u16>().prop_map(Step::Wait),
        2 => Just(Step::Stop),
        1 => any::<u8>().prop_map(Step::Rebuild),
    ]
}

fn visibility(how: u8) -> Visibility {
    [Visibility::Public, Visibility::Unlisted, Visibility::Private][usize::from(how % 3)]
}

/// Tells of one step, if the story has such a film.
fn tell(story: &mut Story, step: &Step, at: u128) {
    let renditions = [source_rung(), sound(), rung(360), rung(720)];
    let rendition = |which: u8| renditions[usize::from(which) % renditions.len()].clone();
    let by = Actor::System;
    let count = story.films.len();
    let known = |film: &u8| usize::from(*film) % count.max(1);
    match step {
        Step::Register => drop(story.register(at)),
        Step::Upload(how) => {
            let owner = story
                .people
                .first()
                .copied()
                .unwrap_or_else(|| story.register(at));
            story.upload(at, owner, visibility(*how));
        }
        Step::Wait(ms) => story.wait(Millis(i64::from(*ms))),
        Step::Stop | Step::Rebuild(_) => {}
        _ if count == 0 => {}
        Step::Describe(film, how) => {
            let description = Described {
                title: format!("Title {how}"),
                description: String::new(),
                visibility: visibility(*how),
            };
            story.video(known(film), &videos::Command::Describe { by, description });
        }
        Step::Delete(film) => drop(story.video(known(film), &videos::Command::Delete { by })),
        Step::Claim(of) => {
            story.claim(known(of));
            story.report(known(of), vec![Fact::Probed(film(u64::from(*of) * 1_000))]);
        }
        Step::Announce(film, which) => {
            story.report(known(film), vec![Fact::RenditionStarted(rendition(*which))]);
        }
        Step::Publish(film, which, count) => {
            let segments = segments(u32::from(*count), 10_000);
            story.publish(known(film), &rendition(*which).name, &segments);
        }
        Step::Finish(film, which) => {
            let rendition = rendition(*which).name;
            story.report(known(film), vec![Fact::RenditionFinished { rendition }]);
        }
        Step::Thumbnail(film) => {
            story.report(known(film), vec![Fact::ThumbnailMade { blob: "t.jpg".into() }]);
        }
        Step::Complete(film) => drop(story.complete(known(film), 12_345)),
        Step::Fail(film, passing) => drop(story.fail(known(film), *passing)),
        Step::Cancel(film) => drop(story.job(known(film), &Command::Cancel { by })),
        Step::Restart(film) => drop(story.job(known(film), &Command::Restart { by })),
    }
}

async fn live_through(steps: &[Step]) {
    let (mut world, mut story) = (World::new(), Story::new());
    for (at, step) in (1u128..).zip(steps) {
        tell(&mut story, step, at);
        world.tell(&mut story).await;
        match step {
            Step::Stop => world.restart().await,
            Step::Rebuild(which) => {
                let view = Projections::VIEWS[usize::from(*which) % Projections::VIEWS.len()];
                let rebuild = world.projections.rebuild(view).expect("it starts");
                rebuild.finished().await.expect("it ends well");
            }
            _ => {}
        }
    }
    world.caught_up().await;
    assert!(
        world.projections.status().iter().all(|status| status.parked == 0),
        "nothing here is poison"
    );
    world.rows_are_a_refold().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_a_refold_of_any_history_with_stops_and_rebuilds(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        runtime.block_on(live_through(&steps));
    }
}
