//! Signed, expiring URLs: whoever has one may read that object, or everything below that path, until it expires.
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Signs paths and checks signatures with one secret. Clones share it.
#[derive(Clone)]
pub struct UrlSigner(hmac::Key);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the URL is not signed")]
    Missing,
    #[error("the signature is not for this URL")]
    Invalid,
    #[error("the URL has expired")]
    Expired,
}

/// When a URL given out now should expire, in seconds since the epoch: in `ttl_seconds` or up to a quarter later, at
/// a round time, so that the same URL is given out for a while and caches can work.
pub fn expiry_s(now_ms: i64, ttl_seconds: u64) -> i64 {
    let ttl = i64::try_from(ttl_seconds).unwrap_or(i64::MAX / 4);
    let step = (ttl / 4).max(1);
    let earliest = now_ms.div_euclid(1_000).saturating_add(ttl);
    earliest
        .saturating_add(step - 1)
        .div_euclid(step)
        .saturating_mul(step)
}

impl UrlSigner {
    /// The secret is derived from the master key, so that URLs outlive a restart.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }

    /// The query (without `?`) that lets `path` be read until `expires_at_s`. The path is that of the URL, starting
    /// with a slash.
    pub fn object(&self, path: &str, expires_at_s: i64) -> String {
        let signature = self.sign("object", path, expires_at_s);
        format!("expires={expires_at_s}&signature={signature}")
    }

    /// The query that lets every path below `prefix`, which ends with a slash, be read until `expires_at_s`: the
    /// playlists and segments of a film all carry the same one.
    pub fn tree(&self, prefix: &str, expires_at_s: i64) -> String {
        let signature = self.sign("tree", prefix, expires_at_s);
        let depth = prefix.matches('/').count();
        format!("expires={expires_at_s}&depth={depth}&signature={signature}")
    }

    /// Checks a request's path (as it came, not decoded) and query. Other parameters are left alone.
    pub fn verify(&self, path: &str, query: &str, now_ms: i64) -> Result<(), SignatureError> {
        let signature = only(query, "signature")?.ok_or(SignatureError::Missing)?;
        let expires = only(query, "expires")?
            .and_then(|text| text.parse().ok())
            .ok_or(SignatureError::Invalid)?;
        let (scope, signed) = match only(query, "depth")? {
            None => ("object", path),
            Some(depth) => ("tree", tree_of(path, depth).ok_or(SignatureError::Invalid)?),
        };
        let tag = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| SignatureError::Invalid)?;
        // Compares in constant time.
        hmac::verify(&self.0, &message(scope, signed, expires), &tag).map_err(|_| SignatureError::Invalid)?;
        let fresh = now_ms.div_euclid(1_000) < expires;
        if fresh {
            Ok(())
        } else {
            Err(SignatureError::Expired)
        }
    }

    fn sign(&self, scope: &str, path: &str, expires_at_s: i64) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, &message(scope, path, expires_at_s)))
    }
}

fn message(scope: &str, path: &str, expires_at_s: i64) -> Vec<u8> {
    format!("{scope}\0{expires_at_s}\0{path}").into_bytes()
}

/// The path up to its slash number `depth`. What follows must not lead out of it again, in any spelling.
fn tree_of<'a>(path: &'a str, depth: &str) -> Option<&'a str> {
    let depth: usize = depth.parse().ok()?;
    let (end, _) = path.match_indices('/').nth(depth.checked_sub(1)?)?;
    let (prefix, below) = path.split_at(end + 1);
    let plain = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    let safe = !below.contains(['%', '\\', ';']) && below.split('/').all(plain);
    safe.then_some(prefix)
}

/// The value of a parameter; given twice, different readers could mean different ones, so it is refused.
fn only<'a>(query: &'a str, name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(SignatureError::Invalid),
        (first, None) => Ok(first.map(|(_, value)| value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;
    const LATER_S: i64 = 1_700_000_600;

    fn signer() -> UrlSigner {
        UrlSigner::new([7; 32])
    }

    fn check(path: &str, query: &str, expected: Result<(), SignatureError>) {
        assert_eq!(signer().verify(path, query, NOW_MS), expected, "{path}?{query}");
    }

    #[test]
    fn a_signed_object_is_that_object_only_and_until_it_expires() {
        let query = signer().object("/files/1", LATER_S);
        check("/files/1", &query, Ok(()));
        check("/files/1", &format!("download=1&{query}"), Ok(()));
        check("/files/2", &query, Err(SignatureError::Invalid));
        check("/files/1/", &query, Err(SignatureError::Invalid));
        check(
            "/files/1",
            &query.replace("expires=17", "expires=18"),
            Err(SignatureError::Invalid),
        );
        check(
            "/files/1",
            &format!("{query}&expires=9999999999"),
            Err(SignatureError::Invalid),
        );
        check(
            "/files/1",
            &format!("{query}&depth=1"),
            Err(SignatureError::Invalid),
        );
        check("/files/1", "", Err(SignatureError::Missing));
        check("/files/1", "signature=x", Err(SignatureError::Invalid));
        check(
            "/files/1",
            &signer().object("/files/1", NOW_MS / 1_000),
            Err(SignatureError::Expired),
        );
        let other = UrlSigner::new([8; 32]).object("/files/1", LATER_S);
        check("/files/1", &other, Err(SignatureError::Invalid));
    }

    #[test]
    fn a_signed_tree_is_everything_below_and_nothing_beside() {
        let query = signer().tree("/videos/1/hls/", LATER_S);
        for inside in ["/videos/1/hls/master.m3u8", "/videos/1/hls/360p/12.m4s"] {
            check(inside, &query, Ok(()));
        }
        let outside = [
            "/videos/2/hls/master.m3u8",
            "/videos/1/hls",
            "/videos/1/hls/",
            "/videos/1/original",
            "/videos/1/hls/../original",
            "/videos/1/hls/%2e%2e/original",
            "/videos/1/hls/a//b",
            "/videos/1/hls/..\\original",
            "videos/1/hls/a/b",
        ];
        for path in outside {
            check(path, &query, Err(SignatureError::Invalid));
        }
        for depth in ["depth=0", "depth=3", "depth=5", "depth=x", "depth="] {
            check(
                "/videos/1/hls/a/b",
                &query.replace("depth=4", depth),
                Err(SignatureError::Invalid),
            );
        }
        check(
            "/videos/1/hls/",
            &query.replace("depth=4&", ""),
            Err(SignatureError::Invalid),
        );
    }

    #[test]
    fn expiries_are_round_and_never_too_early() {
        let hour = 3_600_000;
        let first = expiry_s(NOW_MS, 21_600);
        assert!((NOW_MS / 1_000 + 21_600..=NOW_MS / 1_000 + 27_000).contains(&first));
        let all: std::collections::BTreeSet<i64> = (0..6 * 60)
            .map(|minute| expiry_s(NOW_MS + minute * hour / 60, 21_600))
            .collect();
        assert!(all.len() <= 5, "{all:?}");
        assert_eq!(expiry_s(1_500, 1), 2);
    }
}
