//! What is shown of a person, to whom, and the version of it.

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

/// A person. All but the first four is for the person and administrators, and left out for others.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Person {
    pub id: Uuid,
    #[schema(example = "ada")]
    pub username: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Where the picture is; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/api/users/0197f0f4-3c00-7000-8000-000000000001/avatar?v=5f1d7a84e2b9c036")]
    pub avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ada@example.org")]
    pub email: Option<String>,
    /// Whether somebody reads what is sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_confirmed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Ada")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Lovelace")]
    pub last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RoleWord>)]
    pub role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StatusWord>)]
    pub status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
    /// When nobody can bring a deleted account back any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub erase_at: Option<Timestamp>,
}

/// The words for what a person may do.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(
    dead_code,
    reason = "only describes what the rules, which know of no document, decide on"
)]
pub enum RoleWord {
    /// Watches.
    Viewer,
    /// Also uploads.
    Creator,
    /// Also decides about what belongs to others.
    Admin,
    /// Another program with an account.
    Service,
}

/// The words for whether an account may be used.
#[derive(ToSchema)]
#[schema(as = UserStatus, rename_all = "snake_case")]
#[expect(
    dead_code,
    reason = "only describes what the view, which knows of no document, has"
)]
pub enum StatusWord {
    Active,
    /// Locked by an administrator.
    Disabled,
    /// Until `erase_at` an administrator can bring it back.
    Deleted,
}

impl Person {
    fn of(row: &AccountRow, personal: Personal, is_whole: bool) -> Self {
        Self {
            id: row.id.0,
            username: personal.username,
            created_at: row.created_at,
            avatar_url: avatar_url(row),
            email: is_whole.then_some(personal.email),
            email_confirmed: is_whole.then_some(row.email_confirmed),
            first_name: is_whole.then_some(personal.first_name),
            last_name: is_whole.then_some(personal.last_name),
            role: is_whole.then_some(row.role),
            status: is_whole.then_some(row.status),
            updated_at: is_whole.then_some(row.updated_at),
            erase_at: row.erase_at.filter(|_| is_whole),
        }
    }
}

impl Gateway {
    /// The person of a row; nothing when nobody can read who it is any more. Blocking.
    pub(super) fn shown_person(&self, row: &AccountRow, is_whole: bool) -> Result<Option<Person>, Problem> {
        let personal = self.people().personal(row.id, &row.personal)?;
        Ok(personal.map(|personal| Person::of(row, personal, is_whole)))
    }

    /// The person from the view, and what the ETag begins with: the version for `If-Match`, and nothing for the public part.
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
            let version = is_whole.then(|| format!("v{}", version_of_row(&row)));
            Ok(person.map(|person| (person, version.unwrap_or_default())))
        };
        tokio::task::spawn_blocking(read).await?
    }
}

/// Where a person's picture is, if there is one.
pub(crate) fn avatar_url(row: &AccountRow) -> Option<String> {
    let version = row.avatar.as_ref()?;
    Some(format!("/api/users/{}/avatar?v={version}", row.id))
}

/// What is shown of an account, as a number that is another one after any change of it, and of nothing else: signing in is no
/// change.
#[derive(Serialize)]
struct Shown<'a> {
    personal: &'a Sealed,
    role: Role,
    status: Status,
    email_confirmed: bool,
    avatar: Option<&'a str>,
}

impl Shown<'_> {
    fn version(&self) -> u64 {
        let text = serde_json::to_vec(self).expect("texts and words become JSON");
        let hash = Sha256::digest(&text);
        u64::from_be_bytes(*hash.first_chunk().expect("a hash is longer"))
    }
}

pub(crate) fn version_of_row(row: &AccountRow) -> u64 {
    let shown = Shown {
        personal: &row.personal,
        role: row.role,
        status: row.status,
        email_confirmed: row.email_confirmed,
        avatar: row.avatar.as_deref(),
    };
    shown.version()
}

/// The same from the account's own state; nothing when there is no account.
pub(crate) fn version_of(account: &Account) -> Option<u64> {
    let Account::Active(active) = account else {
        return None;
    };
    let shown = Shown {
        personal: &active.personal,
        role: active.role,
        status: status_of(active),
        email_confirmed: active.email_confirmed,
        avatar: active.avatar.as_deref(),
    };
    Some(shown.version())
}

pub(super) const fn status_of(active: &Active) -> Status {
    match active.standing {
        Standing::Good => Status::Active,
        Standing::Disabled => Status::Disabled,
        Standing::Deleted { .. } => Status::Deleted,
    }
}
