//! Where a request comes from: the other end of the connection, or what a trusted proxy says of it.

use super::visit::Visit;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use spool_platform::config::{self, Networks, ProxyHeader};
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of the client, for handlers to take. Behind proxies that are not configured it is the last one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Itself, and for IPv6 the /64 that one customer has: with other addresses of it nobody is anybody else.
    pub fn customer(self) -> u128 {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() & (u128::MAX << 64),
        }
    }

    /// As much of it as may be written down or kept for long: see [`fmt::Display`].
    pub fn network(self) -> u128 {
        match self.truncated() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        }
    }

    fn truncated(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).into(),
        }
    }
}

/// The network: `192.0.2.0/24` or `2001:db8:1::/48`, which names a neighbourhood and no person.
impl fmt::Display for ClientAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { 24 } else { 48 };
        write!(out, "{}/{bits}", self.truncated())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Visit::of(&parts.extensions).client)
    }
}

/// The other end of a connection, put into each of its requests.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub address: IpAddr,
    pub is_encrypted: bool,
}

impl Peer {
    pub fn new(address: SocketAddr, is_encrypted: bool) -> Self {
        Self {
            address: address.ip().to_canonical(),
            is_encrypted,
        }
    }
}

/// A request without a connection is this process's own.
impl Default for Peer {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            is_encrypted: false,
        }
    }
}

/// Which proxies are believed, and what they write.
pub struct Proxies {
    trusted: Networks,
    header: ProxyHeader,
    /// Whether somebody has been told that a proxy seems to be missing from the configuration.
    has_warned: AtomicBool,
}

impl Proxies {
    pub fn new(settings: &config::Edge) -> Self {
        Self {
            trusted: settings.trusted_proxies.clone().unwrap_or_default(),
            header: settings.proxy_header,
            has_warned: AtomicBool::new(false),
        }
    }

    pub fn are(&self, address: IpAddr) -> bool {
        self.trusted.contains(address)
    }

    /// The client, and whether it came by HTTPS, as far as can be believed.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> (ClientAddress, bool) {
        if !self.are(peer.address) {
            self.warn_of_a_stranger(peer, headers);
            return (ClientAddress(peer.address), peer.is_encrypted);
        }
        let (client, proto) = match self.header {
            ProxyHeader::XForwardedFor => (
                self.rightmost_stranger(peer, values(headers, &FORWARDED_FOR)),
                values(headers, &FORWARDED_PROTO).next().map(str::to_owned),
            ),
            ProxyHeader::Forwarded => {
                let named = |name: &'static str| {
                    values(headers, &header::FORWARDED).map(move |element| parameter(element, name))
                };
                let addresses = named("for").map(Option::unwrap_or_default);
                (
                    self.rightmost_stranger(peer, addresses),
                    named("proto").next().flatten().map(str::to_owned),
                )
            }
        };
        let is_encrypted = proto.map_or(peer.is_encrypted, |proto| proto.eq_ignore_ascii_case("https"));
        (ClientAddress(client), is_encrypted)
    }

    /// From the nearest proxy outwards, the first that is not one of ours. What stands before was written by somebody
    /// else; what cannot be read ends the search at the last proxy that could.
    fn rightmost_stranger<'a>(&self, peer: Peer, addresses: impl Iterator<Item = &'a str>) -> IpAddr {
        let mut last = peer.address;
        for text in addresses {
            let Some(address) = address(text) else { return last };
            last = address;
            if !self.are(address) {
                return last;
            }
        }
        last
    }

    /// All clients behind one that is not configured count as one, which its operator would wonder about.
    fn warn_of_a_stranger(&self, peer: Peer, headers: &HeaderMap) {
        let seems_a_proxy = || headers.contains_key(FORWARDED_FOR) && is_private(peer.address);
        if !self.has_warned.load(Ordering::Relaxed) && seems_a_proxy() {
            self.has_warned.store(true, Ordering::Relaxed);
            let proxy = ClientAddress(peer.address);
            tracing::warn!(%proxy, "requests come with X-Forwarded-For from a private network that is not in edge.trusted_proxies: all clients behind it count as one");
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

/// The parts of a list header, the last first, over all its lines. What is no text is an empty part.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().rev();
    lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(str::trim))
}

/// Of `for=192.0.2.60;proto=http`, without quotes.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let found = pairs
        .map(|(key, value)| (key.trim(), value.trim().trim_matches('"')))
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// `192.0.2.60`, `192.0.2.60:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let plain = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    plain()
        .or_else(with_port)
        .or_else(in_brackets)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn proxies(header: ProxyHeader) -> Proxies {
        let trusted = Networks::try_from("10.0.0.0/8,2001:db8:aaaa::/48".to_owned());
        Proxies {
            trusted: trusted.expect("good networks"),
            header,
            has_warned: AtomicBool::new(false),
        }
    }

    fn seen(proxies: &Proxies, peer: &str, lines: &[(&'static str, &str)]) -> (String, bool) {
        let peer = Peer {
            address: peer.parse().expect("an address"),
            is_encrypted: false,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        let (client, is_encrypted) = proxies.client(peer, &headers);
        (client.0.to_string(), is_encrypted)
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_the_rightmost_stranger_is_the_client() {
        let proxies = proxies(ProxyHeader::XForwardedFor);
        let check = |peer, forwarded: &[&str], expected: &str| {
            let lines: Vec<_> = forwarded
                .iter()
                .map(|value| ("x-forwarded-for", *value))
                .collect();
            assert_eq!(seen(&proxies, peer, &lines).0, expected, "{peer} {forwarded:?}");
        };
        check("192.0.2.1", &["198.51.100.9"], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.9"], "198.51.100.9");
        check("10.0.0.1", &["1.1.1.1, 198.51.100.9, 10.0.0.2"], "198.51.100.9");
        check(
            "10.0.0.1",
            &["1.1.1.1", "198.51.100.9", "10.0.0.2"],
            "198.51.100.9",
        );
        check("10.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3");
        check("10.0.0.1", &["198.51.100.9, nonsense"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.9, unknown, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &["198.51.100.9, \u{e9}"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.9:443"], "198.51.100.9");
        check("10.0.0.1", &["::ffff:198.51.100.9"], "198.51.100.9");
        check(
            "2001:db8:aaaa::1",
            &["[2001:db8:bbbb::9]:443"],
            "2001:db8:bbbb::9",
        );
    }

    #[test]
    fn one_header_is_read_and_the_other_is_not() {
        let forwarded = proxies(ProxyHeader::Forwarded);
        let line =
            "for=1.1.1.1, For=\"[2001:db8:bbbb::9]:4711\";proto=HTTPS;by=10.0.0.1, for=10.0.0.2;proto=https";
        let both = [("forwarded", line), ("x-forwarded-for", "7.7.7.7")];
        assert_eq!(
            seen(&forwarded, "10.0.0.1", &both),
            ("2001:db8:bbbb::9".to_owned(), true)
        );
        assert_eq!(
            seen(&forwarded, "10.0.0.1", &[("forwarded", "for=_hidden;proto=http")]),
            ("10.0.0.1".to_owned(), false)
        );
        assert_eq!(
            seen(&proxies(ProxyHeader::XForwardedFor), "10.0.0.1", &both),
            ("7.7.7.7".to_owned(), false)
        );
    }

    #[test]
    fn https_is_what_a_trusted_proxy_says() {
        let proxies = proxies(ProxyHeader::XForwardedFor);
        let https = [("x-forwarded-proto", "https")];
        assert!(seen(&proxies, "10.0.0.1", &https).1);
        assert!(!seen(&proxies, "192.0.2.1", &https).1);
        assert!(!seen(&proxies, "10.0.0.1", &[("x-forwarded-proto", "https, http")]).1);
    }

    #[test]
    fn an_address_is_written_as_its_network() {
        let written = |text: &str| ClientAddress(text.parse().expect("an address")).to_string();
        assert_eq!(written("198.51.100.77"), "198.51.100.0/24");
        assert_eq!(written("2001:db8:1:2:3:4:5:6"), "2001:db8:1::/48");
    }

    #[test]
    fn neighbours_in_one_ipv6_network_of_64_bits_are_one_customer() {
        let of = |text: &str| ClientAddress(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1").customer(), of("2001:db8::2").customer());
        assert_ne!(of("2001:db8::1").customer(), of("2001:db8:0:1::1").customer());
        assert_ne!(of("192.0.2.1").customer(), of("192.0.2.2").customer());
        assert_eq!(of("192.0.2.1").network(), of("192.0.2.2").network());
    }
}
