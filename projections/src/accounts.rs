//! The accounts view: looks up people by account and accounts by reserved place, and lists them. Personal data stays sealed.

use crate::error::QueryError;
use crate::facts::Facts;
use crate::reading::{by_time, cursor, decode, id_of, place, row};
use crate::rows::Rows;
use crate::runtime::Serving;
use crate::view::{View, ViewError};
use serde::{Deserialize, Serialize};
use spool_domain::actors::Role;
use spool_domain::ids::{AccountId, Feature, ReservationId};
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use spool_domain::{accounts, reservations};
use spool_schemas::AnyEvent;
use spool_tables::{Order, Position};
use std::ops::{Bound, Deref};
use std::sync::Arc;

const ACCOUNTS: &str = "accounts";
const PLACES: &str = "places";
/// Apart from the accounts, which are read more often than the pictures.
const AVATARS: &str = "avatars";
/// By registration, with what the list is narrowed by.
const LISTED: &str = "listed";
const ALL: &str = "all";
/// How many accounts are looked through at once, and for one page.
const STEP: usize = 1_000;
const LOOKED_THROUGH: usize = 20_000;

/// Answers about accounts. Blocking.
#[derive(Clone)]
pub struct Accounts(Arc<Serving>);

/// One account. Whoever has the keys reads `personal`: JSON with e-mail address, names and username.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRow {
    pub id: AccountId,
    pub personal: Sealed,
    pub role: Role,
    pub status: Status,
    /// Locked by an administrator, also while it is deleted.
    pub is_locked: bool,
    pub email: ReservationId,
    pub email_confirmed: bool,
    pub username: ReservationId,
    /// Which picture there is, if any; see [`Accounts::avatar`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Of a deleted account: when nobody can bring it back any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erase_at: Option<Timestamp>,
}

/// Which accounts to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    pub role: Option<Role>,
    pub status: Option<Status>,
    /// From an earlier page; the list goes on after it.
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Some of a list. It may be short, or empty, and yet go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub items: Vec<AccountRow>,
    /// None at the end of the list.
    pub next_cursor: Option<String>,
}

/// Whether an account may be used. What is erased has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    /// Locked by an administrator.
    Disabled,
    /// To be erased, unless an administrator brings it back.
    Deleted,
}

/// A person's picture. Whoever has the keys sees `image`: a square JPEG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avatar {
    pub version: String,
    pub image: Sealed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    account: AccountId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Listed {
    role: Role,
    status: Status,
}

impl Accounts {
    pub(crate) const fn new(serving: Arc<Serving>) -> Self {
        Self(serving)
    }

    pub fn account(&self, id: AccountId) -> Result<Option<AccountRow>, QueryError> {
        row(&self.version()?.tables, ACCOUNTS, &id.to_string(), "")
    }

    pub fn avatar(&self, id: AccountId) -> Result<Option<Avatar>, QueryError> {
        row(&self.version()?.tables, AVATARS, &id.to_string(), "")
    }

    /// The account that has confirmed this place.
    pub fn holder(&self, place: ReservationId) -> Result<Option<AccountId>, QueryError> {
        let place: Option<Place> = row(&self.version()?.tables, PLACES, &place.to_string(), "")?;
        Ok(place.map(|place| place.account))
    }

    /// Looks through a bounded number of accounts, whatever they are narrowed by.
    pub fn list(&self, list: &List) -> Result<Page, QueryError> {
        let tables = &self.version()?.tables;
        let mut after = list.cursor.as_deref().map(place).transpose()?;
        let mut items = vec![];
        let mut looked_through = 0;
        while looked_through < LOOKED_THROUGH {
            let older = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let keys = tables.range(LISTED, ALL, (Bound::Unbounded, older), Order::Descending, STEP)?;
            let is_last = keys.len() < STEP;
            for key in keys {
                looked_through += 1;
                let listed: Listed = decode(LISTED, &key.value)?;
                let is_wanted = list.role.is_none_or(|role| role == listed.role)
                    && list.status.is_none_or(|status| status == listed.status);
                if is_wanted && items.len() == list.limit {
                    let next_cursor = items.last().map(AccountRow::cursor);
                    return Ok(Page { items, next_cursor });
                }
                if let Some(id) = id_of(&key.sk).filter(|_| is_wanted) {
                    // Erased between the two reads: as if the list had been read later.
                    items.extend(row::<AccountRow>(tables, ACCOUNTS, &id.to_string(), "")?);
                }
                after = Some(key.sk);
            }
            if is_last {
                return Ok(Page {
                    items,
                    next_cursor: None,
                });
            }
        }
        Ok(Page {
            items,
            next_cursor: after.as_deref().map(cursor),
        })
    }
}

impl AccountRow {
    /// Its place in the list: a later one sorts after an earlier one.
    pub fn place(&self) -> String {
        by_time(self.created_at, self.id.0)
    }

    /// The cursor that goes on after it.
    pub fn cursor(&self) -> String {
        cursor(&self.place())
    }
}

/// The place in the list that a cursor stands for.
pub fn place_of(cursor: &str) -> Result<String, QueryError> {
    place(cursor)
}

impl Deref for Accounts {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.0
    }
}

pub(crate) struct AccountsView;

impl View for AccountsView {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn schema(&self) -> u32 {
        4
    }

    fn tables(&self) -> &'static [&'static str] {
        &[ACCOUNTS, PLACES, LISTED, AVATARS]
    }

    fn changes_of(&self) -> &'static str {
        ACCOUNTS
    }

    fn apply(&self, facts: &Facts<'_>, _at: Position, rows: &mut Rows) -> Result<(), ViewError> {
        if !matches!(facts.stream.feature, Feature::Accounts | Feature::Reservations) {
            return Ok(());
        }
        for fact in &facts.all {
            match fact.event()? {
                AnyEvent::Accounts(event) => fold_account(facts, event, rows)?,
                AnyEvent::Reservations(event) => fold_place(facts, event, rows),
                AnyEvent::Uploads(_) | AnyEvent::Videos(_) | AnyEvent::Jobs(_) | AnyEvent::Views(_) => {}
            }
        }
        Ok(())
    }
}

fn fold_account(facts: &Facts<'_>, event: &accounts::Event, rows: &mut Rows) -> Result<(), ViewError> {
    let id = AccountId(facts.stream.id);
    let key = id.to_string();
    let changed: &dyn Fn(&mut AccountRow) = match event {
        accounts::Event::Registered(registered) => {
            let account = AccountRow {
                id,
                personal: registered.personal.clone(),
                role: registered.role,
                status: Status::Active,
                is_locked: false,
                email: registered.email,
                email_confirmed: registered.email_confirmed,
                username: registered.username,
                avatar: None,
                created_at: facts.time,
                updated_at: facts.time,
                erase_at: None,
            };
            list_as(rows, &account);
            rows.set(ACCOUNTS, &key, "", Some(account));
            return Ok(());
        }
        accounts::Event::Erased(_) => {
            if let Some(row) = rows.edit::<AccountRow>(ACCOUNTS, &key, "")?.take() {
                rows.set::<Listed>(LISTED, ALL, &row.place(), None);
                rows.set::<Avatar>(AVATARS, &key, "", None);
            }
            return Ok(());
        }
        accounts::Event::ProfileChanged(changed) => &|row| {
            row.email_confirmed &= row.email == changed.email;
            row.personal = changed.personal.clone();
            row.email = changed.email;
            row.username = changed.username;
        },
        accounts::Event::EmailConfirmed(confirmed) => {
            &|row| row.email_confirmed = row.email == confirmed.email
        }
        accounts::Event::AvatarChanged(changed) => {
            let avatar = Avatar {
                version: changed.version.clone(),
                image: changed.image.clone(),
            };
            rows.set(AVATARS, &key, "", Some(avatar));
            &|row| row.avatar = Some(changed.version.clone())
        }
        accounts::Event::AvatarRemoved(_) => {
            rows.set::<Avatar>(AVATARS, &key, "", None);
            &|row| row.avatar = None
        }
        accounts::Event::RoleChanged(changed) => &|row| row.role = changed.role,
        accounts::Event::Disabled(_) => &|row| {
            row.status = Status::Disabled;
            row.is_locked = true;
        },
        accounts::Event::Deleted(deleted) => &|row| {
            row.status = Status::Deleted;
            row.erase_at = Some(deleted.erase_at);
        },
        accounts::Event::Enabled(_) => &|row| {
            row.status = Status::Active;
            row.is_locked = false;
        },
        // As it was before.
        accounts::Event::Restored(_) => &|row| {
            row.status = match row.is_locked {
                true => Status::Disabled,
                false => Status::Active,
            };
            row.erase_at = None;
        },
        accounts::Event::RegistrationVoided(_)
        | accounts::Event::SessionStarted(_)
        | accounts::Event::SessionRefreshed(_)
        | accounts::Event::SessionEnded(_)
        | accounts::Event::PasswordChanged(_)
        | accounts::Event::PasswordResetRequested(_)
        | accounts::Event::EmailConfirmationRequested(_)
        | accounts::Event::NameGivenUp(_)
        | accounts::Event::PreferencesChanged(_)
        | accounts::Event::ApiKeyCreated(_)
        | accounts::Event::ApiKeyRevoked(_)
        | accounts::Event::IdentityLinked(_)
        | accounts::Event::IdentityUnlinked(_) => return Ok(()),
    };
    if let Some(row) = rows.edit::<AccountRow>(ACCOUNTS, &key, "")? {
        changed(row);
        row.updated_at = facts.time;
        let row = row.clone();
        list_as(rows, &row);
    }
    Ok(())
}

fn list_as(rows: &mut Rows, account: &AccountRow) {
    let listed = Listed {
        role: account.role,
        status: account.status,
    };
    rows.set(LISTED, ALL, &account.place(), Some(listed));
}

fn fold_place(facts: &Facts<'_>, event: &reservations::Event, rows: &mut Rows) {
    let place = facts.stream.id.to_string();
    match event {
        reservations::Event::Confirmed(confirmed) => {
            let account = confirmed.account;
            rows.set(PLACES, &place, "", Some(Place { account }));
        }
        reservations::Event::Released(_) => rows.set::<Place>(PLACES, &place, "", None),
        reservations::Event::Reserved(_)
        | reservations::Event::Lapsed(_)
        | reservations::Event::PasswordResetWanted(_) => {}
    }
}
