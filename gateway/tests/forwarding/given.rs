//! The things that the tests are about: videos, accounts, and questions.

use spool_commands::Ask;
use spool_commands::accounts::{email_place, username_place};
use spool_domain::accounts::Registered;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::sealed::Sealed;
use spool_domain::videos::{Command, Described, Source, Visibility};
use spool_platform::keys::Keys;
use uuid::Uuid;

pub fn account(number: u64) -> AccountId {
    AccountId(spread(1, number))
}

pub fn video(number: u64) -> VideoId {
    VideoId(spread(2, number))
}

/// Ids that lie in different partitions.
fn spread(kind: u128, number: u64) -> Uuid {
    Uuid::from_u128(kind << 64 | u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

pub fn person(number: u64) -> Actor {
    Actor::Person {
        account: account(number),
        role: Role::Creator,
    }
}

/// A question that can be known again.
pub fn ask(key: u64) -> Ask {
    Ask {
        command: spread(3, key),
        request: Some("aa".to_owned()),
        ..fresh()
    }
}

pub fn fresh() -> Ask {
    Ask::fresh(person(1))
}

pub fn create(number: u64) -> Command {
    Command::Create {
        owner: account(1),
        description: described("a film"),
        upload: UploadId::of(video(number)),
        source: Source {
            blob: format!("originals/{number}"),
            file_name: "film.mp4".into(),
            bytes: 1_000,
            sha256: "ab".repeat(32),
            container: "mp4".into(),
        },
    }
}

pub fn describe(title: &str) -> Command {
    Command::Describe {
        by: person(1),
        description: described(title),
    }
}

pub fn described(title: &str) -> Described {
    Described {
        title: title.to_owned(),
        description: String::new(),
        visibility: Visibility::Public,
    }
}

pub fn registered(keys: &Keys, name: &str) -> Registered {
    Registered {
        personal: Sealed("sealed".into()),
        password_hash: Sealed("sealed".into()),
        email: email_place(keys, &format!("{name}@x.example")),
        username: username_place(keys, name),
        role: Role::Creator,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    }
}
