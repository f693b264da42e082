//! Names that nobody used yet, for what tests make on a server they share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// A name that starts with `prefix` and that no other call gives, in this process or another one.
///
/// What is added are small letters and digits, so that it may name a topic, a keyspace or a bucket.
pub fn fresh_name(prefix: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!(
        "{prefix}{:x}x{:x}x{count:x}",
        since_epoch.as_micros(),
        std::process::id()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_are_the_same_and_all_may_name_a_bucket() {
        let names: std::collections::HashSet<String> = (0..1000).map(|_| fresh_name("films")).collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            assert!(name.len() <= 48, "{name} is too long for a keyspace");
            assert!(
                name.chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            );
        }
    }
}
