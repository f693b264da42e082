//! What each event makes of a registered account.

use super::active::{Active, ApiKey, Reset, Session, Standing};
use super::events::Event;

impl Active {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered(_) | Event::RegistrationVoided(_) | Event::Erased(_) => {}
            Event::SessionStarted(started) => {
                let session = Session {
                    counter: 0,
                    started_at: started.at,
                    refreshed_at: None,
                    expires_at: started.expires_at,
                    client: started.client.clone(),
                };
                self.sessions.insert(started.session, session);
            }
            Event::SessionRefreshed(refreshed) => {
                if let Some(session) = self.sessions.get_mut(&refreshed.session) {
                    session.counter = refreshed.counter;
                    session.refreshed_at = Some(refreshed.at);
                    session.expires_at = refreshed.expires_at;
                }
            }
            Event::SessionEnded(ended) => {
                self.sessions.remove(&ended.session);
            }
            Event::PasswordChanged(changed) => {
                self.password_hash = changed.password_hash.clone();
                self.has_password = true;
                self.reset = None;
            }
            Event::PasswordResetRequested(asked) => {
                self.resets = asked.number;
                self.reset = Some(Reset {
                    number: asked.number,
                    at: asked.at,
                    expires_at: asked.expires_at,
                });
            }
            Event::EmailConfirmationRequested(asked) => self.confirmation_at = Some(asked.at),
            Event::EmailConfirmed(confirmed) => self.email_confirmed = confirmed.email == self.email,
            Event::ProfileChanged(changed) => {
                if changed.email != self.email {
                    self.email_confirmed = false;
                    self.confirmation_at = None;
                    self.reset = None;
                }
                self.personal = changed.personal.clone();
                self.email = changed.email;
                self.username = changed.username;
            }
            Event::NameGivenUp(_) => self.given_up = self.given_up.saturating_add(1),
            Event::PreferencesChanged(changed) => self.preferences = Some(changed.preferences.clone()),
            Event::AvatarChanged(changed) => self.avatar = Some(changed.version.clone()),
            Event::AvatarRemoved(_) => self.avatar = None,
            Event::RoleChanged(changed) => self.role = changed.role,
            Event::Disabled(_) => self.standing = Standing::Disabled,
            Event::Enabled(_) => self.standing = Standing::Good,
            Event::Deleted(deleted) => {
                self.standing = Standing::Deleted {
                    erase_at: deleted.erase_at,
                    was_disabled: self.was_disabled(),
                };
            }
            Event::Restored(_) if self.was_disabled() => self.standing = Standing::Disabled,
            Event::Restored(_) => self.standing = Standing::Good,
            Event::ApiKeyCreated(created) => {
                let key = ApiKey {
                    name: created.name.clone(),
                    hash: created.hash.clone(),
                    scopes: created.scopes.clone(),
                    created_at: created.at,
                    expires_at: created.expires_at,
                };
                self.api_keys.insert(created.key, key);
            }
            Event::ApiKeyRevoked(revoked) => {
                self.api_keys.remove(&revoked.key);
            }
            Event::IdentityLinked(linked) => {
                self.identities
                    .insert(linked.identity.place, linked.identity.clone());
            }
            Event::IdentityUnlinked(unlinked) => {
                self.identities.remove(&unlinked.place);
            }
        }
    }

    /// Whether it is locked, or was when it was deleted.
    const fn was_disabled(&self) -> bool {
        match self.standing {
            Standing::Good => false,
            Standing::Disabled => true,
            Standing::Deleted { was_disabled, .. } => was_disabled,
        }
    }
}
