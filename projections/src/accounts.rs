//! The accounts view: looks up people by account and accounts by reserved place. Personal data stays sealed.

use crate::error::QueryError;
use crate::facts::Facts;
use crate::reading::row;
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
use spool_tables::Position;
use std::ops::Deref;
use std::sync::Arc;

const ACCOUNTS: &str = "accounts";
const PLACES: &str = "places";

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
    pub email: ReservationId,
    pub email_confirmed: bool,
    pub username: ReservationId,
    pub created_at: Timestamp,
}

/// Whether an account may be used. What is erased has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    /// Locked by an administrator.
    Disabled,
    /// To be erased, unless an administrator brings it back.
    Deleted,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    account: AccountId,
}

impl Accounts {
    pub(crate) const fn new(serving: Arc<Serving>) -> Self {
        Self(serving)
    }

    pub fn account(&self, id: AccountId) -> Result<Option<AccountRow>, QueryError> {
        row(&self.version()?.tables, ACCOUNTS, &id.to_string(), "")
    }

    /// The account that has confirmed this place.
    pub fn holder(&self, place: ReservationId) -> Result<Option<AccountId>, QueryError> {
        let place: Option<Place> = row(&self.version()?.tables, PLACES, &place.to_string(), "")?;
        Ok(place.map(|place| place.account))
    }
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
        2
    }

    fn tables(&self) -> &'static [&'static str] {
        &[ACCOUNTS, PLACES]
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
                email: registered.email,
                email_confirmed: registered.email_confirmed,
                username: registered.username,
                created_at: facts.time,
            };
            rows.set(ACCOUNTS, &key, "", Some(account));
            return Ok(());
        }
        accounts::Event::Erased(_) => {
            rows.set::<AccountRow>(ACCOUNTS, &key, "", None);
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
        accounts::Event::RoleChanged(changed) => &|row| row.role = changed.role,
        accounts::Event::Disabled(_) => &|row| row.status = Status::Disabled,
        accounts::Event::Deleted(_) => &|row| row.status = Status::Deleted,
        accounts::Event::Enabled(_) | accounts::Event::Restored(_) => &|row| row.status = Status::Active,
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
    }
    Ok(())
}

fn fold_place(facts: &Facts<'_>, event: &reservations::Event, rows: &mut Rows) {
    let place = facts.stream.id.to_string();
    match event {
        reservations::Event::Confirmed(confirmed) => {
            let account = confirmed.account;
            rows.set(PLACES, &place, "", Some(Place { account }));
        }
        reservations::Event::Released(_) => rows.set::<Place>(PLACES, &place, "", None),
        reservations::Event::Reserved(_) | reservations::Event::Lapsed(_) => {}
    }
}
