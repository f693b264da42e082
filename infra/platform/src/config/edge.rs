//! How a node faces the internet. See `config/fields.rs` for what each field means.
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    pub trusted_proxies: Option<Networks>,
    pub proxy_header: ProxyHeader,
    pub cors_origins: Option<Origins>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub access_log: AccessLog,
    /// 0: any number.
    pub connections_per_address: u32,
}

/// The header in which proxies say whom they speak for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// With `X-Forwarded-Proto` beside it.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// Which requests get a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessLog {
    Off,
    /// Those answered with an error, but for 429: a flood must not fill the disk.
    Failed,
    All,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub preset: Preset,
    pub sign_in: Option<Rate>,
    pub commands: Option<Rate>,
    pub queries: Option<Rate>,
    pub media: Option<Rate>,
    pub sockets: Option<Rate>,
}

/// Limits that go together; a class of its own may be set beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// What people do not hit and scripts do.
    Standard,
    /// A fifth of that.
    Strict,
    /// 100 requests in 15 minutes for each address, whoever asks; films and sockets have their own.
    Classic,
    Off,
}

/// So many requests in so long: `600/1m`; or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rate {
    Off,
    Of {
        /// 1 to 1,000,000,000.
        requests: u32,
        /// 1 to 86,400.
        seconds: u32,
    },
}

/// Networks and single addresses, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Networks(Vec<IpNet>);

/// Origins as browsers send them, separated by commas; or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Origins {
    Any,
    These(Vec<String>),
}

const REQUESTS_MAX: u32 = 1_000_000_000;
const SECONDS_MAX: u32 = 86_400;

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || "a rate is expected, such as 600/1m (s, m or h) or off".to_owned();
        if text == "off" {
            return Ok(Self::Off);
        }
        let (requests, window) = text.split_once('/').ok_or_else(expected)?;
        let units = [("s", 1), ("m", 60), ("h", 3_600)];
        let unit = units
            .iter()
            .find_map(|(unit, seconds)| Some((window.strip_suffix(unit)?, *seconds)));
        let (count, unit_seconds) = unit.ok_or_else(expected)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| expected());
        let (requests, count) = (number(requests)?, number(count)?);
        let seconds = count.saturating_mul(unit_seconds);
        if !(1..=REQUESTS_MAX).contains(&requests) || !(1..=SECONDS_MAX).contains(&seconds) {
            return Err(format!(
                "it must be 1 to {REQUESTS_MAX} requests in 1 second to 24 hours"
            ));
        }
        Ok(Self::Of { requests, seconds })
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        match rate {
            Rate::Off => "off".to_owned(),
            Rate::Of { requests, seconds } => format!("{requests}/{seconds}s"),
        }
    }
}

impl Networks {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl TryFrom<String> for Networks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = |text: &str| {
            let address = || IpAddr::from_str(text).map(IpNet::from);
            IpNet::from_str(text)
                .ok()
                .or_else(|| address().ok())
                .ok_or_else(|| {
                    format!("{text:?} is no network; 10.0.0.0/8, 2001:db8::/32 or an address is expected")
                })
        };
        let networks: Result<Vec<_>, String> = text.split(',').map(str::trim).map(network).collect();
        Ok(Self(networks?))
    }
}

impl From<Networks> for String {
    fn from(networks: Networks) -> Self {
        let texts: Vec<String> = networks.0.iter().map(IpNet::to_string).collect();
        texts.join(",")
    }
}

impl TryFrom<String> for Origins {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let origins = text.split(',').map(str::trim).map(|origin| {
            let host = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"))
                .unwrap_or_default();
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
            match !host.is_empty() && host.bytes().all(is_plain) {
                true => Ok(origin.to_ascii_lowercase()),
                false => Err(format!(
                    "{origin:?} is no origin; https://films.example (no path, no slash at the end) or * is expected"
                )),
            }
        });
        Ok(Self::These(origins.collect::<Result<_, String>>()?))
    }
}

impl From<Origins> for String {
    fn from(origins: Origins) -> Self {
        match origins {
            Origins::Any => "*".to_owned(),
            Origins::These(origins) => origins.join(","),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counts_in_a_time() {
        let check = |text: &str, expected: Option<Rate>| {
            assert_eq!(Rate::try_from(text.to_owned()).ok(), expected, "{text}");
        };
        let of = |requests, seconds| Some(Rate::Of { requests, seconds });
        check("100/15m", of(100, 900));
        check("5/1s", of(5, 1));
        check("1/24h", of(1, 86_400));
        check("off", Some(Rate::Off));
        for odd in [
            "",
            "100",
            "100/",
            "/1m",
            "100/m",
            "0/1m",
            "5/0s",
            "5/25h",
            "-1/1s",
            "5/1d",
            "5/99999999h",
        ] {
            check(odd, None);
        }
    }

    #[test]
    fn networks_may_be_single_addresses() {
        let networks =
            Networks::try_from("10.0.0.0/8, 192.0.2.7,2001:db8::/32".to_owned()).expect("good ones");
        for (address, expected) in [
            ("10.9.8.7", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::1", true),
            ("::1", false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(networks.contains(address), expected, "{address}");
        }
        assert!(Networks::try_from("10.0.0.0/33".to_owned()).is_err());
        assert!(Networks::try_from("proxy.example".to_owned()).is_err());
    }

    #[test]
    fn origins_have_no_path() {
        let good = Origins::try_from("https://a.example, http://localhost:5173".to_owned());
        let expected = vec!["https://a.example".to_owned(), "http://localhost:5173".to_owned()];
        assert_eq!(good, Ok(Origins::These(expected)));
        assert_eq!(Origins::try_from("*".to_owned()), Ok(Origins::Any));
        for odd in [
            "a.example",
            "https://a.example/",
            "https://",
            "https://a.example,*",
        ] {
            assert!(Origins::try_from(odd.to_owned()).is_err(), "{odd}");
        }
    }
}
