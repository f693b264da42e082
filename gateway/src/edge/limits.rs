//! How many requests are taken: by class of route, for each person, API key or address.
//!
//! Whoever shows no credentials is counted by address, before anything is done. Credentials are counted when they have
//! proved to be somebody's ([`charge`]), for whoever that is; those that prove nothing are counted for the address they
//! came from, and once that has shown too many, none of its credentials are looked at.

use super::address::ClientAddress;
use super::buckets::{Buckets, Quota, Standing, Verdict};
use super::visit::Visit;
use crate::auth::{Caller, Means};
use crate::problem::Problem;
use axum::extract::{MatchedPath, Request};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, header};
use metrics::{Counter, counter};
use spool_platform::clock::Clock;
use spool_platform::config::{self, Preset, Rate};
use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// Of draft-ietf-httpapi-ratelimit-headers-10.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Room for 131,072 clients in debt, in 2.2 MB.
const SETS: usize = 16_384;

/// Where one proves who one is, besides the ways by others.
const SIGN_IN: &[&str] = &[
    "/api/auth/login",
    "/api/auth/register",
    "/api/auth/register-admin",
    "/api/auth/refresh-token",
    "/api/auth/forgot-password",
    "/api/auth/reset-password",
    "/api/auth/change-password",
    "/api/auth/confirm-email",
    "/api/auth/resend-confirmation",
];
/// The first is asked by other servers about each of their requests.
const LIKE_QUERIES: &[&str] = &["/api/auth/verify", "/api/auth/oidc/providers"];

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Proving who one is: always counted by address.
    SignIn,
    Commands,
    Queries,
    Media,
    Sockets,
    /// Health and figures: whoever restarts a node that does not answer must get an answer.
    Operation,
}

impl Class {
    /// By the route; `None` stands for the pages' files.
    fn of(method: &Method, route: Option<&str>) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match route {
            Some(route) if SIGN_IN.contains(&route) => Self::SignIn,
            Some(route) if LIKE_QUERIES.contains(&route) => Self::Queries,
            Some(route) if route.starts_with("/api/auth/oidc/") => Self::SignIn,
            Some(route) if route == "/metrics" || route.starts_with("/health") => Self::Operation,
            Some("/ws") => Self::Sockets,
            Some(route) if reads && route.starts_with("/api/storage/") => Self::Media,
            None => Self::Media,
            Some(_) if reads => Self::Queries,
            Some(_) => Self::Commands,
        }
    }

    pub fn of_request(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        Self::of(request.method(), route.map(MatchedPath::as_str))
    }
}

/// A quota with its name, and what is said of it.
struct Policy {
    quota: Quota,
    /// Tells the counts of policies apart in the table.
    number: u8,
    /// Whether a person counts as the address they come from.
    by_address: bool,
    name: &'static str,
    /// `"queries";q=3000;w=60`
    header: HeaderValue,
    refused: Counter,
}

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// A customer's address.
    Address(u128),
    Person(Uuid),
    /// Apart from its owner, who has some tens of keys at most.
    Key(Uuid),
}

/// The limits of this node. They are counted in its memory only: on each of several nodes anew.
pub struct Limits {
    clock: Clock,
    buckets: Buckets,
    policies: [Option<Policy>; 5],
    /// Credentials that prove nothing.
    strangers: Option<Policy>,
}

impl Limits {
    pub fn new(settings: &config::Limits, clock: Clock) -> Self {
        let rates = Rates::of(settings);
        let classic = (settings.preset == Preset::Classic).then_some(());
        let shared = |set: Option<Rate>| classic.filter(|()| set.is_none());
        let policy = |number: u8, name: &'static str, rate: Rate, set: Option<Rate>| match shared(set) {
            // One quota for all that is not set apart.
            Some(()) => Policy::new(0, "classic", rate, true),
            None => Policy::new(number, name, rate, number == 1),
        };
        let own = |number, name, rate| Policy::new(number, name, rate, false);
        Self {
            clock,
            buckets: Buckets::new(SETS),
            strangers: Policy::new(6, "unproven", rates.sign_in, true),
            policies: [
                policy(1, "sign_in", rates.sign_in, settings.sign_in),
                policy(2, "commands", rates.commands, settings.commands),
                policy(3, "queries", rates.queries, settings.queries),
                own(4, "media", rates.media),
                own(5, "sockets", rates.sockets),
            ],
        }
    }

    /// Counts a request as far as it is known whose it is.
    pub fn enter(self: &Arc<Self>, class: Class, request: &mut Request) -> Entry {
        let Some(policy) = self.policy(class) else {
            return Entry::Free;
        };
        let client = Visit::of(request.extensions()).client;
        let address = Who::Address(client.customer());
        if policy.by_address || !has_credentials(request.headers()) {
            return self.counted(policy, address);
        }
        if let Some(strangers) = &self.strangers {
            let key = self.buckets.key((strangers.number, address));
            if let Verdict::Refused(standing) = self.buckets.look(key, &strangers.quota, self.clock.now_ms())
            {
                return strangers.refused(standing);
            }
        }
        let meter = Meter(Arc::new(Open {
            limits: Arc::clone(self),
            class,
            client,
            counted: OnceLock::new(),
        }));
        request.extensions_mut().insert(meter.clone());
        Entry::Open(meter)
    }

    fn policy(&self, class: Class) -> Option<&Policy> {
        let index = match class {
            Class::SignIn => 0,
            Class::Commands => 1,
            Class::Queries => 2,
            Class::Media => 3,
            Class::Sockets => 4,
            Class::Operation => return None,
        };
        self.policies[index].as_ref()
    }

    fn counted(&self, policy: &Policy, who: Who) -> Entry {
        let key = self.buckets.key((policy.number, who));
        match self.buckets.take(key, &policy.quota, self.clock.now_ms()) {
            Verdict::Taken(standing) => Entry::Counted(policy.said(standing)),
            Verdict::Refused(standing) => policy.refused(standing),
        }
    }
}

/// What came of counting a request.
pub enum Entry {
    /// There is no limit for it.
    Free,
    Counted(Said),
    /// In a box, for it is rare, and every request has room for an entry.
    Refused(Box<(Problem, Said)>),
    /// It shows credentials: whose they are is not known yet.
    Open(Meter),
}

impl Entry {
    /// What the answer says of limits.
    pub fn said(self) -> Option<Said> {
        match self {
            Self::Free => None,
            Self::Counted(said) => Some(said),
            Self::Refused(refused) => Some(refused.1),
            Self::Open(meter) => meter.said(),
        }
    }
}

/// The two headers.
#[derive(Clone)]
pub struct Said {
    policy: HeaderValue,
    standing: HeaderValue,
}

impl Said {
    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY, self.policy);
        headers.insert(RATE_LIMIT, self.standing);
    }
}

/// Goes with a request until it is known whose it is.
#[derive(Clone)]
pub struct Meter(Arc<Open>);

struct Open {
    limits: Arc<Limits>,
    class: Class,
    client: ClientAddress,
    counted: OnceLock<Said>,
}

/// Counts the request for whoever asks, now that their credentials are known to be good. To be called once a request.
pub fn charge(extensions: &Extensions, caller: &Caller) -> Result<(), Problem> {
    let (Some(meter), Caller::Person(credential)) = (extensions.get::<Meter>(), caller) else {
        return Ok(());
    };
    meter.charge(match credential.means {
        Means::Session(_) | Means::Visit(..) => Who::Person(credential.account.0),
        Means::ApiKey(key, _) => Who::Key(key.0),
    })
}

impl Meter {
    fn charge(&self, who: Who) -> Result<(), Problem> {
        let open = &self.0;
        let Some(policy) = open.limits.policy(open.class) else {
            return Ok(());
        };
        let (said, counted) = match open.limits.counted(policy, who) {
            Entry::Counted(said) => (said, Ok(())),
            Entry::Refused(refused) => (refused.1, Err(refused.0)),
            Entry::Free | Entry::Open(_) => return Ok(()),
        };
        open.counted.get_or_init(|| said);
        counted
    }

    /// After the answer: credentials that nobody has vouched for are a stranger's.
    fn said(&self) -> Option<Said> {
        let open = &self.0;
        if let Some(said) = open.counted.get() {
            return Some(said.clone());
        }
        let strangers = open.limits.strangers.as_ref()?;
        let address = Who::Address(open.client.customer());
        open.limits.counted(strangers, address).said()
    }
}

impl Policy {
    fn new(number: u8, name: &'static str, rate: Rate, by_address: bool) -> Option<Self> {
        let Rate::Of { requests, seconds } = rate else {
            return None;
        };
        let header = format!("\"{name}\";q={requests};w={seconds}");
        Some(Self {
            quota: Quota::new(requests, seconds),
            number,
            by_address,
            name,
            header: HeaderValue::try_from(header).expect("a name and numbers are visible ASCII"),
            refused: counter!("spool_limited_total", "policy" => name),
        })
    }

    fn said(&self, standing: Standing) -> Said {
        let mut text = Text::default();
        let Standing {
            left,
            whole_in_seconds,
            ..
        } = standing;
        write!(text, "\"{}\";r={left};t={whole_in_seconds}", self.name).expect("it has room for that");
        Said {
            policy: self.header.clone(),
            standing: HeaderValue::from_bytes(text.bytes()).expect("a name and numbers are visible ASCII"),
        }
    }

    fn refused(&self, standing: Standing) -> Entry {
        self.refused.increment(1);
        let problem = Problem::limited(
            "that is more than is taken in a while; RateLimit-Policy says how much is",
            standing.next_in_seconds,
        );
        Entry::Refused(Box::new((problem, self.said(standing))))
    }
}

fn has_credentials(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key(API_KEY)
}

/// The rate of each class.
struct Rates {
    sign_in: Rate,
    commands: Rate,
    queries: Rate,
    media: Rate,
    sockets: Rate,
}

impl Rates {
    fn of(settings: &config::Limits) -> Self {
        let minute = |requests| Rate::Of {
            requests,
            seconds: 60,
        };
        let general = Rate::Of {
            requests: 100,
            seconds: 900,
        };
        let (sign_in, commands, queries, media, sockets) = match settings.preset {
            Preset::Standard => (
                minute(100),
                minute(600),
                minute(3_000),
                minute(30_000),
                minute(300),
            ),
            Preset::Strict => (minute(20), minute(120), minute(600), minute(6_000), minute(60)),
            Preset::Classic => (general, general, general, minute(30_000), minute(300)),
            Preset::Off => (Rate::Off, Rate::Off, Rate::Off, Rate::Off, Rate::Off),
        };
        Self {
            sign_in: settings.sign_in.unwrap_or(sign_in),
            commands: settings.commands.unwrap_or(commands),
            queries: settings.queries.unwrap_or(queries),
            media: settings.media.unwrap_or(media),
            sockets: settings.sockets.unwrap_or(sockets),
        }
    }
}

/// A little text, written without allocating.
struct Text {
    bytes: [u8; 48],
    length: usize,
}

impl Text {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Default for Text {
    fn default() -> Self {
        Self {
            bytes: [0; 48],
            length: 0,
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        let end = self.length + piece.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(piece.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, route: &str, expected: Class) {
        assert_eq!(Class::of(&method, Some(route)), expected, "{method} {route}");
    }

    #[test]
    fn each_route_has_its_class() {
        check(Method::POST, "/api/auth/login", Class::SignIn);
        check(Method::GET, "/api/auth/oidc/{provider}/callback", Class::SignIn);
        check(Method::PUT, "/api/auth/change-password", Class::SignIn);
        check(Method::POST, "/api/auth/verify", Class::Queries);
        check(Method::GET, "/api/auth/profile", Class::Queries);
        check(Method::PUT, "/api/videos/{id}", Class::Commands);
        check(Method::GET, "/api/videos", Class::Queries);
        check(Method::POST, "/api/storage/upload/video", Class::Commands);
        check(Method::GET, "/api/storage/videos/{id}/thumbnail", Class::Media);
        check(Method::GET, "/ws", Class::Sockets);
        check(Method::GET, "/health/ready", Class::Operation);
        check(Method::GET, "/metrics", Class::Operation);
        assert_eq!(Class::of(&Method::GET, None), Class::Media);
    }

    #[test]
    fn the_longest_header_has_room() {
        let policy = Policy::new(
            1,
            "commands",
            Rate::Of {
                requests: 1,
                seconds: 1,
            },
            false,
        );
        let said = policy.expect("it is a limit").said(Standing {
            left: u32::MAX,
            whole_in_seconds: u32::MAX,
            next_in_seconds: 0,
        });
        assert_eq!(said.standing, "\"commands\";r=4294967295;t=4294967295");
    }
}
