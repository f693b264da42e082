//! Bearer tokens that others issued: believed by the keys their issuer publishes, as the account that the subject has here.

use super::issuers::Issuer;
use super::plain::at;
use super::providers::{Issuers, Told};
use super::trouble::Trouble;
use crate::auth::{Credential, Means};
use crate::gateway::Gateway;
use crate::problem::Problem;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;
use spool_commands::Ask;
use spool_commands::accounts::identity_place;
use spool_domain::accounts::{Account, Standing};
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, ReservationId};
use spool_platform::config::ExternalIssuer;
use std::collections::{BTreeMap, HashMap};

/// Never `none`, and never an HMAC, whose secret both sides would have to know.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
/// Clocks of two parties differ.
const LEEWAY_SECONDS: i64 = 60;
/// Roles from the least to the greatest.
const ROLES: [(&str, Role); 4] = [
    ("viewer", Role::Viewer),
    ("creator", Role::Creator),
    ("service", Role::Service),
    ("admin", Role::Admin),
];

/// The issuers whose tokens are accepted, by what their tokens call them.
pub struct Visitors(HashMap<String, Vouching>);

/// An issuer, and what its tokens are worth here.
struct Vouching {
    name: String,
    issuer: Issuer,
    audience: String,
    create_accounts: bool,
    role_claim: Option<String>,
    roles: Vec<(String, Role)>,
}

impl Visitors {
    pub fn new(configured: &BTreeMap<String, ExternalIssuer>, issuers: &mut Issuers) -> Self {
        let by_issuer = configured.iter().filter_map(|(name, configured)| {
            let url = configured.issuer.clone()?;
            let vouching = Vouching {
                name: name.clone(),
                issuer: issuers.at(&url)?,
                audience: configured.audience.clone()?,
                create_accounts: configured.create_accounts,
                role_claim: configured.role_claim.clone(),
                roles: configured.roles.as_deref().map(roles).unwrap_or_default(),
            };
            Some((url, vouching))
        });
        Self(by_issuer.collect())
    }

    /// Who vouches for a token, as far as the token itself says; nothing is checked yet.
    fn vouching(&self, token: &str) -> Option<&Vouching> {
        if self.0.is_empty() {
            return None;
        }
        let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
        self.0.get(claims.get("iss")?.as_str()?)
    }
}

impl Vouching {
    /// What the token says, if it is one of the issuer's for us, and its time has come and is not over.
    async fn verified(&self, token: &str, now_ms: i64) -> Result<Value, Problem> {
        let refused = |_| Problem::sign_in_needed();
        let header = jsonwebtoken::decode_header(token).map_err(refused)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Problem::sign_in_needed());
        }
        let away = |away| Problem::unavailable("the issuer of this token does not answer").caused_by(away);
        let published = self.issuer.published_with(header.kid.as_deref()).await;
        let published = published.map_err(away)?;
        let key = published.key(header.kid.as_deref());
        let key = key.ok_or_else(Problem::sign_in_needed)?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[self.issuer.url()]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Its time is judged below, by our clock.
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Value>(token, key, &validation).map_err(refused)?;
        let time = |name: &str| decoded.claims.get(name).and_then(Value::as_f64);
        let now = now_ms as f64 / 1000.0;
        let has_begun = time("nbf").is_none_or(|nbf| nbf <= now + LEEWAY_SECONDS as f64);
        let goes_on = time("exp").is_some_and(|exp| exp > now);
        if !(has_begun && goes_on) || is_id_token(&decoded.claims) {
            return Err(Problem::sign_in_needed());
        }
        Ok(decoded.claims)
    }

    /// The greatest role that a word of the role claim means.
    fn role_in(&self, claims: &Value) -> Option<Role> {
        let said = at(claims, self.role_claim.as_deref()?)?;
        let one = std::slice::from_ref(said);
        let words = said.as_array().map_or(one, Vec::as_slice);
        let meant = words.iter().filter_map(Value::as_str).flat_map(|word| {
            let means = self.roles.iter().filter(move |(known, _)| known == word);
            means.map(|(_, role)| *role)
        });
        meant.max_by_key(rank)
    }
}

/// Whether a token says to a client who signed in, and is none to show to others: where the audience is also the id of a client, nothing
/// else tells the two apart. `at_hash` is of `OpenID` Connect Core, section 3.1.3.6; `typ` is Keycloak's word.
fn is_id_token(claims: &Value) -> bool {
    claims.get("at_hash").is_some() || claims.get("typ").is_some_and(|kind| kind == "ID")
}

impl Gateway {
    /// Whom a good token of a configured issuer stands for; 401 for all others.
    pub(crate) async fn check_visitor(&self, token: &str, now_ms: i64) -> Result<Credential, Problem> {
        let vouching = self.providers().visitors.vouching(token);
        let vouching = vouching.ok_or_else(Problem::sign_in_needed)?;
        let claims = vouching.verified(token, now_ms).await?;
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject.ok_or_else(Problem::sign_in_needed)?;
        let account = self.host(vouching, subject, &claims).await?;
        let identity = identity_place(&self.parts().keys, vouching.issuer.url(), subject);
        let said = vouching.role_in(&claims);
        let role = self.word_on_visit(account, identity, said).await?;
        let ends = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        Ok(Credential {
            account,
            role: role.ok_or_else(Problem::sign_in_needed)?,
            means: Means::Visit(identity, said),
            expires_at_ms: (ends * 1000.0) as i64,
        })
    }

    /// What a visitor may do now: the role that the token says, or else the account's; nothing if the account may not be used, or
    /// not by this identity.
    pub(crate) async fn word_on_visit(
        &self,
        account: AccountId,
        identity: ReservationId,
        said: Option<Role>,
    ) -> Result<Option<Role>, Problem> {
        let (state, _) = self.parts().commands.state::<Account>(account.stream()).await?;
        let Account::Active(active) = state else {
            return Ok(None);
        };
        let is_good = active.standing == Standing::Good && active.identities.contains_key(&identity);
        Ok(is_good.then_some(said.unwrap_or(active.role)))
    }

    /// The account of a subject, which is made if it may be.
    async fn host(&self, vouching: &Vouching, subject: &str, claims: &Value) -> Result<AccountId, Problem> {
        let issuer = vouching.issuer.url();
        let place = identity_place(&self.parts().keys, issuer, subject);
        match self.account_of_identity(place).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) if vouching.create_accounts => {
                let mut told = Told::of(issuer, subject);
                told.fill(claims);
                // Nobody is there to be asked for an address, and nothing is ever delivered to this one (RFC 2606).
                told.email
                    .get_or_insert_with(|| format!("{}@{}.invalid", place.0, vouching.name));
                let ask = Ask::fresh(Actor::System);
                Ok(self.arrive(told, &vouching.name, true, &ask).await?)
            }
            Ok(None) | Err(Trouble::AccountClosed) => Err(Problem::sign_in_needed()),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

/// Pairs such as `staff=creator, ops=admin`; the configuration has refused all others.
fn roles(text: &str) -> Vec<(String, Role)> {
    let pairs = text.split(',').filter_map(|pair| {
        let (word, role) = pair.split_once('=')?;
        let (_, role) = ROLES.iter().find(|(name, _)| *name == role.trim())?;
        Some((word.trim().to_owned(), *role))
    });
    pairs.collect()
}

fn rank(role: &Role) -> usize {
    let place = ROLES.iter().position(|(_, known)| known == role);
    place.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_tells_a_client_who_signed_in_is_no_token_to_show() {
        for (claims, is_one) in [
            (json!({"aud": "films", "typ": "Bearer"}), false),
            (json!({"aud": "films"}), false),
            (json!({"aud": "films", "typ": "ID"}), true),
            (json!({"aud": "films", "at_hash": "x"}), true),
        ] {
            assert_eq!(is_id_token(&claims), is_one, "{claims}");
        }
    }
}
