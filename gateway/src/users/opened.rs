//! What is sealed about a person besides the profile, opened.

use super::avatars::AVATAR;
use crate::accounts::api_keys::NAME as API_KEY_NAME;
use crate::accounts::arranging::PREFERENCES;
use crate::accounts::sessions::CLIENT;
use crate::gateway::Gateway;
use crate::problem::Problem;
use crate::said;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use spool_commands::accounts::PERSONAL;
use spool_domain::ids::AccountId;
use spool_domain::sealed::{MARK, Sealed, unmarked};

/// What a text may have been sealed as.
const PURPOSES: [&[u8]; 5] = [PERSONAL, CLIENT, PREFERENCES, API_KEY_NAME, b"accounts/identity"];
/// Fields of events that are sealed, or that nobody is to see.
const SEALED: [&str; 5] = ["personal", "client", "preferences", "name", "shown"];
/// What is no text is shown in Base64.
const IMAGE: &str = "image";
const WITHHELD: [&str; 2] = ["password_hash", "hash"];

impl Gateway {
    /// Where a session began; nothing when the person was erased. Blocking.
    pub(super) fn client(&self, account: AccountId, sealed: &Sealed) -> Result<Option<Value>, Problem> {
        let text = self.people().opened(account, sealed, CLIENT)?;
        let read = text.map(|text| serde_json::from_slice(&text));
        read.transpose().map_err(Problem::defect)
    }
}

/// A sealed text as JSON, or as the text that it is; nothing when it cannot be read. Blocking.
pub(super) fn text_of(gateway: &Gateway, account: AccountId, sealed: &str) -> Value {
    let keys = &gateway.parts().keys;
    let open = |purpose| keys.open_sealed(account.0, sealed, purpose).ok();
    let Some(text) = PURPOSES.into_iter().find_map(open) else {
        return Value::Null;
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// A sealed picture in Base64; nothing when it cannot be read. Blocking.
fn image_of(gateway: &Gateway, account: AccountId, sealed: &str) -> Value {
    let opened = gateway.parts().keys.open_sealed(account.0, sealed, AVATAR);
    opened.map_or(Value::Null, |image| STANDARD.encode(image).into())
}

/// What the person said about a video; nothing when it is another's video.
fn said_by(gateway: &Gateway, account: AccountId, text: &str) -> Value {
    let keys = &gateway.parts().keys;
    let open = |purpose| {
        let sealed = unmarked(text)?;
        keys.open_sealed(account.0, sealed, purpose).ok()
    };
    let opened = said::PURPOSES.into_iter().find_map(open);
    opened.map_or(Value::Null, |text| {
        String::from_utf8_lossy(&text).into_owned().into()
    })
}

/// Opens what is sealed in the data of an event, if it is the person's own, and leaves out what nobody is to see.
pub(super) fn opened_all(gateway: &Gateway, account: AccountId, is_own: bool, data: &mut Value) {
    match data {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(_) if WITHHELD.contains(&name.as_str()) => *value = Value::Null,
                    Value::String(sealed) if name == IMAGE && is_own => {
                        *value = image_of(gateway, account, sealed);
                    }
                    Value::String(text) if text.starts_with(MARK) => {
                        *value = said_by(gateway, account, text);
                    }
                    Value::String(sealed) if SEALED.contains(&name.as_str()) && is_own => {
                        *value = text_of(gateway, account, sealed);
                    }
                    inner => opened_all(gateway, account, is_own, inner),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                opened_all(gateway, account, is_own, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
