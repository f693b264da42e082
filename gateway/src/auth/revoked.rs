//! What nodes tell each other when tokens stop working. Whoever misses it looks again within a second; sockets are closed by
//! this alone.

use super::Believed;
use crate::live::Live;
use serde::{Deserialize, Serialize};
use spool_domain::ids::{AccountId, SessionId};
use spool_platform::signals::Signals;
use std::sync::Arc;

const TOPIC: &str = "revoked";

#[derive(Serialize, Deserialize)]
struct Revoked {
    account: AccountId,
    sessions: Vec<SessionId>,
}

/// Tells every node, this one too.
pub fn tell(signals: &Signals, account: AccountId, sessions: &[SessionId]) {
    let revoked = Revoked {
        account,
        sessions: sessions.to_vec(),
    };
    let json = serde_json::to_vec(&revoked).expect("ids become JSON");
    signals.publish(TOPIC, &account.to_string(), json);
}

/// Forgets what was believed of whomever others tell of, for ever.
pub async fn hear(signals: Signals, believed: Arc<Believed>, live: Live) {
    let mut told = signals.subscribe(TOPIC);
    loop {
        let message = told.recv().await;
        if let Ok(revoked) = serde_json::from_slice::<Revoked>(&message.json) {
            believed.forget(revoked.account);
            live.end_sessions(&revoked.sessions);
        }
    }
}
