//! The providers that are configured, what they tell of a person, and how it is asked for.

use super::attempts::Attempt;
use super::issuers::Issuer;
use super::openid::OpenId;
use super::outside::Outside;
use super::plain::Plain;
use super::trouble::Trouble;
use super::visitors::Visitors;
use openidconnect::IssuerUrl;
use serde_json::Value;
use spool_platform::config::{Auth, Oidc};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Everybody else who vouches for people here.
pub struct Providers {
    by_name: BTreeMap<String, Provider>,
    pub visitors: Visitors,
}

/// A provider to sign in with.
pub struct Provider {
    pub name: String,
    /// For people.
    pub label: String,
    way: Way,
}

enum Way {
    OpenId(OpenId),
    Plain(Box<Plain>),
}

/// What a provider tells of a person. Only issuer and subject are sure to be somebody's own; the rest is what they say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub username: Option<String>,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

/// Issuers by address, so that one that is configured twice is asked once.
pub struct Issuers {
    outside: Arc<Outside>,
    by_url: HashMap<String, Issuer>,
}

impl Told {
    pub fn of(issuer: &str, subject: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            ..Self::default()
        }
    }

    /// Takes what is not known yet from standard claims. That an address was verified is only worth something beside it.
    pub fn fill(&mut self, claims: &Value) {
        let text = |name: &str| {
            let text = claims.get(name)?.as_str()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        if self.email.is_none() {
            self.email = text("email");
            let verified = claims.get("email_verified").and_then(Value::as_bool);
            self.email_verified = self.email.is_some() && verified == Some(true);
        }
        let places = [
            (&mut self.username, "preferred_username"),
            (&mut self.name, "name"),
            (&mut self.first_name, "given_name"),
            (&mut self.last_name, "family_name"),
        ];
        for (place, name) in places {
            *place = place.take().or_else(|| text(name));
        }
    }
}

impl Providers {
    /// As configured. Nobody is asked yet.
    pub fn new(auth: &Auth) -> Self {
        let outside = Arc::new(Outside::default());
        let mut issuers = Issuers {
            outside: outside.clone(),
            by_url: HashMap::new(),
        };
        let mut provider = |(name, configured): (&String, &Oidc)| {
            let label = configured.label.clone().unwrap_or_else(|| name.clone());
            let way = match &configured.issuer {
                Some(issuer) => Way::OpenId(OpenId::new(configured, issuers.at(issuer)?, outside.clone())),
                None => Way::Plain(Box::new(Plain::new(configured, outside.clone())?)),
            };
            let provider = Provider {
                name: name.clone(),
                label,
                way,
            };
            Some((name.clone(), provider))
        };
        Self {
            by_name: auth.oidc.iter().filter_map(&mut provider).collect(),
            visitors: Visitors::new(&auth.external_issuers, &mut issuers),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.by_name.values()
    }

    pub fn get(&self, name: &str) -> Result<&Provider, Trouble> {
        self.by_name.get(name).ok_or(Trouble::UnknownProvider)
    }
}

impl Issuers {
    /// Nothing for what is no address; then whatever needs it is not there, and the application log says so.
    pub fn at(&mut self, url: &str) -> Option<Issuer> {
        if let Some(issuer) = self.by_url.get(url) {
            return Some(issuer.clone());
        }
        let address = IssuerUrl::new(url.to_owned());
        let address =
            address.inspect_err(|error| tracing::error!(url, %error, "this issuer's address is none"));
        let issuer = Issuer::new(address.ok()?, self.outside.clone());
        self.by_url.insert(url.to_owned(), issuer.clone());
        Some(issuer)
    }
}

impl Provider {
    /// Where the person has to go.
    pub async fn address(&self, attempt: &Attempt) -> Result<String, Trouble> {
        match &self.way {
            Way::OpenId(openid) => openid.address(attempt).await,
            Way::Plain(plain) => plain.address(attempt),
        }
    }

    /// Who it is that came back with `code`. `issuer` is the one that the address named, if it did (RFC 9207).
    pub async fn told(&self, attempt: &Attempt, code: String, issuer: Option<&str>) -> Result<Told, Trouble> {
        match &self.way {
            Way::OpenId(openid) => openid.told(attempt, code, issuer).await,
            Way::Plain(plain) => plain.told(attempt, code).await,
        }
    }
}
