//! Personal data as the log may keep it: unreadable without the person's own key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text encrypted with the key of one person, Base64. The domain cannot read it and does not want to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sealed(pub String);

/// How a sealed text begins in a field that logs of before have in the clear; its Base64 follows.
pub const MARK: &str = "sealed:";
/// 5,000 letters of four bytes, with what sealing and Base64 add.
const MARKED_MAX_BYTES: usize = 27_000;

/// Of a field that may be in the clear, the Base64 that follows [`MARK`]; nothing for a text in the clear.
pub fn unmarked(text: &str) -> Option<&str> {
    let sealed = text.strip_prefix(MARK)?;
    // Without stopping at the first byte that is not, many are looked at at once.
    let is_other = sealed.bytes().fold(false, |is_other, byte| {
        is_other | !(byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_'))
    });
    (!is_other && text.len() <= MARKED_MAX_BYTES).then_some(sealed)
}
