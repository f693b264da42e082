//! Any commit is read back as it was written, and nothing that is not one makes the reader fall over.

use crate::anything;
use crate::files::{folder, read};
use crate::records::{owned, records};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use spool_domain::ids::{Feature, StreamId};
use spool_domain::sealed::Sealed;
use spool_schemas::{AnyEvent, Cause, Commit, CommitRef, Envelope, Event, EventOutline, Origin, Outline};
use uuid::Uuid;

fn any_event() -> impl Strategy<Value = AnyEvent> {
    prop_oneof![
        anything::account_event().prop_map(AnyEvent::from),
        anything::reservation_event().prop_map(AnyEvent::from),
        anything::upload_event().prop_map(AnyEvent::from),
        anything::video_event().prop_map(AnyEvent::from),
        anything::job_event().prop_map(AnyEvent::from),
        anything::view_event().prop_map(AnyEvent::from),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    let origin = (anything::text(), any::<u16>(), any::<u64>(), any::<u32>()).prop_map(
        |(manager, partition, offset, number)| Origin {
            manager,
            partition,
            position: (offset, number),
        },
    );
    let text = || option::of(anything::text());
    let client = option::of(anything::text().prop_map(Sealed));
    (anything::uuid(), text(), text(), client, option::of(origin)).prop_map(
        |(correlation, causation, traceparent, client, origin)| Cause {
            correlation,
            causation,
            traceparent,
            client,
            origin,
        },
    )
}

fn any_commit() -> impl Strategy<Value = Commit> {
    let stream = (0..Feature::ALL.len(), any::<u128>()).prop_map(|(feature, id)| StreamId {
        feature: Feature::ALL[feature],
        id: Uuid::from_u128(id),
    });
    let who = (anything::time(), anything::actor(), cause());
    let what = (any::<u64>(), any::<u128>(), option::of("[0-9a-f]{32}"));
    (stream, what, who, vec(any_event(), 0..6)).prop_map(|(stream, what, who, events)| Commit {
        stream,
        version: what.0,
        command: Uuid::from_u128(what.1),
        request: what.2,
        time: who.0,
        actor: who.1,
        cause: who.2,
        events: events.into_iter().map(Event).collect(),
    })
}

/// The outline says the same as the whole.
fn check_outline(outline: &Outline<'_>, commit: &CommitRef<'_>) {
    assert_eq!(
        (outline.stream, outline.version, outline.time),
        (commit.stream, commit.version, commit.time)
    );
    assert_eq!(serde_json::from_str(outline.actor).ok(), Some(commit.actor));
    assert_eq!(
        serde_json::from_str(outline.cause).ok(),
        Some(commit.cause.clone())
    );
    let events = commit.events.iter().map(|event| EventOutline {
        name: event.name,
        version: event.version,
        data: event.data.get(),
    });
    assert!(outline.events.iter().copied().eq(events));
}

/// Reads all there is to read, and minds neither success nor refusal.
fn read_all(record: &[u8]) {
    if let Ok(outline) = Outline::<EventOutline<'_>>::decode(record) {
        for event in outline.events {
            let _ = AnyEvent::decode(event.name, event.version, event.data);
        }
    }
    if let Ok(commit) = CommitRef::decode(record) {
        let _ = commit.decode_events();
        let _ = commit.last_version();
        let _ = commit.versioned().count();
        let _ = Envelope::of_commit(&commit);
    }
}

proptest! {
    #[test]
    fn a_commit_is_read_back_as_it_was_written(commit in any_commit()) {
        let record = commit.encode();
        let by_serde = serde_json::to_vec(&commit).expect("a commit is JSON");
        prop_assert_eq!(&record, &by_serde);
        let read = CommitRef::decode(&record).expect("it was just written");
        let events = read.decode_events().expect("they were just written");
        prop_assert_eq!(read.last_version(), commit.last_version());
        let outline = Outline::decode(&record).expect("it was just written");
        check_outline(&outline, &read);
        let again = owned(&read, events);
        prop_assert_eq!(again.encode(), record);
        prop_assert_eq!(again, commit);
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn a_damaged_record_is_refused_or_read(
        which in 0usize..6,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut record = records().swap_remove(which).1.encode();
        for (at, byte) in damage {
            let at = at.index(record.len());
            record[at] = byte;
        }
        if cut {
            record.truncate(end.index(record.len()));
        }
        read_all(&record);
    }

    /// Brackets without end must not exhaust the stack.
    #[test]
    fn deep_nesting_is_refused_or_read(depth in 1usize..100_000) {
        let record = String::from_utf8(records().swap_remove(4).1.encode()).expect("JSON is UTF-8");
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        read_all(record.replace("\"360p\"", &nested).as_bytes());
        read_all("[".repeat(depth).as_bytes());
    }
}

#[test]
fn an_envelope_is_as_described() {
    let schema: Value = serde_json::to_value(spool_schemas::json_schema::of_envelope()).expect("it is JSON");
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the schema is sound");
    for (feature, commit) in records() {
        let record = commit.encode();
        let commit = CommitRef::decode(&record).expect("it was just written");
        for envelope in Envelope::of_commit(&commit) {
            let envelope = serde_json::to_value(envelope).expect("an envelope is JSON");
            let complaints: Vec<_> = validator.iter_errors(&envelope).collect();
            assert!(complaints.is_empty(), "{feature:?}: {complaints:?}");
        }
    }
}

#[test]
fn an_envelope_is_known_by_its_stream_and_version() {
    let record = read(&folder("golden/records").join("videos.json"));
    let commit = CommitRef::decode(record.as_bytes()).expect("golden records are read for ever");
    let ids: Vec<String> = Envelope::of_commit(&commit)
        .into_iter()
        .map(|event| event.id)
        .collect();
    let stream = "videos-01982f41-9b70-7c3e-8f52-6b1d0e9a4c27";
    assert_eq!(ids, [format!("{stream}@1"), format!("{stream}@2")]);
}

#[test]
#[should_panic(expected = "hexadecimal")]
fn a_request_mark_that_could_not_be_read_is_not_written() {
    let (_, commit) = records().swap_remove(0);
    let request = Some("a\"b".to_owned());
    let _ = Commit { request, ..commit }.encode();
}

#[test]
fn what_a_later_program_adds_is_passed_over() {
    let record = read(&folder("golden/records").join("videos.json"));
    let later = record.replacen("{", "{\"signature\":\"…\",", 1);
    let commit = CommitRef::decode(later.as_bytes()).expect("unknown fields are no error");
    assert_eq!(commit.decode_events().map(|events| events.len()).ok(), Some(2));
}
