//! A job's course: who may have it, for how long, and how it ends.

use crate::jobs_given::*;
use spool_domain::decider::{Decider, refold, scenario::given};
use spool_domain::jobs::*;
use spool_domain::time::Millis;

#[test]
fn a_job_is_requested_once() {
    given::<Job>(&[])
        .when(Command::Request(wanted()), NOW)
        .then(&job(&[]));
    given::<Job>(&job(&[]))
        .when(Command::Request(wanted()), NOW)
        .then_nothing();
}

#[test]
fn there_is_nothing_to_do_about_a_job_that_is_not() {
    for command in [
        claim("a"),
        Command::Renew {
            attempt: 1,
            lease: LEASE,
        },
        report(1, vec![]),
        complete(1),
        fail(1, passing()),
        Command::Cancel { by: owner() },
        Command::Restart { by: owner() },
    ] {
        given::<Job>(&[])
            .when(command, NOW)
            .then_refused(Refusal::NoSuchJob);
    }
    given::<Job>(&[]).when(Command::Wake, NOW).then_nothing();
}

#[test]
fn a_waiting_job_is_claimed() {
    given::<Job>(&job(&[]))
        .when(claim("a"), NOW)
        .then(&[claimed(1, "a")]);
}

#[test]
fn nobody_else_claims_a_leased_job() {
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(claim("b"), NOW)
        .then_refused(Refusal::Leased);
}

#[test]
fn a_worker_that_comes_back_takes_its_own_job_again() {
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(claim("a"), NOW)
        .then(&[claimed(2, "a")]);
}

#[test]
fn a_job_whose_lease_has_run_out_is_anybodys() {
    let late = NOW + LEASE;
    let again = Event::Claimed(Claimed {
        attempt: 2,
        worker: "b".into(),
        until: late + LEASE,
    });
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(claim("b"), late)
        .then(&[again]);
}

#[test]
fn a_job_is_not_claimed_during_its_pause() {
    let past = job(&[claimed(1, "a"), pause(1, passing(), NOW + Millis(2_000))]);
    given::<Job>(&past)
        .when(claim("a"), NOW + Millis(1_999))
        .then_refused(Refusal::Leased);
}

#[test]
fn a_film_that_kills_its_worker_again_and_again_is_given_up() {
    let at_once: Vec<_> = (1..=4).map(|attempt| claimed(attempt, "a")).collect();
    let late = NOW + LEASE;
    given::<Job>(&job(&at_once[..3]))
        .when(claim("a"), NOW)
        .then(&[claimed(4, "a")]);
    for (worker, now) in [("a", NOW), ("a", late), ("b", late)] {
        given::<Job>(&job(&at_once))
            .when(claim(worker), now)
            .then_refused(Refusal::Leased);
    }
    given::<Job>(&job(&at_once))
        .when(Command::Wake, late)
        .then(&[pause(4, silent(), late + Millis(16_000))]);
    let paused = (4..20).flat_map(|attempt| [pause(attempt, silent(), NOW), claimed(attempt + 1, "a")]);
    let cut_off: Vec<_> = at_once.into_iter().chain(paused).collect();
    given::<Job>(&job(&cut_off[..cut_off.len() - 2]))
        .when(Command::Wake, late)
        .then(&[pause(19, silent(), late + Millis(128_000))]);
    let past = job(&cut_off);
    let for_good = Failure {
        sentence:
            "the worker stopped answering 20 times before this film got any further; it can be started again"
                .into(),
        ..silent()
    };
    given::<Job>(&past)
        .when(Command::Wake, late)
        .then(&[failed(20, for_good)]);
}

#[test]
fn a_worker_that_is_restarted_or_silent_uses_up_none_of_a_films_attempts() {
    let restarted = job(&[claimed(1, "a"), claimed(2, "a"), claimed(3, "a")]);
    given::<Job>(&restarted)
        .when(claim("a"), NOW)
        .then(&[claimed(4, "a")]);
    given::<Job>(&restarted)
        .when(fail(3, passing()), NOW)
        .then(&[pause(3, passing(), NOW + Millis(2_000))]);
    let silent = job(&[
        claimed(1, "a"),
        pause(1, silent(), NOW),
        claimed(2, "b"),
        pause(2, silent(), NOW),
        claimed(3, "c"),
    ]);
    given::<Job>(&silent)
        .when(fail(3, passing()), NOW)
        .then(&[pause(3, passing(), NOW + Millis(2_000))]);
}

#[test]
fn a_film_that_gets_further_each_time_is_not_given_up() {
    let cut_off = (1..=4).map(|attempt| claimed(attempt, "a"));
    let further = [announced(4), published(4, 0, 1)];
    let past: Vec<_> = cut_off.chain(further).collect();
    given::<Job>(&job(&past))
        .when(claim("a"), NOW)
        .then(&[claimed(5, "a")]);
    let failures = [
        claimed(1, "a"),
        pause(1, passing(), NOW),
        claimed(2, "a"),
        pause(2, passing(), NOW),
        claimed(3, "a"),
        announced(3),
        published(3, 0, 1),
    ];
    given::<Job>(&job(&failures))
        .when(fail(3, passing()), NOW)
        .then(&[pause(3, passing(), NOW + Millis(2_000))]);
}

#[test]
fn the_holder_renews_its_lease_and_nobody_else_does() {
    let later = NOW + Millis(10_000);
    let renew = |attempt| Command::Renew {
        attempt,
        lease: LEASE,
    };
    let until = later + LEASE;
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(renew(1), later)
        .then(&[Event::LeaseRenewed(LeaseRenewed { attempt: 1, until })]);
    given::<Job>(&job(&[claimed(1, "a"), claimed(2, "a")]))
        .when(renew(1), later)
        .then_refused(Refusal::Fenced);
    given::<Job>(&cancelled())
        .when(renew(1), later)
        .then_refused(Refusal::Over("cancelled".into()));
}

#[test]
fn no_lease_is_longer_than_an_hour_nor_ends_before_it_begins() {
    for (asked, given_ms) in [(i64::MAX, 3_600_000), (-1, 0)] {
        let claim = Command::Claim {
            worker: "a".into(),
            lease: Millis(asked),
        };
        let until = NOW + Millis(given_ms);
        let worker = "a".into();
        given::<Job>(&job(&[]))
            .when(claim, NOW)
            .then(&[Event::Claimed(Claimed {
                attempt: 1,
                worker,
                until,
            })]);
    }
}

#[test]
fn a_passing_failure_is_followed_by_longer_and_longer_pauses() {
    let first = job(&[claimed(1, "a")]);
    given::<Job>(&first)
        .when(fail(1, passing()), NOW)
        .then(&[pause(1, passing(), NOW + Millis(2_000))]);
    let second = job(&[claimed(1, "a"), pause(1, passing(), NOW), claimed(2, "b")]);
    given::<Job>(&second)
        .when(fail(2, passing()), NOW)
        .then(&[pause(2, passing(), NOW + Millis(4_000))]);
}

#[test]
fn the_last_failure_and_a_lasting_one_end_the_job() {
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(fail(1, lasting()), NOW)
        .then(&[failed(1, lasting())]);
    let third = job(&[
        claimed(1, "a"),
        pause(1, passing(), NOW),
        claimed(2, "a"),
        pause(2, passing(), NOW),
        claimed(3, "a"),
    ]);
    given::<Job>(&third)
        .when(fail(3, passing()), NOW)
        .then(&[failed(3, passing())]);
}

#[test]
fn a_failure_told_twice_ends_one_attempt() {
    let past = job(&[claimed(1, "a"), pause(1, passing(), NOW)]);
    given::<Job>(&past)
        .when(fail(1, passing()), NOW)
        .then_refused(Refusal::Fenced);
}

#[test]
fn the_owner_cancels_a_job_and_its_worker_learns_of_it() {
    let news = [Event::Cancelled(Cancelled { by: owner() })];
    for past in [job(&[]), job(&[claimed(1, "a")])] {
        given::<Job>(&past)
            .when(Command::Cancel { by: owner() }, NOW)
            .then(&news);
        given::<Job>(&past)
            .when(Command::Cancel { by: stranger() }, NOW)
            .then_refused(Refusal::NotOwner);
    }
    given::<Job>(&cancelled())
        .when(Command::Cancel { by: owner() }, NOW)
        .then_nothing();
    for command in [claim("a"), report(1, vec![]), complete(1), fail(1, passing())] {
        given::<Job>(&cancelled())
            .when(command, NOW)
            .then_refused(Refusal::Over("cancelled".into()));
    }
}

#[test]
fn what_has_ended_otherwise_cannot_be_cancelled() {
    for (end, word) in [(completed(1), "completed"), (failed(1, lasting()), "failed")] {
        given::<Job>(&job(&[claimed(1, "a"), end]))
            .when(Command::Cancel { by: owner() }, NOW)
            .then_refused(Refusal::Over(word.into()));
    }
}

#[test]
fn the_owner_starts_a_failed_or_cancelled_job_again() {
    let restart = |by| Command::Restart { by };
    let news = [Event::Restarted(Restarted { by: owner() })];
    for past in [cancelled(), job(&[claimed(1, "a"), failed(1, lasting())])] {
        given::<Job>(&past).when(restart(owner()), NOW).then(&news);
        given::<Job>(&past)
            .when(restart(stranger()), NOW)
            .then_refused(Refusal::NotOwner);
    }
    given::<Job>(&job(&[])).when(restart(owner()), NOW).then_nothing();
    given::<Job>(&job(&[claimed(1, "a")]))
        .when(restart(owner()), NOW)
        .then_refused(Refusal::Running);
    given::<Job>(&job(&[claimed(1, "a"), completed(1)]))
        .when(restart(owner()), NOW)
        .then_refused(Refusal::Over("completed".into()));
}

#[test]
fn a_restarted_job_fences_the_attempts_before_and_has_all_its_tries() {
    let past = job(&[
        claimed(1, "a"),
        pause(1, passing(), NOW),
        claimed(2, "a"),
        pause(2, passing(), NOW),
        claimed(3, "a"),
        failed(3, passing()),
        Event::Restarted(Restarted { by: owner() }),
    ]);
    given::<Job>(&past)
        .when(report(3, vec![]), NOW)
        .then_refused(Refusal::Fenced);
    given::<Job>(&past).when(claim("b"), NOW).then(&[claimed(4, "b")]);
    let again = [&past[..], &[claimed(4, "b")]].concat();
    given::<Job>(&again)
        .when(fail(4, passing()), NOW)
        .then(&[pause(4, passing(), NOW + Millis(2_000))]);
}

#[test]
fn the_timer_ends_an_attempt_whose_worker_is_silent() {
    let past = job(&[claimed(1, "a")]);
    let due = NOW + LEASE;
    assert_eq!(refold::<Job>(&past).due(), Some((due, Command::Wake)));
    given::<Job>(&past)
        .when(Command::Wake, due)
        .then(&[pause(1, silent(), due + Millis(2_000))]);
    given::<Job>(&past)
        .when(Command::Wake, due + Millis(-1))
        .then_nothing();
}
