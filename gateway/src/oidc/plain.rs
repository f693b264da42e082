//! Plain OAuth 2.0, by configuration: no discovery, no ID token; who somebody is, an address of the provider tells as JSON.

use super::attempts::Attempt;
use super::openid::not_exchanged;
use super::outside::Outside;
use super::providers::Told;
use super::trouble::{Trouble, away, not_believed};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse, TokenUrl,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};
use spool_platform::config::Oidc;
use std::sync::Arc;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// A provider whose addresses and fields are configured.
pub struct Plain {
    outside: Arc<Outside>,
    client: Client,
    scopes: Vec<Scope>,
    userinfo_url: String,
    emails_url: Option<String>,
    fields: Fields,
}

/// Where in the answer is what; dots lead into objects.
struct Fields {
    subject: String,
    email: String,
    email_verified: Option<String>,
    name: String,
    username: String,
}

impl Plain {
    /// Nothing when an address is none, which the application log says.
    pub fn new(configured: &Oidc, outside: Arc<Outside>) -> Option<Self> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let authorize = AuthUrl::new(text(&configured.authorize_url));
        let token = TokenUrl::new(text(&configured.token_url));
        let (Ok(authorize), Ok(token)) = (authorize, token) else {
            tracing::error!(
                ?configured,
                "authorize_url or token_url of this provider is no address"
            );
            return None;
        };
        let mut client = BasicClient::new(ClientId::new(text(&configured.client_id)))
            // In the body, since some take nothing else; OpenID providers say what they take.
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(authorize)
            .set_token_uri(token);
        if let Some(secret) = &configured.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.reveal().to_owned()));
        }
        let scopes = configured
            .scopes
            .as_deref()
            .unwrap_or_default()
            .split_whitespace();
        Some(Self {
            outside,
            client,
            scopes: scopes.map(|scope| Scope::new(scope.to_owned())).collect(),
            userinfo_url: text(&configured.userinfo_url),
            emails_url: configured.emails_url.clone(),
            fields: Fields {
                subject: configured.subject_field.clone(),
                email: configured.email_field.clone(),
                email_verified: configured.email_verified_field.clone(),
                name: configured.name_field.clone(),
                username: configured.username_field.clone(),
            },
        })
    }

    pub fn address(&self, attempt: &Attempt) -> Result<String, Trouble> {
        let verifier = PkceCodeVerifier::new(attempt.verifier.clone());
        let client = self.client(attempt)?;
        let state = attempt.state.clone();
        let asking = client.authorize_url(move || CsrfToken::new(state.clone()));
        let (address, _) = asking
            .add_scopes(self.scopes.clone())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(address.into())
    }

    pub async fn told(&self, attempt: &Attempt, code: String) -> Result<Told, Trouble> {
        let client = self.client(attempt)?;
        let exchange = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
        let tokens = exchange
            .request_async(&*self.outside)
            .await
            .map_err(not_exchanged)?;
        let token = tokens.access_token().secret();
        let person = self.ask(&self.userinfo_url, token).await?;
        let subject = match at(&person, &self.fields.subject) {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(away("the answer about the person has no subject")),
        };
        // There is no issuer; the address that tells the subject is what gives it a meaning.
        let mut told = Told::of(&self.userinfo_url, &subject);
        let emails = match &self.emails_url {
            Some(url) => Some(self.ask(url, token).await?),
            None => None,
        };
        told.fill(&self.standard(&person, emails.as_ref()));
        Ok(told)
    }

    /// The same under the names of standard claims.
    fn standard(&self, person: &Value, emails: Option<&Value>) -> Value {
        let verified = self.fields.email_verified.as_ref();
        let (email, email_verified) = match emails.and_then(primary) {
            Some(email) => (email.get("email"), email.get("verified")),
            None => (
                at(person, &self.fields.email),
                verified.and_then(|field| at(person, field)),
            ),
        };
        json!({
            "email": email,
            "email_verified": email_verified,
            "name": at(person, &self.fields.name),
            "preferred_username": at(person, &self.fields.username),
        })
    }

    async fn ask(&self, url: &str, token: &str) -> Result<Value, Trouble> {
        let mut request = HttpRequest::new(vec![]);
        *request.uri_mut() = url.parse().map_err(away)?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(not_believed)?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.outside.ask(request).await.map_err(away)?;
        if !answer.status().is_success() {
            return Err(away(format!("{url} answered {}", answer.status())));
        }
        serde_json::from_slice(answer.body()).map_err(away)
    }

    fn client(&self, attempt: &Attempt) -> Result<Client, Trouble> {
        let redirect = RedirectUrl::new(attempt.redirect_uri.clone()).map_err(away)?;
        Ok(self.client.clone().set_redirect_uri(redirect))
    }
}

/// The address that counts among several: the primary one, else the first.
fn primary(emails: &Value) -> Option<&Value> {
    let emails = emails.as_array()?;
    let is_primary = |email: &&Value| email.get("primary").and_then(Value::as_bool) == Some(true);
    emails.iter().find(is_primary).or(emails.first())
}

/// The value at a path such as `data.id`; nothing for null.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let found = path.split('.').try_fold(value, |value, name| value.get(name));
    found.filter(|value| !value.is_null())
}
