//! The audit view: what was done to an account, and what its person did elsewhere, by whom and when.
//!
//! A row for each fact says where it is in the log, and nothing else: there it is read when somebody looks at the trail, with, for
//! facts of accounts, a word of what it says. So the trail takes little room and little time to write, although everything that
//! anybody does is in it.

use crate::error::QueryError;
use crate::facts::Facts;
use crate::reading::cursor;
use crate::rows::Rows;
use crate::runtime::Serving;
use crate::view::{View, ViewError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Serialize;
use spool_domain::accounts::Event;
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, Feature, SessionId, StreamId};
use spool_domain::sealed::Sealed;
use spool_domain::text::write_digits;
use spool_domain::time::Timestamp;
use spool_log::{Log, ReadError, Record};
use spool_schemas::AnyEvent;
use spool_tables::{Order, Position};
use std::ops::{Bound, Deref};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const TRAIL: &str = "trail";
/// How many facts are read at once.
const STEP: usize = 500;
/// What another node wrote a row for, this one knows of in some milliseconds.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(5);
/// At least one record is read, and no other is wanted.
const ONE_RECORD_BYTES: usize = 1;

/// Answers what was done to and by a person. Blocking.
#[derive(Clone)]
pub struct Audit {
    serving: Arc<Serving>,
    log: Log,
}

/// One fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: Timestamp,
    pub stream: StreamId,
    /// The stream's version after the fact.
    pub version: u64,
    /// The event's type.
    pub event: String,
    /// What else there is to say in a word: the new role, why a session ended, …
    pub detail: Option<String>,
    pub by: Actor,
    pub session: Option<SessionId>,
    /// Address and program of the person whose trail it is: JSON, sealed with that person's key.
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
    pub(crate) const fn new(serving: Arc<Serving>, log: Log) -> Self {
        Self { serving, log }
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
        let mut items = Vec::with_capacity(rows.len());
        let mut read: Option<(Position, Record)> = None;
        for row in &rows {
            let place: Place = row
                .sk
                .parse()
                .map_err(|NoPlace| QueryError::Place(row.sk.clone()))?;
            let record = match read.take() {
                Some((at, record)) if at == place.at => record,
                _ => self.commit(place.at)?,
            };
            items.push(entry(account, &record, place)?);
            read = Some((place.at, record));
        }
        let last = rows.last().filter(|_| goes_on);
        Ok(Page {
            items,
            next_cursor: last.map(|row| cursor(&row.sk)),
        })
    }

    /// The commit there, which a row of the trail says there is. Blocking.
    pub fn commit(&self, at: Position) -> Result<Record, QueryError> {
        let asked = Instant::now();
        loop {
            let beyond = match self.log.read(at.partition, at.offset, ONE_RECORD_BYTES) {
                Ok(records) => match records.into_iter().next() {
                    Some(record) => return Ok(record),
                    None => ReadError::BeyondHead {
                        partition: at.partition,
                        from: at.offset,
                        head: at.offset,
                    },
                },
                Err(beyond @ ReadError::BeyondHead { .. }) => beyond,
                Err(error) => return Err(error.into()),
            };
            // Another node wrote the row, and this one has not heard of the commit yet.
            if asked.elapsed() > KNOWN_WITHIN {
                return Err(beyond.into());
            }
            std::thread::sleep(GLANCE);
        }
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
        let places = rows.iter().filter_map(|row| row.sk.parse::<Place>().ok());
        let mut positions: Vec<Position> = places.map(|place| place.at).collect();
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
        &self.serving
    }
}

/// Where a fact is: what a row is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    time: Timestamp,
    at: Position,
    /// The fact's number within the commit.
    number: usize,
}

/// Milliseconds, partition, offset and number, so wide that places sort as they are read.
const WIDTHS: [usize; 4] = [15, 5, 20, 5];
const TEXT_BYTES: usize = WIDTHS[0] + WIDTHS[1] + WIDTHS[2] + WIDTHS[3] + 3;
/// All that a row says is where it is.
const NOTHING: Bytes = Bytes::from_static(b"null");

#[derive(Debug)]
struct NoPlace;

impl Place {
    fn with_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        let numbers = [
            self.time.as_millis().max(0).cast_unsigned(),
            self.at.partition.into(),
            self.at.offset,
            self.number as u64,
        ];
        let mut text = [b'-'; TEXT_BYTES];
        let mut rest = &mut text[..];
        for (number, width) in numbers.into_iter().zip(WIDTHS) {
            write_digits(number, &mut rest[..width]);
            rest = rest.get_mut(width + 1..).unwrap_or_default();
        }
        take(str::from_utf8(&text).expect("digits and dashes are ASCII"))
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut parts = text.split('-').zip(WIDTHS);
        let mut next = || {
            let (digits, width) = parts.next().ok_or(NoPlace)?;
            let is_number = digits.len() == width && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| is_number).ok_or(NoPlace)
        };
        let place = Self {
            time: Timestamp::from_millis(next()?.try_into().map_err(|_| NoPlace)?),
            at: Position {
                partition: next()?.try_into().map_err(|_| NoPlace)?,
                offset: next()?,
            },
            number: next()?.try_into().map_err(|_| NoPlace)?,
        };
        match text.split('-').count() == WIDTHS.len() {
            true => Ok(place),
            false => Err(NoPlace),
        }
    }
}

/// The place in a trail that a cursor stands for.
fn place(cursor: &str) -> Result<String, QueryError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let is_place = |key: &String| key.parse::<Place>().is_ok();
    key.filter(is_place).ok_or(QueryError::BadCursor)
}

pub(crate) struct AuditView;

impl View for AuditView {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn schema(&self) -> u32 {
        2
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
        let actor = facts.actor()?.account().filter(|account| Some(*account) != own);
        for (number, fact) in facts.all.iter().enumerate() {
            if is_noise(fact.name) {
                continue;
            }
            let time = facts.time;
            Place { time, at, number }.with_text(|place| {
                for whose in [own, actor].into_iter().flatten() {
                    let mut account = Uuid::encode_buffer();
                    let account = whose.0.hyphenated().encode_lower(&mut account);
                    rows.append(TRAIL, account, place, NOTHING);
                }
            });
        }
        Ok(())
    }
}

/// What programs do by themselves.
fn is_noise(name: &str) -> bool {
    matches!(name, "SessionRefreshed" | "RegistrationVoided" | "NameGivenUp")
}

/// A fact as the trail of `account` has it.
fn entry(account: AccountId, record: &Record, place: Place) -> Result<Entry, QueryError> {
    let unreadable = |reason: String| QueryError::Fact { at: place.at, reason };
    let facts = Facts::decode(&record.payload).map_err(|error| unreadable(error.to_string()))?;
    let fact = facts.all.get(place.number);
    let fact = fact.ok_or_else(|| unreadable(format!("it has no fact {}", place.number)))?;
    let by = facts.actor().map_err(|error| unreadable(error.to_string()))?;
    // Where somebody else was is none of the person's business, nor could it be read.
    let client = match by.account() == Some(account) {
        true => facts.client().map_err(|error| unreadable(error.to_string()))?,
        false => None,
    };
    let mut entry = Entry {
        at: facts.time,
        stream: facts.stream,
        version: facts.version.saturating_add(place.number as u64),
        event: fact.name.to_owned(),
        detail: None,
        by,
        session: None,
        client,
    };
    // One of a later version, which this program cannot read, has its name all the same.
    if let Ok(AnyEvent::Accounts(event)) = fact.event() {
        add_account_fact(&mut entry, event);
    }
    Ok(entry)
}

fn add_account_fact(entry: &mut Entry, event: &Event) {
    match event {
        Event::Registered(registered) => {
            entry.detail = registered
                .identity
                .as_ref()
                .map(|identity| identity.provider.clone());
        }
        Event::SessionStarted(started) => {
            entry.session = Some(started.session);
            if started.client.is_some() {
                entry.client.clone_from(&started.client);
            }
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
}

/// As it is written in JSON.
fn word<T: Serialize>(value: &T) -> Option<String> {
    let value = serde_json::to_value(value).ok()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_read_as_it_was_written(time in 0..4_102_444_800_000i64, partition: u16, offset: u64, number in 0..99_999usize) {
            let at = Position { partition, offset };
            let place = Place { time: Timestamp::from_millis(time), at, number };
            prop_assert_eq!(place.with_text(str::parse::<Place>).ok(), Some(place));
        }

        #[test]
        fn what_is_no_place_is_not_taken_for_one(text in "[0-9]{14,16}-[0-9+]{4,6}-[0-9]{19,21}-[0-9]{4,6}(-[0-9]{0,3})?") {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.with_text(str::to_owned), text);
            }
        }
    }
}
