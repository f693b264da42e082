//! Keys: paths that mean the same on every disk and every object store, and can lead nowhere else.
use crate::BlobError;

const LONGEST: usize = 512;
/// Below the 255 bytes of common file systems.
const LONGEST_SEGMENT: usize = 200;

/// Segments of `[a-z0-9-_.]`, joined by `/`, none empty and none starting with a dot.
pub(crate) fn check(key: &str) -> Result<(), BlobError> {
    let reason = if key.is_empty() {
        "it is empty"
    } else if key.len() > LONGEST {
        "it is longer than 512 bytes"
    } else if !key
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/'))
    {
        "only a-z, 0-9, '-', '_', '.' and '/' may be in it"
    } else if key
        .split('/')
        .any(|segment| segment.is_empty() || segment.starts_with('.'))
    {
        "a part between slashes is empty or starts with a dot"
    } else if key.split('/').any(|segment| segment.len() > LONGEST_SEGMENT) {
        "a part between slashes is longer than 200 bytes"
    } else {
        return Ok(());
    };
    Err(invalid(key, reason))
}

/// The folder that a prefix ending in `/` names.
pub(crate) fn check_folder(prefix: &str) -> Result<&str, BlobError> {
    let folder = prefix
        .strip_suffix('/')
        .ok_or_else(|| invalid(prefix, "a prefix to delete ends with a slash"))?;
    check(folder).map(|()| folder)
}

pub(crate) fn invalid(key: &str, reason: &'static str) -> BlobError {
    BlobError::InvalidKey {
        key: key.chars().take(LONGEST).collect(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_tricks_are_refused() {
        for good in ["a", "videos/0192-ab/hls/360p/12.m4s", "a..b", "_x-", "1/2/3"] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = "a/".repeat(256) + "a";
        let long_segment = "a".repeat(201);
        let tricks = [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/.hidden",
            "A",
            "a b",
            "a\\b",
            "a\0b",
            "ä",
            "a%2e",
            "a\n",
            &long,
            &long_segment,
        ];
        for trick in tricks {
            assert!(
                matches!(check(trick), Err(BlobError::InvalidKey { .. })),
                "{trick:?}"
            );
        }
        assert_eq!(check_folder("a/b/").expect("a folder"), "a/b");
        assert!(check_folder("a/b").is_err() && check_folder("/").is_err() && check_folder("../").is_err());
    }
}
