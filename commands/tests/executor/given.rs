//! The things that the tests are about: accounts, videos, jobs, and questions.

use spool_commands::Ask;
use spool_commands::accounts::{email_place, username_place};
use spool_domain::accounts::Registered;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, JobId, UploadId, VideoId};
use spool_domain::sealed::Sealed;
use spool_domain::time::Millis;
use spool_domain::videos::{Described, Source, Visibility};
use spool_domain::{jobs, uploads, videos};
use spool_platform::keys::Keys;
use uuid::Uuid;

pub const LEASE: Millis = Millis(30_000);

pub fn account(number: u64) -> AccountId {
    AccountId(spread(1, number))
}

pub fn video(number: u64) -> VideoId {
    VideoId(spread(2, number))
}

pub fn job(number: u64) -> JobId {
    JobId::of(video(number), 1)
}

/// Ids that lie in different partitions.
fn spread(kind: u128, number: u64) -> Uuid {
    Uuid::from_u128(kind << 64 | u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

pub fn owner() -> Actor {
    Actor::Person {
        account: account(1),
        role: Role::Creator,
    }
}

/// A question with an idempotency key and a mark of what was asked.
pub fn ask(key: u64, request: &str) -> Ask {
    Ask {
        command: spread(3, key),
        request: Some(request.to_owned()),
        ..fresh()
    }
}

pub fn fresh() -> Ask {
    Ask::fresh(owner())
}

pub fn described(title: &str) -> Described {
    Described {
        title: title.to_owned(),
        description: String::new(),
        visibility: Visibility::Public,
    }
}

pub fn source(number: u64) -> Source {
    Source {
        blob: format!("originals/{number}"),
        file_name: "film.mp4".into(),
        bytes: 1_000,
        sha256: "ab".repeat(32),
        container: "mp4".into(),
    }
}

pub fn received(number: u64) -> uploads::Received {
    uploads::Received {
        video: video(number),
        owner: account(1),
        description: described("a film"),
        source: source(number),
    }
}

pub fn receive(number: u64) -> uploads::Command {
    uploads::Command::Receive(received(number))
}

pub fn create(number: u64) -> videos::Command {
    videos::Command::Create {
        owner: account(1),
        description: described("a film"),
        upload: UploadId::of(video(number)),
        source: source(number),
    }
}

pub fn describe(title: &str) -> videos::Command {
    videos::Command::Describe {
        by: owner(),
        description: described(title),
    }
}

pub fn delete() -> videos::Command {
    videos::Command::Delete { by: owner() }
}

pub fn request(number: u64) -> jobs::Command {
    jobs::Command::Request(jobs::Requested {
        video: video(number),
        owner: account(1),
        blob: format!("originals/{number}"),
        container: "mp4".into(),
        attempts_max: 3,
    })
}

pub fn claim(worker: &str) -> jobs::Command {
    jobs::Command::Claim {
        worker: worker.to_owned(),
        lease: LEASE,
    }
}

pub fn registered(keys: &Keys, email: &str, username: &str) -> Registered {
    Registered {
        personal: Sealed("sealed".into()),
        password_hash: Sealed("sealed".into()),
        email: email_place(keys, email),
        username: username_place(keys, username),
        role: Role::Creator,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    }
}
