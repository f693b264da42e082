//! Where a request about an account comes from, for the trail: sealed with the key of the person who asks.

use crate::accounts::sessions::{CLIENT, Client};
use crate::asking::Asking;
use crate::edge::visit::Visit;
use crate::gateway::Gateway;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use spool_commands::Ask;
use spool_schemas::Cause;
use std::convert::Infallible;

impl FromRequestParts<Gateway> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, Visit::of(&parts.extensions).client))
    }
}

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
