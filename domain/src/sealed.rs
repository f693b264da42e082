//! Personal data as the log may keep it: unreadable without the person's own key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text encrypted with the key of one person, Base64. The domain cannot read it and does not want to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sealed(pub String);
