//! Table, partition key and sort key as one string, joined by NUL: one allocation a row, and strings sort as the rows do.

use memchr::memchr_iter;

/// Adds the joined key to the end of `key`.
pub fn join(key: &mut String, table: &str, pk: &str, sk: &str) {
    for part in [table, "\0", pk, "\0", sk] {
        key.push_str(part);
    }
}

/// Table, partition key and sort key of what [`join`] made.
///
/// # Panics
/// When it is no such key.
pub fn parts(key: &str) -> (&str, &str, &str) {
    let mut ends = memchr_iter(0, key.as_bytes());
    let mut end = || ends.next().expect("it was joined");
    let (table, pk) = (end(), end());
    (&key[..table], &key[table + 1..pk], &key[pk + 1..])
}
