//! How an account goes: deleted, brought back, erased.

use super::Refusal;
use super::active::{Active, Standing, check_governs};
use super::events::{Deleted, Erased, Event, Restored, SessionEnd};
use crate::actors::{Actor, Role};
use crate::ids::AccountId;
use crate::time::Timestamp;

impl Active {
    pub(super) fn delete(
        &self,
        account: AccountId,
        by: &Actor,
        erase_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        if by.account() == Some(account) {
            if self.role == Role::Admin {
                return Err(Refusal::OwnAdministrator);
            }
        } else if !by.is_admin() {
            return Err(Refusal::NotAllowed);
        }
        if let Standing::Deleted { erase_at: before, .. } = self.standing
            && before <= erase_at
        {
            return Ok(vec![]);
        }
        let erase_at = erase_at.max(now);
        let mut events = vec![Event::Deleted(Deleted { by: *by, erase_at })];
        events.extend(self.end_sessions(SessionEnd::Deleted, None));
        if erase_at <= now {
            events.push(self.erased());
        }
        Ok(events)
    }

    pub(super) fn restore(
        &self,
        account: AccountId,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        check_governs(by, account)?;
        match self.standing {
            Standing::Deleted { erase_at, .. } if erase_at > now => {
                Ok(vec![Event::Restored(Restored { by: *by })])
            }
            Standing::Deleted { .. } | Standing::Good | Standing::Disabled => Err(Refusal::NotRestorable),
        }
    }

    pub(super) fn erase(&self, now: Timestamp) -> Vec<Event> {
        match self.standing {
            Standing::Deleted { erase_at, .. } if erase_at <= now => vec![self.erased()],
            Standing::Deleted { .. } | Standing::Good | Standing::Disabled => vec![],
        }
    }

    fn erased(&self) -> Event {
        let places = self.places().collect();
        Event::Erased(Erased { places })
    }
}
