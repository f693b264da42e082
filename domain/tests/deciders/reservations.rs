//! A name has one holder at most, and a holder loses it only when its registration cannot happen any more.

use crate::anything;
use crate::history::{History, nothing_breaks};
use proptest::collection::vec;
use proptest::prelude::*;
use spool_domain::accounts::MAIL_PAUSE;
use spool_domain::decider::{Decider, scenario::given};
use spool_domain::ids::AccountId;
use spool_domain::reservations::{
    Command, Confirmed, Event, Lapsed, PENDING_FOR, PasswordResetWanted, Refusal, Released, Reservation,
    Reserved,
};
use spool_domain::time::{Millis, Timestamp};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ANNA: AccountId = AccountId(Uuid::from_u128(1));
const BERT: AccountId = AccountId(Uuid::from_u128(2));

fn reserved(account: AccountId) -> Event {
    let until = NOW + PENDING_FOR;
    Event::Reserved(Reserved { account, until })
}

fn confirmed(account: AccountId) -> Event {
    Event::Confirmed(Confirmed { account })
}

fn lapsed(account: AccountId) -> Event {
    Event::Lapsed(Lapsed { account })
}

fn released(account: AccountId) -> Event {
    Event::Released(Released { account })
}

fn reserve(account: AccountId) -> Command {
    Command::Reserve { account }
}

fn confirm(account: AccountId) -> Command {
    Command::Confirm { account }
}

fn release(account: AccountId) -> Command {
    Command::Release { account }
}

#[test]
fn a_free_place_is_taken_for_a_while() {
    given::<Reservation>(&[])
        .when(reserve(ANNA), NOW)
        .then(&[reserved(ANNA)]);
    given::<Reservation>(&[reserved(BERT), released(BERT)])
        .when(reserve(ANNA), NOW)
        .then(&[reserved(ANNA)]);
}

#[test]
fn the_holder_may_ask_again() {
    for past in [
        vec![reserved(ANNA)],
        vec![reserved(ANNA), lapsed(ANNA)],
        vec![reserved(ANNA), confirmed(ANNA)],
    ] {
        given::<Reservation>(&past)
            .when(reserve(ANNA), NOW)
            .then_nothing();
    }
}

#[test]
fn nobody_else_gets_a_place_that_is_held() {
    for past in [
        vec![reserved(ANNA)],
        vec![reserved(ANNA), lapsed(ANNA)],
        vec![reserved(ANNA), confirmed(ANNA)],
    ] {
        given::<Reservation>(&past)
            .when(reserve(BERT), NOW)
            .then_refused(Refusal::Taken);
        given::<Reservation>(&past)
            .when(confirm(BERT), NOW)
            .then_refused(Refusal::Taken);
        given::<Reservation>(&past)
            .when(release(BERT), NOW)
            .then_nothing();
    }
}

#[test]
fn a_pending_place_is_confirmed_also_when_it_is_late() {
    given::<Reservation>(&[reserved(ANNA)])
        .when(confirm(ANNA), NOW)
        .then(&[confirmed(ANNA)]);
    given::<Reservation>(&[reserved(ANNA), lapsed(ANNA)])
        .when(confirm(ANNA), NOW)
        .then(&[confirmed(ANNA)]);
    given::<Reservation>(&[reserved(ANNA), confirmed(ANNA)])
        .when(confirm(ANNA), NOW)
        .then_nothing();
}

#[test]
fn a_released_place_cannot_be_confirmed() {
    given::<Reservation>(&[reserved(ANNA), released(ANNA)])
        .when(confirm(ANNA), NOW)
        .then_refused(Refusal::Taken);
}

#[test]
fn a_pending_or_lapsed_place_is_released() {
    given::<Reservation>(&[reserved(ANNA)])
        .when(release(ANNA), NOW)
        .then(&[released(ANNA)]);
    given::<Reservation>(&[reserved(ANNA), lapsed(ANNA)])
        .when(release(ANNA), NOW)
        .then(&[released(ANNA)]);
    given::<Reservation>(&[]).when(release(ANNA), NOW).then_nothing();
}

#[test]
fn a_release_that_comes_too_late_leaves_a_confirmed_place_alone() {
    given::<Reservation>(&[reserved(ANNA), confirmed(ANNA)])
        .when(release(ANNA), NOW)
        .then_nothing();
}

#[test]
fn a_place_lapses_when_its_time_is_over() {
    let due = NOW + PENDING_FOR;
    given::<Reservation>(&[reserved(ANNA)])
        .when(Command::Lapse, due)
        .then(&[lapsed(ANNA)]);
    given::<Reservation>(&[reserved(ANNA)])
        .when(Command::Lapse, NOW)
        .then_nothing();
    given::<Reservation>(&[reserved(ANNA), lapsed(ANNA)])
        .when(Command::Lapse, due)
        .then_nothing();
    given::<Reservation>(&[reserved(ANNA), confirmed(ANNA)])
        .when(Command::Lapse, due)
        .then_nothing();
    given::<Reservation>(&[]).when(Command::Lapse, due).then_nothing();
}

fn wanted(at: Timestamp) -> Event {
    Event::PasswordResetWanted(PasswordResetWanted { at })
}

#[test]
fn that_a_reset_is_wanted_is_noted_whoever_holds_the_place() {
    for past in [
        vec![],
        vec![reserved(ANNA)],
        vec![reserved(ANNA), lapsed(ANNA)],
        vec![reserved(ANNA), confirmed(ANNA)],
        vec![reserved(ANNA), confirmed(ANNA), released(ANNA)],
    ] {
        given::<Reservation>(&past)
            .when(Command::WantPasswordReset, NOW)
            .then(&[wanted(NOW)]);
    }
}

#[test]
fn a_reset_is_wanted_once_a_minute() {
    given::<Reservation>(&[wanted(NOW)])
        .when(Command::WantPasswordReset, NOW + Millis(MAIL_PAUSE.0 - 1))
        .then_nothing();
    let later = NOW + MAIL_PAUSE;
    given::<Reservation>(&[wanted(NOW), reserved(ANNA)])
        .when(Command::WantPasswordReset, later)
        .then(&[wanted(later)]);
}

fn command() -> impl Strategy<Value = Command> {
    let account = || (1u128..4).prop_map(|number| AccountId(Uuid::from_u128(number)));
    prop_oneof![
        account().prop_map(reserve),
        account().prop_map(confirm),
        account().prop_map(release),
        Just(Command::WantPasswordReset),
        Just(Command::Lapse),
    ]
}

proptest! {
    #[test]
    fn whatever_happened_nothing_breaks(
        events in vec(anything::reservation_event(), 0..10),
        commands in vec(command(), 0..5),
        now in anything::time(),
    ) {
        nothing_breaks::<Reservation>(&events, &commands, now);
    }

    #[test]
    fn there_are_never_two_holders(steps in vec((command(), 0i64..90_000), 0..40)) {
        let mut history = History::<Reservation>::new();
        let (mut holder, mut settled) = (None, false);
        for (command, pause) in steps {
            history.wait(Millis(pause));
            for event in history.give(&command).unwrap_or_default() {
                match event {
                    Event::Reserved(Reserved { account, until }) => {
                        prop_assert_eq!(holder, None, "a second holder");
                        prop_assert_eq!(until, history.now + PENDING_FOR);
                        holder = Some(account);
                    }
                    Event::Confirmed(Confirmed { account }) => {
                        prop_assert_eq!(holder, Some(account));
                        settled = true;
                    }
                    Event::Lapsed(Lapsed { account }) => prop_assert_eq!(holder, Some(account)),
                    Event::Released(Released { account }) => {
                        prop_assert_eq!(holder, Some(account));
                        prop_assert!(!settled, "a confirmed place was lost");
                        holder = None;
                    }
                    Event::PasswordResetWanted(PasswordResetWanted { at }) => {
                        prop_assert_eq!(at, history.now);
                        prop_assert_eq!(history.state.holder(), holder);
                    }
                }
            }
            prop_assert_eq!(history.state.holder(), holder);
            history.asking_again_is_quiet(&command);
        }
        history.is_what_its_events_say();
    }

    #[test]
    fn a_timer_that_fires_ends_its_own_wait(events in vec(anything::reservation_event(), 0..5)) {
        let state: Reservation = spool_domain::decider::refold(&events);
        if let Some((at, command)) = state.due() {
            let news = state.decide(&command, at).expect("a timer is never refused");
            let after = news.iter().fold(state, Decider::evolve);
            prop_assert_eq!(after.due(), None);
        }
    }
}
