//! Others that vouch for people. See `config/named.rs` for what each field means.
use serde::{Deserialize, Serialize};

use super::Secret;

/// A provider that people may sign in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    pub label: Option<String>,
    /// Unset: plain OAuth 2.0.
    pub issuer: Option<String>,
    /// There, once the configuration was read.
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub scopes: Option<String>,
    pub authorize_url: Option<String>,
    pub token_url: Option<String>,
    pub userinfo_url: Option<String>,
    pub emails_url: Option<String>,
    pub subject_field: String,
    pub email_field: String,
    pub email_verified_field: Option<String>,
    pub name_field: String,
    pub username_field: String,
}

/// An issuer whose access tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalIssuer {
    /// There, once the configuration was read, as the audience is.
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub create_accounts: bool,
    pub role_claim: Option<String>,
    pub roles: Option<String>,
}
