//! Whole records as the log has them, one of every feature.

use crate::samples::{ANNA, COMMAND, EMAIL, VIDEO, at, created, first_news, owner, received, registered};
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{Feature, JobId, StreamId, UploadId, ViewId};
use spool_domain::time::Timestamp;
use spool_domain::{accounts, jobs, reservations, uploads, views};
use spool_schemas::{AnyEvent, Cause, Commit, CommitRef, Event, Origin};
use uuid::uuid;

const CORRELATION: uuid::Uuid = uuid!("01982f41-9b6f-7a01-b1de-5c0b6a1f0d33");
const REQUEST: &str = "8d969eef6ecad3c29a3a629280e686cf";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A commit as written.
pub fn commit(
    stream: StreamId,
    version: u64,
    time: Timestamp,
    actor: Actor,
    events: Vec<AnyEvent>,
) -> Commit {
    Commit {
        stream,
        version,
        command: COMMAND,
        request: None,
        time,
        actor,
        cause: Cause {
            correlation: CORRELATION,
            ..Cause::default()
        },
        events: events.into_iter().map(Event).collect(),
    }
}

/// A commit that a person asked for over HTTP.
fn asked(commit: Commit) -> Commit {
    let request = Some(REQUEST.to_owned());
    let traceparent = Some(TRACE.to_owned());
    let cause = Cause {
        traceparent,
        ..commit.cause
    };
    Commit {
        request,
        cause,
        ..commit
    }
}

/// A commit that a process manager brought about.
fn followed(commit: Commit, from: StreamId, position: (u64, u32)) -> Commit {
    let origin = Origin {
        manager: "videos-from-uploads".into(),
        partition: 11,
        position,
    };
    let cause = Cause {
        causation: Some(format!("{from}@1")),
        traceparent: Some(TRACE.into()),
        origin: Some(origin),
        ..commit.cause
    };
    Commit { cause, ..commit }
}

pub fn records() -> Vec<(Feature, Commit)> {
    let person = accounts::Event::Registered(registered(Role::Creator));
    let reserved = reservations::Event::Reserved(reservations::Reserved {
        account: ANNA,
        until: at("08:01:00.000"),
    });
    let received = uploads::Event::Received(received());
    let upload = UploadId::of(VIDEO).stream();
    let view = ViewId::of("catalogue").stream();
    let switched = views::Event::Switched(views::Switched {
        name: "catalogue".into(),
        version: 2,
    });
    let [nobody, system] = [Actor::Anonymous, Actor::System];
    let early = at("08:00:00.000");
    vec![
        (
            Feature::Accounts,
            asked(commit(ANNA.stream(), 1, early, nobody, vec![person.into()])),
        ),
        (
            Feature::Reservations,
            asked(commit(EMAIL.stream(), 1, early, nobody, vec![reserved.into()])),
        ),
        (
            Feature::Uploads,
            asked(commit(
                upload,
                1,
                at("08:00:01.417"),
                owner(),
                vec![received.into()],
            )),
        ),
        (
            Feature::Videos,
            followed(
                commit(
                    VIDEO.stream(),
                    1,
                    at("08:00:01.431"),
                    system,
                    created().map(AnyEvent::from).to_vec(),
                ),
                upload,
                (4_711, 0),
            ),
        ),
        (Feature::Jobs, work()),
        (
            Feature::Views,
            commit(view, 2, at("09:30:00.000"), system, vec![switched.into()]),
        ),
    ]
}

fn work() -> Commit {
    let mut events = first_news(2).map(AnyEvent::from).to_vec();
    let until = at("08:00:50.002");
    events.push(jobs::Event::LeaseRenewed(jobs::LeaseRenewed { attempt: 2, until }).into());
    commit(
        JobId::of(VIDEO, 1).stream(),
        5,
        at("08:00:20.002"),
        Actor::System,
        events,
    )
}

/// The commit that was read, with its events decoded, to be written again.
pub fn owned(commit: &CommitRef<'_>, events: Vec<AnyEvent>) -> Commit {
    Commit {
        stream: commit.stream,
        version: commit.version,
        command: commit.command,
        request: commit.request.map(str::to_owned),
        time: commit.time,
        actor: commit.actor,
        cause: commit.cause.clone(),
        events: events.into_iter().map(Event).collect(),
    }
}
