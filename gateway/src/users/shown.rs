//! What is shown of a person, to whom, and the ETag of it.

use crate::gateway::Gateway;
use crate::people::Personal;
use crate::problem::Problem;
use serde::Serialize;
use sha2::{Digest, Sha256};
use spool_domain::accounts::{Account, Active, Standing};
use spool_domain::actors::Role;
use spool_domain::ids::AccountId;
use spool_domain::sealed::Sealed;
use spool_domain::time::Timestamp;
use spool_projections::accounts::{AccountRow, Status};
use utoipa::ToSchema;
use uuid::Uuid;

/// A person. What is left out is only for the person and for administrators.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Person {
    pub id: Uuid,
    #[schema(example = "ada")]
    pub username: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(flatten)]
    pub private: Option<Private>,
}

/// What only the person and administrators see.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Private {
    #[schema(example = "ada@example.org")]
    pub email: String,
    /// Whether somebody reads what is sent there.
    pub email_confirmed: bool,
    #[schema(example = "Ada")]
    pub first_name: String,
    #[schema(example = "Lovelace")]
    pub last_name: String,
    #[schema(value_type = String, example = "creator")]
    pub role: Role,
    /// `active`, `disabled` (locked by an administrator) or `deleted` (until `erase_at` it can be restored).
    #[schema(value_type = String, example = "active")]
    pub status: Status,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When nobody can bring a deleted account back any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub erase_at: Option<Timestamp>,
}

impl Person {
    fn of(row: &AccountRow, personal: Personal, is_whole: bool) -> Self {
        let private = is_whole.then(|| Private {
            email: personal.email,
            email_confirmed: row.email_confirmed,
            first_name: personal.first_name,
            last_name: personal.last_name,
            role: row.role,
            status: row.status,
            updated_at: row.updated_at,
            erase_at: row.erase_at,
        });
        Self {
            id: row.id.0,
            username: personal.username,
            created_at: row.created_at,
            private,
        }
    }
}

impl Gateway {
    /// The person of a row; nothing when nobody can read who it is any more. Blocking.
    pub(super) fn shown_person(&self, row: &AccountRow, is_whole: bool) -> Result<Option<Person>, Problem> {
        let personal = self.people().personal(row.id, &row.personal)?;
        Ok(personal.map(|personal| Person::of(row, personal, is_whole)))
    }

    /// The person from the view, and the tag that `If-Match` is compared with; that of the public part is empty.
    pub(super) async fn person(
        &self,
        id: AccountId,
        is_whole: bool,
    ) -> Result<Option<(Person, String)>, Problem> {
        let gateway = self.clone();
        let read = move || {
            let Some(row) = gateway.parts().projections.accounts().account(id)? else {
                return Ok(None);
            };
            // What is deleted is gone to all but administrators, who can bring it back.
            if !is_whole && row.status == Status::Deleted {
                return Ok(None);
            }
            let person = gateway.shown_person(&row, is_whole)?;
            let tag = is_whole.then(|| tag_of_row(&row)).unwrap_or_default();
            Ok(person.map(|person| (person, tag)))
        };
        tokio::task::spawn_blocking(read).await?
    }
}

/// Changes with whatever is shown of an account, and with nothing else: signing in is no change.
fn tag(personal: &Sealed, role: Role, status: Status, email_confirmed: bool) -> String {
    let shown = (&personal.0, role, status, email_confirmed);
    let text = serde_json::to_vec(&shown).expect("texts and words become JSON");
    let hash = &Sha256::digest(&text)[..8];
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("u{hash}")
}

pub(crate) fn tag_of_row(row: &AccountRow) -> String {
    tag(&row.personal, row.role, row.status, row.email_confirmed)
}

/// The same from the account's own state; nothing when there is no account.
pub(crate) fn tag_of(account: &Account) -> Option<String> {
    match account {
        Account::Active(active) => Some(tag(
            &active.personal,
            active.role,
            status_of(active),
            active.email_confirmed,
        )),
        Account::Unregistered | Account::Void | Account::Erased => None,
    }
}

pub(super) const fn status_of(active: &Active) -> Status {
    match active.standing {
        Standing::Good => Status::Active,
        Standing::Disabled => Status::Disabled,
        Standing::Deleted { .. } => Status::Deleted,
    }
}
