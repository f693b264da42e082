//! The directory: finds people by a part of what they are called. It is in memory only, because what people are called is
//! nowhere else in the clear.
//!
//! Made from the accounts view at the first search, followed from then on, and dropped with the process. An account takes about
//! 400 bytes, so 100,000 take 40 MB; making it opens each one's data, which takes a few seconds for so many, and a search looks
//! through all of them in about 10 ms. Past [`MOST`] the newest are in it; older ones are found by their whole e-mail address or username.

use crate::gateway::Gateway;
use crate::people::Personal;
use crate::problem::Problem;
use spool_commands::accounts::{email_place, username_place};
use spool_domain::actors::Role;
use spool_domain::ids::AccountId;
use spool_projections::accounts::{self, AccountRow, List, Status};
use spool_projections::{Changes, Projections};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// 100 MB.
const MOST: usize = 250_000;
const PAGE: usize = 1_000;
/// Keys of persons may be on a server, where one after the other takes too long.
const OPENED_AT_ONCE: usize = 8;

/// Whom to find, newest first.
#[derive(Clone, Debug)]
pub struct Search {
    /// A part of a name, username or e-mail address.
    pub words: String,
    pub role: Option<Role>,
    pub status: Option<Status>,
    pub cursor: Option<String>,
    pub limit: usize,
}

#[derive(Default)]
pub struct Directory(Mutex<Option<Known>>);

struct Known {
    /// By place in the list.
    people: BTreeMap<String, Entry>,
    places: HashMap<AccountId, String>,
    changes: Receiver<Arc<Changes>>,
}

struct Entry {
    id: AccountId,
    /// Everything that is looked through, lower-case, a line each.
    text: Box<str>,
    role: Role,
    status: Status,
}

impl Directory {
    /// The accounts found, and one more if there are more than asked for. Blocking.
    pub fn search(&self, gateway: &Gateway, search: &Search) -> Result<Vec<AccountId>, Problem> {
        let words = folded(&search.words);
        let after = search.cursor.as_deref().map(accounts::place_of).transpose()?;
        let exact = exact(gateway, &search.words)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut followed = known.take();
        let is_behind = match &mut followed {
            Some(known) => !known.follow(gateway)?,
            None => true,
        };
        if is_behind {
            followed = Some(Known::made(gateway)?);
        }
        let people = &known.insert(followed.expect("made just now")).people;
        let older = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let fits = |entry: &&Entry| {
            search.role.is_none_or(|role| role == entry.role)
                && search.status.is_none_or(|status| status == entry.status)
                && (entry.text.contains(&words) || exact.contains(&Some(entry.id)))
        };
        let found = people.range::<str, _>((Bound::Unbounded, older)).rev();
        let mut found: Vec<AccountId> = found
            .map(|(_, entry)| entry)
            .filter(fits)
            .map(|entry| entry.id)
            .take(search.limit + 1)
            .collect();
        if people.len() >= MOST && found.len() <= search.limit {
            let known = &known.as_ref().expect("put there just now").places;
            let others = exact.into_iter().flatten().filter(|id| !known.contains_key(id));
            found.extend(others.filter(|_| search.cursor.is_none()));
        }
        Ok(found)
    }
}

impl Known {
    fn made(gateway: &Gateway) -> Result<Self, Problem> {
        let projections = &gateway.parts().projections;
        let mut known = Self {
            people: BTreeMap::new(),
            places: HashMap::new(),
            // Before the first row is read, so that no change is missed.
            changes: projections.accounts().changes(),
        };
        let mut list = List {
            limit: PAGE,
            ..List::default()
        };
        loop {
            let page = projections.accounts().list(&list)?;
            for (row, personal) in opened(gateway, page.items)? {
                known.put(&row, &personal);
            }
            list.cursor = page.next_cursor;
            if list.cursor.is_none() || known.people.len() >= MOST {
                return Ok(known);
            }
        }
    }

    /// Takes in what changed; false when that is unknown.
    fn follow(&mut self, gateway: &Gateway) -> Result<bool, Problem> {
        loop {
            let changes = match self.changes.try_recv() {
                Ok(changes) => changes,
                Err(TryRecvError::Empty) => return Ok(true),
                Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => return Ok(false),
            };
            let Changes::Keys(keys) = &*changes else {
                return Ok(false);
            };
            let changed = keys.iter().filter_map(|key| key.parse().ok());
            let mut rows = vec![];
            for id in changed.map(AccountId) {
                self.drop(id);
                rows.extend(read(&gateway.parts().projections, id)?);
            }
            for (row, personal) in opened(gateway, rows)? {
                self.put(&row, &personal);
            }
        }
    }

    fn put(&mut self, row: &AccountRow, personal: &Personal) {
        let Personal {
            email,
            username,
            first_name,
            last_name,
        } = personal;
        let entry = Entry {
            id: row.id,
            text: folded(&format!("{email}\n{username}\n{first_name} {last_name}")).into(),
            role: row.role,
            status: row.status,
        };
        let place = row.place();
        self.people.insert(place.clone(), entry);
        self.places.insert(row.id, place);
        if self.people.len() > MOST
            && let Some((_, oldest)) = self.people.pop_first()
        {
            self.places.remove(&oldest.id);
        }
    }

    fn drop(&mut self, id: AccountId) {
        if let Some(place) = self.places.remove(&id) {
            self.people.remove(&place);
        }
    }
}

fn read(projections: &Projections, id: AccountId) -> Result<Option<AccountRow>, Problem> {
    Ok(projections.accounts().account(id)?)
}

/// The rows whose person can still be read, in any order.
fn opened(gateway: &Gateway, rows: Vec<AccountRow>) -> Result<Vec<(AccountRow, Personal)>, Problem> {
    let open = |rows: &[AccountRow]| {
        let mut opened = vec![];
        for row in rows {
            let personal = gateway.people().personal(row.id, &row.personal)?;
            opened.extend(personal.map(|personal| (row.clone(), personal)));
        }
        Ok::<_, Problem>(opened)
    };
    if rows.len() <= OPENED_AT_ONCE {
        return open(&rows);
    }
    let (share, open) = (rows.len().div_ceil(OPENED_AT_ONCE), &open);
    thread::scope(|scope| {
        let threads: Vec<_> = rows
            .chunks(share)
            .map(|rows| scope.spawn(move || open(rows)))
            .collect();
        let mut all = vec![];
        for thread in threads {
            let opened = thread.join();
            all.extend(opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })
}

/// Who has these words as the whole e-mail address or username.
fn exact(gateway: &Gateway, words: &str) -> Result<[Option<AccountId>; 2], Problem> {
    let (keys, accounts) = (&gateway.parts().keys, gateway.parts().projections.accounts());
    Ok([
        accounts.holder(email_place(keys, words))?,
        accounts.holder(username_place(keys, words))?,
    ])
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}
