//! Personal data as the log may keep it: unreadable without the person's own key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text encrypted with the key of one person, Base64. The domain cannot read it and does not want to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sealed(pub String);

/// How a sealed text begins in a field that logs of before have in the clear.
pub const MARK: &str = "sealed:";
/// 5,000 letters of four bytes, with what sealing and Base64 add.
const MARKED_MAX_BYTES: usize = 27_000;

impl Sealed {
    /// As it is written into a field that may be in the clear.
    pub fn marked(&self) -> String {
        format!("{MARK}{}", self.0)
    }

    /// What [`Sealed::marked`] wrote; nothing for a text in the clear.
    pub fn unmarked(text: &str) -> Option<Self> {
        let sealed = text.strip_prefix(MARK)?;
        let is_base64 = sealed
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (is_base64 && text.len() <= MARKED_MAX_BYTES).then(|| Self(sealed.to_owned()))
    }
}
