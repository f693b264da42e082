//! An account comes to be once, and a stolen refresh token ends the session it belongs to.

use crate::anything;
use crate::history::{History, nothing_breaks};
use proptest::collection::vec;
use proptest::prelude::*;
use spool_domain::accounts::*;
use spool_domain::actors::Role;
use spool_domain::decider::{refold, scenario::given};
use spool_domain::ids::{ReservationId, SessionId};
use spool_domain::sealed::Sealed;
use spool_domain::time::{Millis, Timestamp};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Millis = Millis(3_600_000);
const PHONE: SessionId = SessionId(Uuid::from_u128(1));
const DESK: SessionId = SessionId(Uuid::from_u128(2));

fn anna() -> Registered {
    Registered {
        personal: Sealed("c2VhbGVk".into()),
        password_hash: Sealed("aGFzaA".into()),
        email: ReservationId(Uuid::from_u128(11)),
        username: ReservationId(Uuid::from_u128(12)),
        role: Role::Creator,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    }
}

fn registered() -> Event {
    Event::Registered(anna())
}

fn void() -> Event {
    Event::RegistrationVoided(RegistrationVoided {})
}

fn started(session: SessionId) -> Event {
    let expires_at = NOW + HOUR;
    Event::SessionStarted(SessionStarted {
        session,
        expires_at,
        at: Some(NOW),
        client: None,
    })
}

fn refreshed(counter: u32, at: Timestamp) -> Event {
    Event::SessionRefreshed(SessionRefreshed {
        session: PHONE,
        counter,
        at,
        expires_at: at + HOUR,
    })
}

fn ended(session: SessionId, reason: SessionEnd) -> Event {
    Event::SessionEnded(SessionEnded { session, reason })
}

fn start(session: SessionId) -> Command {
    let expires_at = NOW + HOUR;
    Command::StartSession {
        session,
        expires_at,
        client: None,
    }
}

fn sign_out(session: SessionId) -> Command {
    Command::EndSession {
        session,
        reason: SessionEnd::LoggedOut,
    }
}

fn refresh(counter: u32, at: Timestamp) -> Command {
    Command::Refresh {
        session: PHONE,
        counter,
        expires_at: at + HOUR,
    }
}

#[test]
fn a_person_registers_once() {
    given::<Account>(&[])
        .when(Command::Register(anna()), NOW)
        .then(&[registered()]);
    given::<Account>(&[registered()])
        .when(Command::Register(anna()), NOW)
        .then_refused(Refusal::AlreadyRegistered);
}

#[test]
fn a_void_registration_stays_void() {
    given::<Account>(&[])
        .when(Command::VoidRegistration, NOW)
        .then(&[void()]);
    given::<Account>(&[void()])
        .when(Command::VoidRegistration, NOW)
        .then_nothing();
    given::<Account>(&[void()])
        .when(Command::Register(anna()), NOW)
        .then_refused(Refusal::RegistrationVoid);
}

#[test]
fn a_registered_account_cannot_be_made_void() {
    given::<Account>(&[registered()])
        .when(Command::VoidRegistration, NOW)
        .then_nothing();
}

#[test]
fn nobody_signs_in_to_an_account_that_is_not() {
    for past in [vec![], vec![void()]] {
        for command in [start(PHONE), refresh(0, NOW), sign_out(PHONE)] {
            given::<Account>(&past)
                .when(command, NOW)
                .then_refused(Refusal::NoSuchAccount);
        }
    }
}

#[test]
fn a_session_starts_and_ends() {
    given::<Account>(&[registered()])
        .when(start(PHONE), NOW)
        .then(&[started(PHONE)]);
    given::<Account>(&[registered(), started(PHONE)])
        .when(start(PHONE), NOW)
        .then_nothing();
    given::<Account>(&[registered(), started(PHONE)])
        .when(sign_out(PHONE), NOW)
        .then(&[ended(PHONE, SessionEnd::LoggedOut)]);
    given::<Account>(&[registered(), started(PHONE)])
        .when(sign_out(DESK), NOW)
        .then_nothing();
}

#[test]
fn the_oldest_of_too_many_sessions_gives_way() {
    let mut past = vec![registered()];
    for number in 0..SESSIONS_MAX {
        let (session, later) = (
            SessionId(Uuid::from_u128(100 + number as u128)),
            Millis(number as i64),
        );
        let expires_at = NOW + HOUR + later;
        past.push(Event::SessionStarted(SessionStarted {
            session,
            expires_at,
            at: None,
            client: None,
        }));
    }
    given::<Account>(&past).when(start(PHONE), NOW).then(&[
        ended(SessionId(Uuid::from_u128(100)), SessionEnd::Displaced),
        started(PHONE),
    ]);
}

#[test]
fn a_refresh_token_is_exchanged_for_the_next() {
    given::<Account>(&[registered(), started(PHONE)])
        .when(refresh(0, NOW), NOW)
        .then(&[refreshed(1, NOW)]);
}

#[test]
fn a_repeat_within_the_grace_gets_the_same_answer() {
    let late = NOW + REFRESH_GRACE;
    given::<Account>(&[registered(), started(PHONE), refreshed(1, NOW)])
        .when(refresh(0, late), late)
        .then_nothing();
}

#[test]
fn a_token_used_again_after_the_grace_ends_the_session() {
    let late = NOW + REFRESH_GRACE + Millis(1);
    let reused = ended(PHONE, SessionEnd::RefreshTokenReused);
    given::<Account>(&[registered(), started(PHONE), refreshed(1, NOW)])
        .when(refresh(0, late), late)
        .then(std::slice::from_ref(&reused));
    given::<Account>(&[registered(), started(PHONE), refreshed(1, NOW), reused])
        .when(refresh(1, late), late)
        .then_refused(Refusal::SessionOver);
}

#[test]
fn a_token_two_steps_old_ends_the_session_also_within_the_grace() {
    given::<Account>(&[registered(), started(PHONE), refreshed(1, NOW), refreshed(2, NOW)])
        .when(refresh(0, NOW), NOW)
        .then(&[ended(PHONE, SessionEnd::RefreshTokenReused)]);
}

#[test]
fn an_expired_session_is_not_refreshed() {
    let late = NOW + HOUR;
    given::<Account>(&[registered(), started(PHONE)])
        .when(refresh(0, late), late)
        .then_refused(Refusal::SessionOver);
    let Account::Active(active) = refold::<Account>(&[registered(), started(PHONE)]) else {
        panic!("it is registered");
    };
    assert!(active.has_session(PHONE, NOW));
    assert!(!active.has_session(PHONE, late));
}

#[test]
fn counters_at_their_end_do_not_overflow() {
    given::<Account>(&[registered(), started(PHONE)])
        .when(refresh(u32::MAX, NOW), NOW)
        .then(&[ended(PHONE, SessionEnd::RefreshTokenReused)]);
    given::<Account>(&[registered(), started(PHONE), refreshed(u32::MAX, NOW)])
        .when(refresh(u32::MAX, NOW), NOW)
        .then_refused(Refusal::SessionOver);
}

fn any_command() -> impl Strategy<Value = Command> {
    let session = || (1u128..4).prop_map(|number| SessionId(Uuid::from_u128(number)));
    let counter = prop_oneof![8 => 0u32..4, 1 => any::<u32>()];
    let expires_at = || prop_oneof![8 => Just(NOW + HOUR), 1 => anything::time()];
    prop_oneof![
        2 => anything::registered().prop_map(Command::Register),
        1 => Just(Command::VoidRegistration),
        4 => (session(), expires_at())
            .prop_map(|(session, expires_at)| Command::StartSession { session, expires_at, client: None }),
        8 => (session(), counter, expires_at())
            .prop_map(|(session, counter, expires_at)| Command::Refresh { session, counter, expires_at }),
        1 => session().prop_map(sign_out),
    ]
}

proptest! {
    #[test]
    fn whatever_happened_nothing_breaks(
        events in vec(anything::account_event(), 0..20),
        commands in vec(any_command(), 0..10),
        now in anything::time(),
    ) {
        nothing_breaks::<Account>(&events, &commands, now);
    }

    #[test]
    fn whatever_is_asked_the_events_say_it_all(steps in vec((any_command(), 0i64..40_000), 0..60)) {
        let mut history = History::<Account>::new();
        for (command, pause) in steps {
            history.wait(Millis(pause));
            let _ = history.give(&command);
            history.asking_again_is_quiet(&command);
        }
        let begun = |event: &&Event| matches!(event, Event::Registered(_) | Event::RegistrationVoided(_));
        prop_assert!(history.events.iter().filter(begun).count() <= 1, "two beginnings");
        history.is_what_its_events_say();
    }

    /// A thief and the owner both have the token. Whoever comes second, more than the grace later, ends the
    /// session for both.
    #[test]
    fn a_reused_token_ends_the_session_and_a_prompt_repeat_does_not(
        refreshes in 1u32..10,
        pause in 0i64..60_000,
    ) {
        let mut history = History::<Account>::new();
        history.give(&Command::Register(anna())).expect("it is new");
        let expires_at = Timestamp::MAX;
        history.give(&Command::StartSession { session: PHONE, expires_at, client: None }).expect("it is registered");
        for counter in 0..refreshes {
            history.give(&Command::Refresh { session: PHONE, counter, expires_at }).expect("it is the one that counts");
        }
        history.wait(Millis(pause));
        let reuse = Command::Refresh { session: PHONE, counter: refreshes - 1, expires_at };
        let outcome = history.give(&reuse).expect("the session was not over");
        if pause <= REFRESH_GRACE.0 {
            prop_assert_eq!(outcome, vec![]);
        } else {
            prop_assert_eq!(outcome, vec![ended(PHONE, SessionEnd::RefreshTokenReused)]);
            let next = Command::Refresh { session: PHONE, counter: refreshes, expires_at };
            prop_assert_eq!(history.give(&next), Err(Refusal::SessionOver));
        }
    }

    #[test]
    fn sessions_are_never_too_many(sessions in vec(0u128..300, 0..400)) {
        let mut history = History::<Account>::new();
        history.give(&Command::Register(anna())).expect("it is new");
        for session in sessions {
            history.wait(Millis(1));
            let expires_at = history.now + HOUR;
            let session = SessionId(Uuid::from_u128(session));
            history.give(&Command::StartSession { session, expires_at, client: None }).expect("it is registered");
        }
        let Account::Active(active) = &history.state else { panic!("it is registered") };
        prop_assert!(active.sessions.len() <= SESSIONS_MAX);
    }
}
