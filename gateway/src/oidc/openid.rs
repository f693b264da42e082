//! OpenID Connect: the authorization code flow with PKCE, a state and a nonce.

use super::attempts::Attempt;
use super::issuers::Issuer;
use super::outside::{Outside, OutsideError};
use super::providers::Told;
use super::trouble::{Trouble, away, not_believed};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreUserInfoClaims,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, ErrorResponse, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse, UserInfoError,
};
use serde::Serialize;
use serde_json::Value;
use spool_platform::config::Oidc;
use std::sync::Arc;

/// Signatures with a key that the issuer publishes; never by a secret that is shared, and never none.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
const SCOPES: &str = "openid email profile";

/// A provider with a discovery document.
pub struct OpenId {
    issuer: Issuer,
    outside: Arc<Outside>,
    client: ClientId,
    secret: Option<ClientSecret>,
    scopes: Vec<Scope>,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl OpenId {
    pub fn new(configured: &Oidc, issuer: Issuer, outside: Arc<Outside>) -> Self {
        let scopes = configured.scopes.as_deref().unwrap_or(SCOPES).split_whitespace();
        Self {
            issuer,
            outside,
            client: ClientId::new(configured.client_id.clone().unwrap_or_default()),
            secret: configured
                .client_secret
                .as_ref()
                .map(|secret| ClientSecret::new(secret.reveal().to_owned())),
            // The crate asks for `openid` by itself.
            scopes: scopes
                .filter(|scope| *scope != "openid")
                .map(|scope| Scope::new(scope.to_owned()))
                .collect(),
        }
    }

    pub async fn address(&self, attempt: &Attempt) -> Result<String, Trouble> {
        let published = self.issuer.published().await.map_err(away)?;
        let client = self.client(&published.metadata, attempt)?;
        let verifier = PkceCodeVerifier::new(attempt.verifier.clone());
        let (state, nonce) = (attempt.state.clone(), attempt.nonce.clone());
        let (address, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state.clone()),
                move || Nonce::new(nonce.clone()),
            )
            .add_scopes(self.scopes.clone())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(address.into())
    }

    pub async fn told(&self, attempt: &Attempt, code: String, issuer: Option<&str>) -> Result<Told, Trouble> {
        if issuer.is_some_and(|issuer| issuer != self.issuer.url()) {
            return Err(not_believed("the answer names another issuer"));
        }
        let published = self.issuer.published().await.map_err(away)?;
        let client = self.client(&published.metadata, attempt)?;
        let exchange = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(away)?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
        let tokens = exchange
            .request_async(&*self.outside)
            .await
            .map_err(not_exchanged)?;
        let token = tokens
            .id_token()
            .ok_or_else(|| not_believed("no ID token came"))?;
        // It may be signed by a key that is newer than what is kept.
        let header = jsonwebtoken::decode_header(token.to_string()).map_err(not_believed)?;
        let published = self
            .issuer
            .published_with(header.kid.as_deref())
            .await
            .map_err(away)?;
        let client = self.client(&published.metadata, attempt)?;
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token
            .claims(&verifier, &Nonce::new(attempt.nonce.clone()))
            .map_err(not_believed)?;
        let mut told = Told::of(self.issuer.url(), claims.subject().as_str());
        told.fill(&json(claims));
        if told.email.is_none()
            && let Ok(asking) =
                client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        {
            let asked: Result<CoreUserInfoClaims, _> = asking.request_async(&*self.outside).await;
            told.fill(&json(&asked.map_err(no_information)?));
        }
        Ok(told)
    }

    fn client(&self, metadata: &CoreProviderMetadata, attempt: &Attempt) -> Result<Client, Trouble> {
        let redirect = RedirectUrl::new(attempt.redirect_uri.clone()).map_err(away)?;
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), self.client.clone(), self.secret.clone());
        Ok(client
            .set_redirect_uri(redirect)
            .set_auth_type(auth_type(metadata)))
    }
}

/// What the provider says that it takes; in the header if it says nothing.
fn auth_type(metadata: &CoreProviderMetadata) -> AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported();
    let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
    if takes(CoreClientAuthMethod::ClientSecretBasic) {
        AuthType::BasicAuth
    } else {
        AuthType::RequestBody
    }
}

fn json(claims: &impl Serialize) -> Value {
    serde_json::to_value(claims).unwrap_or_default()
}

/// Whether it is the provider's trouble, or what the browser brought was not good. The answer itself may hold tokens and is left
/// out.
pub fn not_exchanged<E: ErrorResponse + 'static>(error: RequestTokenError<OutsideError, E>) -> Trouble {
    match error {
        RequestTokenError::Request(error) => away(error),
        RequestTokenError::ServerResponse(said) => not_believed(format!("the code was refused: {said:?}")),
        RequestTokenError::Parse(error, _) => not_believed(format!("no tokens came for the code: {error}")),
        RequestTokenError::Other(complaint) => away(complaint),
    }
}

fn no_information(error: UserInfoError<OutsideError>) -> Trouble {
    match error {
        UserInfoError::ClaimsVerification(error) => not_believed(error),
        UserInfoError::Request(error) => away(error),
        UserInfoError::Response(status, _, complaint) => away(format!("{complaint} ({status})")),
        UserInfoError::Parse(error) => away(error),
        error => away(error),
    }
}
