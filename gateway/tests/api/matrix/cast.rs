//! The callers, and the things they are asked about.

use crate::mail::with_mail;
use crate::requests::Asking;
use crate::world::{Person, World, check};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Nobody,
    Viewer,
    Creator,
    Admin,
    Service,
    /// Whose account was locked.
    Disabled,
    /// A creator's program, with a key for everything that creators may do.
    Key,
    /// The same with a key for looking at the account only.
    Reader,
}

impl Who {
    pub const ALL: [Self; 8] = [
        Self::Nobody,
        Self::Viewer,
        Self::Creator,
        Self::Admin,
        Self::Service,
        Self::Disabled,
        Self::Key,
        Self::Reader,
    ];

    pub fn named(name: &str) -> Self {
        let found = Self::ALL
            .into_iter()
            .find(|who| format!("{who:?}").to_lowercase() == name);
        found.unwrap_or_else(|| panic!("there is no caller {name}"))
    }
}

/// Whose the thing is that the path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// The path names nothing.
    Nothing,
    Own,
    /// Somebody else's, for everybody to see.
    Other,
    /// Somebody else's, for nobody else to see.
    Private,
}

impl Whose {
    pub fn named(name: &str) -> Self {
        match name {
            "nothing" => Self::Nothing,
            "own" => Self::Own,
            "other" => Self::Other,
            "private" => Self::Private,
            _ => panic!("there is no {name}; there are nothing, own, other and private"),
        }
    }
}

/// Everybody who asks, and the one whose things are somebody else's.
pub struct Cast {
    pub world: World,
    pub owner: Person,
    /// Who gives roles and locks accounts.
    root: Person,
    callers: BTreeMap<Who, Person>,
    made: usize,
}

impl Cast {
    pub async fn assembled() -> Self {
        let world = World::open_with(with_mail).await;
        let owner = world.person("owner").await;
        let root = world.admin("root").await;
        let mut cast = Self {
            world,
            owner,
            root,
            callers: BTreeMap::new(),
            made: 0,
        };
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Nobody) {
            let person = cast.fresh(who).await;
            cast.callers.insert(who, person);
        }
        cast
    }

    /// A name that nobody has.
    pub fn name(&mut self) -> String {
        self.made += 1;
        format!("person{}", self.made)
    }

    /// The caller who asks for what changes nothing about callers; nothing for nobody.
    pub fn caller(&self, who: Who) -> Option<Person> {
        self.callers.get(&who).cloned()
    }

    /// One who has just come to be, for what does.
    pub async fn fresh(&mut self, who: Who) -> Person {
        let name = self.name();
        let person = self.world.person(&name).await;
        self.become_one(person, who).await
    }

    /// Somebody who could upload until now is such a caller from now on, with the token of before.
    pub async fn become_one(&self, person: Person, who: Who) -> Person {
        let role = match who {
            Who::Nobody => unreachable!("nobody is no person"),
            Who::Creator => return person,
            Who::Viewer => "viewer",
            Who::Admin => "admin",
            Who::Service => "service",
            Who::Key => {
                let all = ["videos:read", "videos:write", "account:read", "account:write"];
                return self.program(person, &all).await;
            }
            Who::Reader => return self.program(person, &["account:read"]).await,
            Who::Disabled => {
                let path = format!("/api/users/{}/toggle-status", person.id);
                check(&self.world.post(&path).by(&self.root).send().await, 200);
                return person;
            }
        };
        let path = format!("/api/users/{}", person.id);
        let change = json!({ "role": role });
        check(
            &self.world.put(&path).by(&self.root).json(&change).send().await,
            200,
        );
        person
    }

    /// Asks with a key of the person's instead of as the person.
    async fn program(&self, person: Person, scopes: &[&str]) -> Person {
        let access_token = text(&self.key(&person, scopes).await["key"]);
        Person {
            access_token,
            ..person
        }
    }

    /// A new API key.
    pub async fn key(&self, person: &Person, scopes: &[&str]) -> Value {
        let wanted = json!({ "name": "a key", "scopes": scopes });
        let made = self
            .world
            .post("/api/auth/api-keys")
            .by(person)
            .json(&wanted)
            .send()
            .await;
        check(&made, 201);
        made.json()
    }

    /// Can be brought back from now on.
    pub async fn delete(&self, person: &Person) {
        let path = format!("/api/users/{}?grace_days=7", person.id);
        check(&self.world.delete(&path).by(&self.root).send().await, 204);
    }

    /// A film that can be played, of `holder`.
    pub async fn film(&self, holder: &Person, whose: Whose) -> String {
        let visibility = match whose {
            Whose::Private => "private",
            _ => "public",
        };
        let film: Value = self.world.playable(holder, visibility).await;
        text(&film["id"])
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The request as the caller sends it.
pub fn by(asking: Asking, caller: Option<&Person>) -> Asking {
    match caller {
        None => asking,
        Some(person) if person.access_token.starts_with("spool_") => {
            asking.header("x-api-key", &person.access_token)
        }
        Some(person) => asking.by(person),
    }
}
