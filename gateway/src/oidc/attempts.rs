//! One attempt to sign in, and the code that ends it: both lie with the browser, sealed, so that any node can go on with them.

use crate::problem::{Kind, Problem};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spool_domain::ids::{AccountId, SessionId};
use spool_platform::keys::{Keys, hash_token, secret_token};

/// For as long as somebody takes to log in elsewhere.
pub const ATTEMPT_SECONDS: i64 = 600;
/// The page exchanges the code as soon as it is loaded.
pub const CODE_SECONDS: i64 = 60;

const ATTEMPT: Cookie = Cookie {
    name: "spool_oidc",
    path: "/api/auth/oidc",
    seconds: ATTEMPT_SECONDS,
};
const CODE: Cookie = Cookie {
    name: "spool_oidc_code",
    path: "/api/auth/oidc/exchange",
    seconds: CODE_SECONDS,
};

/// What must be known again when the browser comes back from the provider.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub provider: String,
    /// Comes back in the address.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// The secret of PKCE: what the code is good for nothing without.
    pub verifier: String,
    pub redirect_uri: String,
    pub return_to: String,
    /// Who wants to sign in by the provider from now on, and in which session that was asked.
    pub linking: Option<(AccountId, SessionId)>,
    until_ms: i64,
}

/// What the page gets the tokens for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    pub account: AccountId,
    pub session: SessionId,
    /// Hash of the cookie that must come with it.
    bound_to: String,
    until_ms: i64,
}

impl Attempt {
    pub fn new(
        provider: String,
        redirect_uri: String,
        return_to: String,
        linking: Option<(AccountId, SessionId)>,
        now_ms: i64,
    ) -> Self {
        Self {
            provider,
            state: secret_token(),
            nonce: secret_token(),
            verifier: secret_token(),
            redirect_uri,
            return_to,
            linking,
            until_ms: now_ms + ATTEMPT_SECONDS * 1000,
        }
    }

    pub fn cookie(&self, keys: &Keys) -> (HeaderName, HeaderValue) {
        ATTEMPT.set(&seal(keys, &ATTEMPT, self), &self.redirect_uri)
    }

    /// The attempt that `state` belongs to, if this browser made it and its time is not over.
    pub fn of(keys: &Keys, headers: &HeaderMap, provider: &str, state: &str, now_ms: i64) -> Option<Self> {
        let attempt: Self = open(keys, &ATTEMPT, ATTEMPT.in_headers(headers)?)?;
        let fits = attempt.provider == provider && hash_token(&attempt.state) == hash_token(state);
        (fits && attempt.until_ms > now_ms).then_some(attempt)
    }

    /// The attempt is over, however it ended.
    pub fn forget(base: &str) -> (HeaderName, HeaderValue) {
        ATTEMPT.removed(base)
    }
}

impl Code {
    /// The code for the address, and the cookie that has to come with it.
    pub fn make(
        keys: &Keys,
        account: AccountId,
        session: SessionId,
        base: &str,
        now_ms: i64,
    ) -> (String, (HeaderName, HeaderValue)) {
        let secret = secret_token();
        let code = Self {
            account,
            session,
            bound_to: hash_token(&secret),
            until_ms: now_ms + CODE_SECONDS * 1000,
        };
        (seal(keys, &CODE, &code), CODE.set(&secret, base))
    }

    /// What `code` stands for. The same answer for every reason not to take it.
    pub fn read(keys: &Keys, code: &str, headers: &HeaderMap, now_ms: i64) -> Result<Self, Problem> {
        let read = || {
            let code: Self = open(keys, &CODE, code)?;
            let is_bound = code.bound_to == hash_token(CODE.in_headers(headers)?);
            (is_bound && code.until_ms > now_ms).then_some(code)
        };
        read().ok_or_else(Self::is_over)
    }

    pub fn is_over() -> Problem {
        Problem::new(
            Kind::SignInNeeded,
            "this code is not good, or not good any more: it is for the browser that signed in, once, and for a minute",
        )
    }

    pub fn forget(base: &str) -> (HeaderName, HeaderValue) {
        CODE.removed(base)
    }
}

/// A cookie that no script reads and that no other site sends along, but for following a link to here.
struct Cookie {
    name: &'static str,
    path: &'static str,
    seconds: i64,
}

impl Cookie {
    fn set(&self, value: &str, base: &str) -> (HeaderName, HeaderValue) {
        self.header(value, self.seconds, base)
    }

    fn removed(&self, base: &str) -> (HeaderName, HeaderValue) {
        self.header("", 0, base)
    }

    fn header(&self, value: &str, seconds: i64, base: &str) -> (HeaderName, HeaderValue) {
        let Self { name, path, .. } = self;
        let secure = if base.starts_with("https:") {
            "; Secure"
        } else {
            ""
        };
        let cookie =
            format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        let cookie = HeaderValue::try_from(cookie).expect("what is sealed is URL-safe text");
        (header::SET_COOKIE, cookie)
    }

    fn in_headers<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let lines = headers.get_all(header::COOKIE).into_iter();
        let mut pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        pairs.find_map(|pair| pair.trim().strip_prefix(self.name)?.strip_prefix('='))
    }
}

/// The cookie's name is sealed with the content, so that nothing passes for something else.
fn seal(keys: &Keys, cookie: &Cookie, content: &impl Serialize) -> String {
    let text = serde_json::to_vec(content).expect("texts and numbers become JSON");
    keys.seal_for(cookie.name, &text)
}

fn open<T: DeserializeOwned>(keys: &Keys, cookie: &Cookie, sealed: &str) -> Option<T> {
    serde_json::from_slice(&keys.open_for(cookie.name, sealed)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn keys() -> (tempfile::TempDir, Keys) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let keys = Keys::open(dir.path()).expect("keys are made");
        (dir, keys)
    }

    /// What a browser sends back of a Set-Cookie.
    fn sent((_, set): &(HeaderName, HeaderValue)) -> HeaderMap {
        let set = set.to_str().expect("it is ASCII");
        let pair = format!("other=1; {}", set.split(';').next().unwrap_or_default());
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(pair).expect("it is ASCII"))])
    }

    fn attempt() -> Attempt {
        let texts = ["test", "https://a/callback", "/my"].map(str::to_owned);
        let [provider, redirect_uri, return_to] = texts;
        Attempt::new(provider, redirect_uri, return_to, None, 1_000)
    }

    #[test]
    fn an_attempt_is_known_again_by_its_state_until_its_time_is_over() {
        let (_dir, keys) = keys();
        let attempt = attempt();
        let cookie = attempt.cookie(&keys);
        let text = cookie.1.to_str().expect("it is ASCII");
        assert!(text.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{text}");
        assert!(!text.contains(&attempt.verifier), "it is sealed");
        let headers = sent(&cookie);
        let end = 1_000 + ATTEMPT_SECONDS * 1000;
        let of = |provider, state: &str, now_ms| Attempt::of(&keys, &headers, provider, state, now_ms);
        assert_eq!(of("test", &attempt.state, end - 1).as_ref(), Some(&attempt));
        assert_eq!(of("test", &attempt.state, end), None, "too late");
        assert_eq!(of("other", &attempt.state, end - 1), None);
        assert_eq!(of("test", &attempt.nonce, end - 1), None);
        assert_eq!(
            Attempt::of(&keys, &HeaderMap::new(), "test", &attempt.state, 1_000),
            None
        );
        let (_dir, others) = self::keys();
        assert_eq!(
            Attempt::of(&others, &headers, "test", &attempt.state, 1_000),
            None
        );
    }

    #[test]
    fn a_code_is_for_the_browser_that_has_its_cookie() {
        let (_dir, keys) = keys();
        let (account, session) = (AccountId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        let (code, cookie) = Code::make(&keys, account, session, "http://a", 0);
        let (_, another) = Code::make(&keys, account, session, "http://a", 0);
        assert!(!cookie.1.to_str().expect("it is ASCII").contains("Secure"));
        let end = CODE_SECONDS * 1000;
        let read = Code::read(&keys, &code, &sent(&cookie), end - 1).expect("all of it fits");
        assert_eq!((read.account, read.session), (account, session));
        assert!(Code::read(&keys, &code, &sent(&cookie), end).is_err(), "too late");
        assert!(Code::read(&keys, &code, &sent(&another), 0).is_err());
        assert!(Code::read(&keys, &code, &HeaderMap::new(), 0).is_err());
        let cookie = attempt().cookie(&keys);
        let sealed = ATTEMPT.in_headers(&sent(&cookie)).map(str::to_owned);
        let sealed = sealed.expect("the cookie is there");
        assert!(
            Code::read(&keys, &sealed, &sent(&cookie), 0).is_err(),
            "another kind"
        );
    }
}
