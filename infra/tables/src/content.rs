//! The hash of a version's rows, the same whatever backend and order they are read in.
use sha2::{Digest, Sha256};

/// The sum, modulo 2²⁵⁶, of one SHA-256 for each row, and their number. A sum does not depend on the order, which
/// differs between backends. It is proof against accidents, not against somebody who chooses rows to deceive it: that
/// one could as well write the tables.
#[derive(Default)]
pub(crate) struct Content {
    rows: u64,
    /// Least significant limb first.
    sum: [u64; 4],
}

impl Content {
    pub fn add(&mut self, table: &[u8], pk: &[u8], sk: &[u8], value: &[u8]) {
        let mut hash = Sha256::new();
        for part in [table, pk, sk, value] {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        self.rows += 1;
        let mut carry = false;
        for (limb, bytes) in self.sum.iter_mut().zip(hash.finalize().chunks_exact(8)) {
            let added = u64::from_le_bytes(bytes.try_into().expect("chunks are of 8 bytes"));
            let (once, over) = limb.overflowing_add(added);
            let (twice, over_again) = once.overflowing_add(u64::from(carry));
            *limb = twice;
            carry = over || over_again;
        }
    }

    /// In hex.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for limb in std::iter::once(&self.rows).chain(&self.sum) {
            hash.update(limb.to_le_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(rows: &[(&str, &str)]) -> String {
        let mut content = Content::default();
        for (pk, value) in rows {
            content.add(b"t", pk.as_bytes(), b"", value.as_bytes());
        }
        content.hash()
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_everything_else_does() {
        let rows: Vec<(String, String)> = (0..100)
            .map(|row| (row.to_string(), (row * 7).to_string()))
            .collect();
        let rows: Vec<(&str, &str)> = rows.iter().map(|(pk, value)| (&**pk, &**value)).collect();
        let turned: Vec<_> = rows.iter().rev().copied().collect();
        assert_eq!(hash(&rows), hash(&turned));
        assert_ne!(hash(&rows), hash(&rows[1..]));
        assert_ne!(hash(&[("a", "bc")]), hash(&[("ab", "c")]));
        assert_ne!(hash(&[]), hash(&[("", "")]));
        // A row twice is not the same as none.
        assert_ne!(hash(&[]), hash(&[("a", "b"), ("a", "b")]));
    }
}
