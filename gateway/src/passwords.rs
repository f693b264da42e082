//! Passwords: argon2id, never on the threads that serve, and the same work whether or not the e-mail is known.

use crate::problem::Problem;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One hash takes tens of milliseconds of a core; whoever waits longer than this is told to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hashes and checks, on as many threads as there are cores.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// Of a password nobody knows; checked when there is no account.
    nobody: Arc<str>,
}

impl Passwords {
    /// Hashes once, to have something to compare with for unknown addresses. Blocking for some tens of milliseconds.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let nobody = hash(&spool_platform::keys::secret_token());
        Self {
            turns: Arc::new(Semaphore::new(cores)),
            nobody: nobody.into(),
        }
    }

    /// The PHC string of `password`, with a salt of its own.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        let turn = self.turn().await?;
        Ok(tokio::task::spawn_blocking(move || {
            let hashed = hash(&password);
            drop(turn);
            hashed
        })
        .await?)
    }

    /// Whether `password` is the one that `known` was made from. Without `known` the same work is done for nothing.
    pub async fn verify(&self, password: String, known: Option<String>) -> Result<bool, Problem> {
        let turn = self.turn().await?;
        let nobody = Arc::clone(&self.nobody);
        Ok(tokio::task::spawn_blocking(move || {
            let right = matches(&password, known.as_deref().unwrap_or(&nobody));
            drop(turn);
            right && known.is_some()
        })
        .await?)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        turn.ok()
            .and_then(Result::ok)
            .ok_or_else(|| Problem::unavailable("too many people are signing in at this moment"))
    }
}

fn hash(password: &str) -> String {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed
        .expect("the default parameters are valid and the password is shorter than 4 GB")
        .to_string()
}

fn matches(password: &str, known: &str) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), known)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_known_and_others_are_not() {
        let passwords = Passwords::new();
        let known = passwords
            .hash("correct horse".into())
            .await
            .expect("there is a turn");
        assert!(known.starts_with("$argon2id$"), "{known}");
        assert!(
            passwords
                .verify("correct horse".into(), Some(known.clone()))
                .await
                .expect("a turn")
        );
        assert!(
            !passwords
                .verify("battery staple".into(), Some(known))
                .await
                .expect("a turn")
        );
        assert!(
            !passwords
                .verify("correct horse".into(), None)
                .await
                .expect("a turn")
        );
    }
}
