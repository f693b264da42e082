//! What a gateway does about accounts by itself: says how the first administrator registers, and changes the key that signs.

use std::time::Duration;

use spool_gateway::Gateway;
use spool_platform::keys::Keys;
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Prints the secret for the first administrator, as long as there is none. Not to the log, which others may read.
pub async fn tell_first_admin(gateway: Gateway, address: String, stop: CancellationToken) {
    let secret = stop.run_until_cancelled(gateway.bootstrap_secret()).await;
    if let Some(secret) = secret.flatten() {
        println!(
            "There is no administrator yet. Whoever has this secret may register as the first one, once:\n  {secret}\n\
             as \"secret\" beside email, password, first_name, last_name and username in POST {address}api/auth/register-admin"
        );
    }
}

/// Signs tokens with a new key when the one before is older than so many days, until `stop`.
pub async fn rotate_keys(keys: Keys, days: u32, stop: CancellationToken) {
    let age = DAY * days;
    let mut look = tokio::time::interval(LOOK_EVERY);
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        let keys = keys.clone();
        let rotated = tokio::task::spawn_blocking(move || keys.rotate_signing_when_older(age)).await;
        match rotated {
            Ok(Ok(true)) => tracing::info!("tokens are signed with a new key"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the key that signs tokens could not be changed; tried again in an hour")
            }
            Err(error) => tracing::error!(%error, "changing the key that signs tokens"),
        }
    }
}
