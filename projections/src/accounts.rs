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
    pub email: ReservationId,
    pub username: ReservationId,
    pub created_at: Timestamp,
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
        1
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
                AnyEvent::Accounts(event) => fold_account(facts, event, rows),
                AnyEvent::Reservations(event) => fold_place(facts, event, rows),
                AnyEvent::Uploads(_) | AnyEvent::Videos(_) | AnyEvent::Jobs(_) | AnyEvent::Views(_) => {}
            }
        }
        Ok(())
    }
}

fn fold_account(facts: &Facts<'_>, event: &accounts::Event, rows: &mut Rows) {
    match event {
        accounts::Event::Registered(registered) => {
            let id = AccountId(facts.stream.id);
            let account = AccountRow {
                id,
                personal: registered.personal.clone(),
                role: registered.role,
                email: registered.email,
                username: registered.username,
                created_at: facts.time,
            };
            rows.set(ACCOUNTS, &id.to_string(), "", Some(account));
        }
        accounts::Event::RegistrationVoided(_)
        | accounts::Event::SessionStarted(_)
        | accounts::Event::SessionRefreshed(_)
        | accounts::Event::SessionEnded(_) => {}
    }
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
