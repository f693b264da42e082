//! Command ids: the same question by the same caller has the same id.

use spool_platform::keys::Keys;
use uuid::Uuid;

/// The id of a command that came with an `Idempotency-Key`: a keyed hash of who asked what under which
/// key, as UUID version 8 (RFC 9562). Ids of things it creates derive from it.
pub fn command_id(keys: &Keys, caller: &str, route: &str, idempotency_key: &str) -> Uuid {
    let mut data = Vec::new();
    for part in [caller, route, idempotency_key] {
        data.extend((part.len() as u64).to_le_bytes());
        data.extend(part.as_bytes());
    }
    keyed_uuid(keys, "command-ids", &data)
}

/// A UUID that nobody without the key can make: the first 16 bytes of HMAC-SHA256.
pub fn keyed_uuid(keys: &Keys, name: &str, data: &[u8]) -> Uuid {
    let mac = keys.mac(name, data);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&mac[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The id of a thing that command `command` creates.
pub fn created_by(command: Uuid, what: &str) -> Uuid {
    let derived = Uuid::new_v5(&command, what.as_bytes());
    uuid::Builder::from_custom_bytes(*derived.as_bytes()).into_uuid()
}
