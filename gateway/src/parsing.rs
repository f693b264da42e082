//! What must hold of whatever strangers send to be parsed: driven by properties in the tests, and by libFuzzer, which knows
//! what it has reached, in `gateway/fuzz`. Each function panics when something does not hold.

use crate::asking::{CONSISTENCY_TOKEN, IDEMPOTENCY_KEY, expected_version, idempotency_key, traceparent};
use crate::edge::address::{Peer, Proxies};
use crate::paging::{LIMIT_MAX, checked};
use crate::tokens::{self, Claims, Refresh};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use spool_blobs::range::{Wanted, content_range, if_range_allows, none_match, parse};
use spool_commands::Token;
use spool_domain::actors::Role;
use spool_domain::ids::{AccountId, SessionId};
use spool_platform::config::{Config, Edge, Networks, ProxyHeader};
use spool_platform::keys::Keys;
use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;
use uuid::Uuid;

/// Keys that nobody outside knows, so that whatever they believe was signed here.
pub struct Signer(Keys);

impl Signer {
    /// Keys in the folder, made if there are none. Blocking.
    pub fn open(folder: &Path) -> Self {
        Self(Keys::open(folder).expect("keys are made"))
    }

    /// Nothing is believed but what we signed, as it is.
    pub fn access_token(&self, input: &[u8]) {
        if let Ok(text) = std::str::from_utf8(input) {
            assert_eq!(
                tokens::verify(&self.0, text),
                None,
                "nobody else can sign: {text}"
            );
        }
        let seconds = i64::from(number(input, 0));
        let claims = Claims {
            iss: tokens::ISSUER.to_owned(),
            sub: AccountId(id(input, 0)),
            sid: SessionId(id(input, 16)),
            role: Role::Viewer,
            iat: seconds,
            exp: seconds.saturating_add(900),
        };
        let token = tokens::sign(&self.0, &claims).expect("it can be signed");
        assert_eq!(tokens::verify(&self.0, &token), Some(claims));
        for changed in changed(&token, input) {
            assert_eq!(
                tokens::verify(&self.0, &changed),
                None,
                "{token} became {changed}"
            );
        }
    }

    /// The same of the tokens that sessions are renewed with.
    pub fn refresh_token(&self, input: &[u8]) {
        if let Ok(text) = std::str::from_utf8(input) {
            assert_eq!(
                Refresh::read(&self.0, text),
                None,
                "nobody else can make one: {text}"
            );
        }
        let refresh = Refresh {
            account: AccountId(id(input, 0)),
            session: SessionId(id(input, 16)),
            counter: number(input, 32),
        };
        let token = refresh.token(&self.0);
        assert_eq!(Refresh::read(&self.0, &token), Some(refresh));
        for changed in changed(&token, input) {
            assert_eq!(Refresh::read(&self.0, &changed), None, "{token} became {changed}");
        }
    }
}

/// `limit` and `cursor` of a list's query, the cursor behind the first line.
pub fn page(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (limit, cursor) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok((limit, cursor)) = checked(Some(limit), Some(cursor.to_owned())) {
        assert!((1..=LIMIT_MAX).contains(&limit), "{text}");
        assert_ne!(cursor.as_deref(), Some(""));
    }
}

/// The headers of every request, each given all of the input.
pub fn headers(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else {
        return;
    };
    let given = |name: &'static str| HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
    if let Ok(Some(version)) = expected_version(&value) {
        let tag = HeaderValue::try_from(format!("\"v{version}\"")).expect("digits");
        assert_eq!(expected_version(&tag).ok(), Some(Some(version)));
    }
    if let Ok(Some(key)) = idempotency_key(&HeaderMap::from_iter([(IDEMPOTENCY_KEY, value.clone())])) {
        assert!((1..=255).contains(&key.len()) && key.is_ascii(), "{key:?}");
    }
    if let Some(trace) = traceparent(&given("traceparent")) {
        assert_eq!(trace.len(), 55, "{trace}");
    }
    forwarded(&value);
    if let Some(token) = value.to_str().ok().and_then(|text| text.parse::<Token>().ok()) {
        let again = HeaderMap::from_iter([(
            CONSISTENCY_TOKEN,
            HeaderValue::try_from(token.to_string()).expect("digits, colons and commas"),
        )]);
        let again = again[CONSISTENCY_TOKEN]
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok());
        assert_eq!(again, Some(token));
    }
    range(&value);
}

/// Proxies in 10.0.0.0/8 are believed, and write the one header or the other.
static PROXIES: LazyLock<[(&str, Proxies); 2]> = LazyLock::new(|| {
    let proxies = |proxy_header| {
        let trusted = Networks::try_from("10.0.0.0/8".to_owned()).expect("a network");
        Proxies::new(&Edge {
            trusted_proxies: Some(trusted),
            proxy_header,
            ..Config::default().edge
        })
    };
    [
        ("x-forwarded-for", proxies(ProxyHeader::XForwardedFor)),
        ("forwarded", proxies(ProxyHeader::Forwarded)),
    ]
});

/// What a stranger says of others is not believed, and neither is what stands before what a trusted proxy wrote.
fn forwarded(value: &HeaderValue) {
    let (proxy, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
    for (name, proxies) in PROXIES.iter() {
        let seen = |peer: IpAddr, headers: &HeaderMap| {
            let (client, _) = proxies.client(Peer::new((peer, 1).into(), false), headers);
            client.0
        };
        let mut headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
        assert_eq!(seen(stranger, &headers), stranger, "{value:?}");
        let written = match *name {
            "forwarded" => format!("for={stranger};proto=https, for={proxy}"),
            _ => format!("{stranger}, {proxy}"),
        };
        let written = HeaderValue::try_from(written).expect("visible ASCII");
        headers.append(HeaderName::from_static(name), written);
        assert_eq!(seen(proxy, &headers), stranger, "{value:?}");
    }
}

/// A part lies within what there is, and is not empty.
fn range(value: &HeaderValue) {
    let text = value.to_str().ok();
    for size in [0, 1, 2, 1_000, u64::MAX] {
        if let Wanted::Part(part) = parse(text, size) {
            assert!(
                part.start < part.end && part.end <= size,
                "{value:?} of {size} is {part:?}"
            );
            assert!(content_range(&part, size).starts_with("bytes "));
        }
    }
    let tag = "\"v1-00ff\"";
    assert!(if_range_allows(None, tag) && none_match(None, tag));
    // Whoever has this very version gets no body, and may go on from where it broke off.
    let is_this = text.is_some_and(|text| text.trim() == tag);
    assert!(!is_this || (if_range_allows(text, tag) && !none_match(text, tag)));
}

/// The token with some of its letters changed.
fn changed(token: &str, input: &[u8]) -> Vec<String> {
    let mut all = vec![
        token[..token.len() - 1].to_owned(),
        format!("{token}A"),
        format!("{token}="),
    ];
    for pair in input.chunks_exact(2).take(8) {
        let mut bytes = token.as_bytes().to_vec();
        let at = usize::from(pair[0]) * bytes.len() / 256;
        bytes[at] = pair[1];
        all.extend(String::from_utf8(bytes).ok().filter(|changed| changed != token));
    }
    // The last letter says less than the others; what it does not say must not be free to choose.
    let (head, _) = token.split_at(token.len() - 1);
    let last = input
        .first()
        .map(|byte| format!("{head}{}", char::from(b'A' + byte % 26)));
    all.extend(last.filter(|changed| changed != token));
    all
}

fn id(input: &[u8], from: usize) -> Uuid {
    let mut bytes = [0; 16];
    let given = input.get(from..).unwrap_or_default();
    let length = given.len().min(16);
    bytes[..length].copy_from_slice(&given[..length]);
    Uuid::from_bytes(bytes)
}

fn number(input: &[u8], from: usize) -> u32 {
    let given = input.get(from..from + 4).and_then(|bytes| bytes.try_into().ok());
    given.map_or(7, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const HEADERS: &str = "(W/)?\"?v?[0-9]{0,20}(-[0-9a-f]{0,8})?\"?|bytes ?= ?[0-9]{0,21}-[0-9]{0,21}|([0-9]{1,6}:[0-9]{1,21},?){0,4}|\
        [0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[ -~]{0,300}";

    fn signer() -> (tempfile::TempDir, Signer) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let signer = Signer::open(folder.path());
        (folder, signer)
    }

    proptest! {
        #[test]
        fn headers_are_read_or_refused(input in vec(any::<u8>(), 0..64), likely in HEADERS) {
            headers(&input);
            headers(likely.as_bytes());
        }

        #[test]
        fn pages_are_bounded(limit in "-?[0-9]{0,21}", cursor in "[A-Za-z0-9_=-]{0,600}") {
            page(format!("{limit}\n{cursor}").as_bytes());
        }
    }

    #[test]
    fn tokens_are_believed_as_they_were_made_and_not_otherwise() {
        let (_folder, signer) = signer();
        proptest!(ProptestConfig::with_cases(64), |(input in vec(any::<u8>(), 0..64))| {
            signer.access_token(&input);
            signer.refresh_token(&input);
        });
    }
}
