//! Access tokens (JWT, EdDSA) and refresh tokens (made again from the session, never stored).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use spool_domain::actors::Role;
use spool_domain::ids::{AccountId, SessionId};
use spool_platform::keys::Keys;
use utoipa::ToSchema;
use uuid::Uuid;

pub const ISSUER: &str = "spool";
const REFRESH_SECRET: &str = "refresh-tokens";
const REFRESH_BODY_BYTES: usize = 36;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: AccountId,
    pub sid: SessionId,
    pub role: Role,
    /// Seconds since 1970, like `exp`.
    pub iat: i64,
    pub exp: i64,
}

/// Signs `claims` with the current key.
pub fn sign(keys: &Keys, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
    let signing = keys.signing();
    let header = Header {
        kid: Some(signing.kid.clone()),
        ..Header::new(Algorithm::EdDSA)
    };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(signing.pkcs8_der()))
}

/// The claims of a token signed by one of our keys. Its time is not judged here: the caller has a clock.
pub fn verify(keys: &Keys, token: &str) -> Option<Claims> {
    let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
    let key = keys.verifying().into_iter().find(|key| key.kid == kid)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.validate_exp = false;
    let decoded = jsonwebtoken::decode(token, &DecodingKey::from_ed_der(&key.public), &validation);
    decoded.ok().map(|data| data.claims)
}

/// What a refresh token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    pub account: AccountId,
    pub session: SessionId,
    pub counter: u32,
}

impl Refresh {
    /// Account, session, counter and a keyed hash of them; the same every time.
    pub fn token(&self, keys: &Keys) -> String {
        let body = self.body();
        let mac = keys.mac(REFRESH_SECRET, &body);
        URL_SAFE_NO_PAD.encode([&body[..], &mac[..]].concat())
    }

    /// What `token` stands for, if we made it.
    pub fn read(keys: &Keys, token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, mac) = bytes.split_at_checked(REFRESH_BODY_BYTES)?;
        if !same(&keys.mac(REFRESH_SECRET, body), mac) {
            return None;
        }
        Some(Self {
            account: AccountId(Uuid::from_slice(&body[..16]).ok()?),
            session: SessionId(Uuid::from_slice(&body[16..32]).ok()?),
            counter: u32::from_be_bytes(body[32..].try_into().ok()?),
        })
    }

    fn body(&self) -> [u8; REFRESH_BODY_BYTES] {
        let mut body = [0; REFRESH_BODY_BYTES];
        body[..16].copy_from_slice(self.account.0.as_bytes());
        body[16..32].copy_from_slice(self.session.0.as_bytes());
        body[32..].copy_from_slice(&self.counter.to_be_bytes());
        body
    }
}

/// Compares in a time that does not depend on where the two differ.
fn same(ours: &[u8], theirs: &[u8]) -> bool {
    let difference = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
    ours.len() == theirs.len() && std::hint::black_box(difference) == 0
}

/// The public keys that access tokens can be checked with (RFC 7517).
#[derive(Serialize, ToSchema)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Serialize, ToSchema)]
struct PublicKey {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    kid: String,
    /// The key itself, base64url.
    x: String,
}

impl KeySet {
    pub fn of(keys: &Keys) -> Self {
        let public = |key: spool_platform::keys::VerifyingKey| PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            usage: "sig",
            kid: key.kid,
            x: URL_SAFE_NO_PAD.encode(key.public),
        };
        Self {
            keys: keys.verifying().into_iter().map(public).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (tempfile::TempDir, Keys) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let keys = Keys::open(dir.path()).expect("keys are made");
        (dir, keys)
    }

    fn claims() -> Claims {
        let (sub, sid) = (AccountId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        Claims {
            iss: ISSUER.to_owned(),
            sub,
            sid,
            role: Role::Creator,
            iat: 10,
            exp: 20,
        }
    }

    #[test]
    fn a_signed_token_is_believed_also_after_the_key_was_changed() {
        let (_dir, keys) = keys();
        let token = sign(&keys, &claims()).expect("it can be signed");
        assert_eq!(verify(&keys, &token), Some(claims()));
        keys.rotate_signing().expect("a new key is made");
        assert_eq!(verify(&keys, &token), Some(claims()));
    }

    #[test]
    fn a_changed_token_is_not_believed() {
        let (_dir, keys) = keys();
        let token = sign(&keys, &claims()).expect("it can be signed");
        let (head, signature) = token.rsplit_once('.').expect("it has three parts");
        let other = sign(
            &keys,
            &Claims {
                role: Role::Admin,
                ..claims()
            },
        )
        .expect("it can be signed");
        let (other_head, _) = other.rsplit_once('.').expect("it has three parts");
        assert_eq!(verify(&keys, &format!("{other_head}.{signature}")), None);
        assert_eq!(verify(&keys, head), None);
        assert_eq!(verify(&keys, ""), None);
    }

    #[test]
    fn a_refresh_token_is_the_same_every_time_and_cannot_be_made_up() {
        let (_dir, keys) = keys();
        let refresh = Refresh {
            account: claims().sub,
            session: claims().sid,
            counter: 7,
        };
        let token = refresh.token(&keys);
        assert_eq!(token, refresh.token(&keys));
        assert_eq!(Refresh::read(&keys, &token), Some(refresh));
        let next = Refresh {
            counter: 8,
            ..refresh
        }
        .token(&keys);
        let forged = format!("{}{}", &next[..60], &token[60..]);
        assert_eq!(Refresh::read(&keys, &forged), None);
        assert_eq!(Refresh::read(&keys, "short"), None);
    }
}
