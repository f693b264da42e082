//! A view's serving version changes when asked, and only then.

use crate::anything;
use crate::history::History;
use proptest::collection::vec;
use proptest::prelude::*;
use spool_domain::decider::scenario::given;
use spool_domain::time::Timestamp;
use spool_domain::views::{Command, Event, Switched, View};

fn switch(version: u32) -> Command {
    let name = "catalogue".to_owned();
    Command::Switch { name, version }
}

fn switched(version: u32) -> Event {
    let name = "catalogue".to_owned();
    Event::Switched(Switched { name, version })
}

#[test]
fn the_first_version_begins_to_serve() {
    given::<View>(&[])
        .when(switch(1), Timestamp::default())
        .then(&[switched(1)]);
}

#[test]
fn an_earlier_version_may_come_back() {
    given::<View>(&[switched(1), switched(2)])
        .when(switch(1), Timestamp::default())
        .then(&[switched(1)]);
}

#[test]
fn the_serving_version_needs_no_switch() {
    given::<View>(&[switched(2)])
        .when(switch(2), Timestamp::default())
        .then_nothing();
}

proptest! {
    #[test]
    fn whatever_is_asked_the_events_say_it_all(
        versions in vec(0u32..4, 0..20),
        before in vec(anything::view_event(), 0..5),
    ) {
        let mut history = History::<View>::new();
        history.state = spool_domain::decider::refold(&before);
        history.events = before;
        for version in versions {
            prop_assert!(history.give(&switch(version)).is_ok());
            history.asking_again_is_quiet(&switch(version));
            prop_assert_eq!(history.state.serving, Some(version));
        }
        history.is_what_its_events_say();
    }
}
