//! The audit view: what was done to an account, and what its person did elsewhere, by whom and when.
//!
//! A row for each fact, made from the envelope and, for facts of accounts, a word of what they say. Where a person was is as
//! sealed in the row as in the log.

use crate::error::QueryError;
use crate::facts::{Fact, Facts};
use crate::reading::{cursor, decode};
use crate::rows::Rows;
use crate::runtime::Serving;
use crate::view::{View, ViewError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use spool_domain::accounts::Event;
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, Feature, SessionId, StreamId};
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use spool_schemas::AnyEvent;
use spool_tables::{Order, Position};
use std::ops::{Bound, Deref};
use std::sync::Arc;

const TRAIL: &str = "trail";
/// How many facts are read at once.
const STEP: usize = 500;
/// Milliseconds, partition, offset and the fact's number within the commit.
const PLACE: [usize; 4] = [15, 5, 20, 5];

/// Answers what was done to and by a person. Blocking.
#[derive(Clone)]
pub struct Audit(Arc<Serving>);

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub stream: StreamId,
    /// The stream's version after the fact.
    pub version: u64,
    /// The event's type.
    pub event: String,
    /// What else there is to say in a word: the new role, why a session ended, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub by: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Address and program of the person whose trail it is: JSON, sealed with that person's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Sealed>,
}

/// Some of a trail, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub items: Vec<Entry>,
    /// None at the end of the trail.
    pub next_cursor: Option<String>,
}

impl Audit {
    pub(crate) const fn new(serving: Arc<Serving>) -> Self {
        Self(serving)
    }

    /// The trail of an account, also of one that is erased; empty for one that never was.
    pub fn trail(&self, account: AccountId, after: Option<&str>, limit: usize) -> Result<Page, QueryError> {
        let tables = &self.version()?.tables;
        let after = after.map(place).transpose()?;
        let older = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let bounds = (Bound::Unbounded, older);
        let pk = account.to_string();
        let mut rows = tables.range(TRAIL, &pk, bounds, Order::Descending, limit.saturating_add(1))?;
        let goes_on = rows.len() > limit;
        rows.truncate(limit);
        let items = rows.iter().map(|row| decode(TRAIL, &row.value));
        let last = rows.last().filter(|_| goes_on);
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next_cursor: last.map(|row| cursor(&row.sk)),
        })
    }
}

/// Where some commits of a trail are in the log, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Commits {
    pub positions: Vec<Position>,
    /// What the next ones come after; none at the end of the trail.
    pub next: Option<String>,
}

impl Audit {
    /// The commits that the trail is made of, some at a time.
    pub fn commits(&self, account: AccountId, after: Option<&str>) -> Result<Commits, QueryError> {
        let tables = &self.version()?.tables;
        let later = after.map_or(Bound::Unbounded, Bound::Excluded);
        let bounds = (later, Bound::Unbounded);
        let rows = tables.range(TRAIL, &account.to_string(), bounds, Order::Ascending, STEP)?;
        let mut positions: Vec<Position> = rows.iter().filter_map(|row| position(&row.sk)).collect();
        positions.dedup();
        let last = rows.last().filter(|_| rows.len() == STEP);
        Ok(Commits {
            positions,
            next: last.map(|row| row.sk.clone()),
        })
    }
}

impl Deref for Audit {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.0
    }
}

/// The place in a trail that a cursor stands for.
fn place(cursor: &str) -> Result<String, QueryError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let is_place = |key: &String| {
        let parts: Vec<&str> = key.split('-').collect();
        let lengths = parts.iter().map(|part| part.len());
        lengths.eq(PLACE)
            && parts
                .iter()
                .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    key.filter(is_place).ok_or(QueryError::BadCursor)
}

fn position(place: &str) -> Option<Position> {
    let mut parts = place.split('-').skip(1);
    Some(Position {
        partition: parts.next()?.parse().ok()?,
        offset: parts.next()?.parse().ok()?,
    })
}

pub(crate) struct AuditView;

impl View for AuditView {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn schema(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &[TRAIL]
    }

    fn changes_of(&self) -> &'static str {
        TRAIL
    }

    fn apply(&self, facts: &Facts<'_>, at: Position, rows: &mut Rows) -> Result<(), ViewError> {
        let own = match facts.stream.feature {
            Feature::Accounts => Some(AccountId(facts.stream.id)),
            Feature::Uploads | Feature::Videos | Feature::Jobs => None,
            // Of names and of our own parts, which nobody does on purpose.
            Feature::Reservations | Feature::Views => return Ok(()),
        };
        // Nearly everything that happens to films is done by workers.
        if own.is_none() && !facts.is_by_a_person() {
            return Ok(());
        }
        let by = facts.actor()?;
        let actor = by.account().filter(|account| Some(*account) != own);
        let client = match by.account() {
            Some(_) => facts.client()?,
            None => None,
        };
        for (number, (version, fact)) in (facts.version..=u64::MAX).zip(&facts.all).enumerate() {
            if is_noise(fact.name) {
                continue;
            }
            let entry = entry(facts, version, fact, by)?;
            let [time, partition, offset, ordinal] = PLACE;
            let place = format!(
                "{:0time$}-{:0partition$}-{:0offset$}-{number:0ordinal$}",
                facts.time.as_millis().max(0),
                at.partition,
                at.offset,
            );
            if let Some(actor) = actor {
                let seen = Entry {
                    client: client.clone(),
                    ..entry.clone()
                };
                rows.set(TRAIL, &actor.to_string(), &place, Some(seen));
            }
            if let Some(own) = own {
                // Where somebody else was is none of the person's business, nor could it be read.
                let is_own = actor.is_none();
                let client = entry.client.clone().or_else(|| client.clone().filter(|_| is_own));
                let seen = Entry { client, ..entry };
                rows.set(TRAIL, &own.to_string(), &place, Some(seen));
            }
        }
        Ok(())
    }
}

/// What programs do by themselves.
fn is_noise(name: &str) -> bool {
    matches!(name, "SessionRefreshed" | "RegistrationVoided" | "NameGivenUp")
}

fn entry(facts: &Facts<'_>, version: u64, fact: &Fact<'_>, by: Actor) -> Result<Entry, ViewError> {
    let mut entry = Entry {
        at: facts.time,
        stream: facts.stream,
        version,
        event: fact.name.to_owned(),
        detail: None,
        by,
        session: None,
        client: None,
    };
    if facts.stream.feature != Feature::Accounts {
        return Ok(entry);
    }
    let AnyEvent::Accounts(event) = fact.event()? else {
        return Ok(entry);
    };
    match event {
        Event::Registered(registered) => {
            entry.detail = registered
                .identity
                .as_ref()
                .map(|identity| identity.provider.clone());
        }
        Event::SessionStarted(started) => {
            entry.session = Some(started.session);
            entry.client.clone_from(&started.client);
        }
        Event::SessionEnded(ended) => {
            entry.session = Some(ended.session);
            entry.detail = word(&ended.reason);
        }
        Event::PasswordChanged(changed) => entry.detail = word(&changed.how),
        Event::RoleChanged(changed) => entry.detail = word(&changed.role),
        Event::Deleted(deleted) => entry.detail = word(&deleted.erase_at),
        Event::ApiKeyCreated(created) => entry.detail = word(&created.key),
        Event::ApiKeyRevoked(revoked) => entry.detail = word(&revoked.key),
        Event::IdentityLinked(linked) => entry.detail = Some(linked.identity.provider.clone()),
        Event::RegistrationVoided(_)
        | Event::SessionRefreshed(_)
        | Event::PasswordResetRequested(_)
        | Event::EmailConfirmationRequested(_)
        | Event::EmailConfirmed(_)
        | Event::ProfileChanged(_)
        | Event::NameGivenUp(_)
        | Event::PreferencesChanged(_)
        | Event::AvatarChanged(_)
        | Event::AvatarRemoved(_)
        | Event::Disabled(_)
        | Event::Enabled(_)
        | Event::Restored(_)
        | Event::Erased(_)
        | Event::IdentityUnlinked(_) => {}
    }
    Ok(entry)
}

/// As it is written in JSON.
fn word<T: Serialize>(value: &T) -> Option<String> {
    let value = serde_json::to_value(value).ok()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
