//! The shapes that other teams read: published as JSON Schema, only ever growing, and without personal data.

// The same rule by which the schemas of the log's own events are held to what was promised.
#[allow(dead_code, reason = "its own tests are run where it lives")]
#[path = "../../../schemas/tests/written/compatibility.rs"]
mod compatibility;

use serde_json::Value;
use spool_kafka::topics::PUBLIC;
use spool_projections::publisher::public::{PublicEvent, PublicType, Topic, public_types};
use spool_schemas::{AnyEvent, event_types};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const HOW_TO_UPDATE: &str = "run UPDATE=1 cargo test -p spool-projections --test publisher shapes, look at the difference and commit it";

/// What is nobody else's business. An event that is neither here nor public has not been thought about.
const INTERNAL: &[&str] = &[
    "ApiKeyCreated",
    "ApiKeyRevoked",
    "AvatarChanged",
    "AvatarRemoved",
    "EmailConfirmationRequested",
    "EmailConfirmed",
    "IdentityLinked",
    "IdentityUnlinked",
    "JobLeaseRenewed",
    "NameConfirmed",
    "NameGivenUp",
    "NameReleased",
    "NameReservationLapsed",
    "NameReserved",
    "PasswordChanged",
    "PasswordResetRequested",
    "PasswordResetWanted",
    "PreferencesChanged",
    "ProfileChanged",
    "RegistrationVoided",
    "RenditionStarted",
    "RoleChanged",
    "SegmentsPublished",
    "SessionEnded",
    "SessionRefreshed",
    "SessionStarted",
    "ThumbnailMade",
    "UploadReceived",
    "UserDeleted",
    "UserDisabled",
    "UserEnabled",
    "UserRestored",
    "ViewSwitched",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/public")
}

fn file(kind: &PublicType) -> PathBuf {
    folder().join(format!("{}.v{}.json", kind.name, kind.version))
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

#[test]
fn every_event_is_either_public_or_known_to_be_nobody_elses_business() {
    let public: BTreeSet<&str> = public_types().iter().map(|kind| kind.name).collect();
    let internal: BTreeSet<&str> = INTERNAL.iter().copied().collect();
    let all: BTreeSet<&str> = event_types().iter().map(|event| event.name).collect();
    let known: BTreeSet<&str> = public.union(&internal).copied().collect();
    assert_eq!(known, all);
    assert_eq!(public.intersection(&internal).count(), 0);
}

#[test]
fn the_topics_are_those_that_are_made() {
    assert_eq!(Topic::ALL.map(Topic::name).as_slice(), PUBLIC);
}

#[test]
fn the_published_schemas_are_what_the_code_says_and_only_grow() {
    let mut drifted = vec![];
    for kind in public_types() {
        let (path, schema) = (file(&kind), kind.json_schema());
        let before = std::fs::read_to_string(&path).ok();
        if let Some(before) = &before {
            let before: Value = serde_json::from_str(before).expect("a published schema is JSON");
            if before == schema {
                continue;
            }
            let broken = compatibility::broken_promises(&before, &schema);
            assert!(
                broken.is_empty(),
                "{} would break what was promised: {broken:#?}",
                path.display()
            );
        }
        if updating() {
            let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
            std::fs::write(&path, text).expect("the folder is there");
        } else {
            drifted.push(path);
        }
    }
    assert!(
        drifted.is_empty(),
        "{drifted:?} are not what the code says: {HOW_TO_UPDATE}"
    );
}

#[test]
fn every_property_is_described() {
    for kind in public_types() {
        let schema = kind.json_schema();
        assert!(jsonschema::meta::is_valid(&schema), "{}", kind.name);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let described = property["description"].is_string() || property.get("$ref").is_some();
            assert!(described, "{}: {name} has no docstring", kind.name);
        }
    }
}

/// The golden samples are every kind of event that was ever written. Nothing that was sealed, no place of a name, no
/// file name and no blob gets out, and what does is as published.
#[test]
fn no_personal_data_gets_out_of_any_event_ever_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden");
    let samples: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the samples are there")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    assert!(samples.len() >= event_types().len());
    let mut published = 0;
    for path in samples {
        let text = std::fs::read_to_string(&path).expect("a sample is text");
        let (event, canaries) = sample(&path, &text);
        let Some(public) = PublicEvent::of(&event) else {
            continue;
        };
        published += 1;
        let body = String::from_utf8(public.body()).expect("JSON is text");
        for canary in canaries {
            assert!(
                !body.contains(&canary),
                "{}: {canary} gets out: {body}",
                path.display()
            );
        }
        let schema = jsonschema::validator_for(&public.kind().json_schema()).expect("a schema");
        assert!(
            schema.is_valid(&serde_json::from_str(&body).expect("JSON")),
            "{body}"
        );
    }
    assert!(published >= public_types().len());
}

/// The event, and every text in it that must stay inside.
fn sample(path: &Path, text: &str) -> (AnyEvent, Vec<String>) {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .expect("our names are ASCII");
    let mut parts = name.split('.');
    let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let version = version.trim_start_matches('v').parse().expect("a version");
    let event = AnyEvent::decode(name, version, text).expect("samples decode for ever");
    let mut canaries = vec![];
    collect(
        &serde_json::from_str(text).expect("a sample is JSON"),
        &mut canaries,
    );
    (event, canaries)
}

fn collect(value: &Value, canaries: &mut Vec<String>) {
    const INSIDE: &[&str] = &[
        "personal",
        "password_hash",
        "email",
        "username",
        "file_name",
        "blob",
        "worker",
        "session",
        "title",
        "description",
        "client",
        "preferences",
        "shown",
        "name",
    ];
    for (name, inner) in value.as_object().into_iter().flatten() {
        match inner.as_str() {
            Some(text) if INSIDE.contains(&name.as_str()) => canaries.push(text.to_owned()),
            _ => collect(inner, canaries),
        }
    }
}
