//! What things are called in the server.
use sha2::{Digest, Sha256};

/// Cassandra takes no longer names of tables.
const NAME_MAX: usize = 48;
const DIGITS: usize = 12;

/// The table of the server that holds one logical table of one generation of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableName {
    /// Readable, unique, and never used again after a drop.
    pub name: String,
    /// The server's own id of the table. Nodes that make the table at the same time through different servers must
    /// give it the same one, or the rows of one of them are lost when the servers agree.
    pub id: String,
}

impl TableName {
    pub fn of_rows(keyspace: &str, view: &str, version: u32, generation: i64, table: &str) -> Self {
        let hash = hash(&[
            keyspace,
            view,
            &version.to_string(),
            &generation.to_string(),
            table,
        ]);
        let mut name = format!("{view}_v{version}_{table}");
        name.truncate(NAME_MAX - DIGITS - 1);
        Self {
            name: format!("{name}_{}", &hash[..DIGITS]),
            id: uuid(&hash),
        }
    }

    pub fn of_ours(keyspace: &str, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: uuid(&hash(&[keyspace, name])),
        }
    }
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first digits of the hash as a UUID of version 8, which is for everybody's own use.
fn uuid(hash: &str) -> String {
    format!(
        "{}-{}-8{}-8{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[13..16],
        &hash[17..20],
        &hash[20..32]
    )
}

/// A partition key cannot be empty in CQL. Keys of ours hold no NUL, so a single one stands for none.
pub(super) fn stored_key(pk: &str) -> &str {
    if pk.is_empty() { "\0" } else { pk }
}

pub(super) fn key_of(stored: String) -> String {
    if stored == "\0" { String::new() } else { stored }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_short_and_apart() {
        let name = |view: &str, generation| TableName::of_rows("spool", view, 12, generation, "videos");
        let short = name("catalogue_r1", 1);
        assert!(short.name.starts_with("catalogue_r1_v12_videos_"), "{short:?}");
        let long = name(&"v".repeat(64), 1);
        assert_eq!(long.name.len(), NAME_MAX);
        assert_ne!(short, name("catalogue_r1", 2));
        assert_eq!(short.id.len(), 36);
        assert_ne!(TableName::of_ours("a", "b"), TableName::of_ours("ab", ""));
    }
}
