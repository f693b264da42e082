//! Where a request about an account comes from, for the trail: sealed with the key of the person who asks.

use crate::accounts::sessions::{CLIENT, Client};
use crate::asking::Asking;
use crate::gateway::Gateway;
use crate::problem::Problem;
use spool_commands::Ask;
use spool_schemas::Cause;

impl Gateway {
    /// The question with where it comes from.
    pub(super) async fn ask_from(&self, client: Client, asking: &Asking, ask: Ask) -> Result<Ask, Problem> {
        let client = serde_json::to_vec(&client).expect("two texts become JSON");
        let sealed = self.sealed_text(asking.caller.account()?, client, CLIENT).await?;
        let cause = Cause {
            client: Some(sealed),
            ..ask.cause
        };
        Ok(Ask { cause, ..ask })
    }
}
