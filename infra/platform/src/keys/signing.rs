//! The Ed25519 key that signs tokens, and the public halves of those before it.
//!
//! `signing/current.key` is the wrapped PKCS#8 document; `signing/<since>-<kid>.pub` the public keys rotated out.
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::master::Master;
use super::{KeysError, files};

const PURPOSE: &[u8] = b"token signing";

/// The private key that signs now.
pub struct SigningKey {
    /// Names the key in a token's header and in the JWKS; derived from the public key.
    pub kid: String,
    pkcs8_der: Vec<u8>,
    public: [u8; 32],
}

/// A public key whose signatures are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    pub kid: String,
    /// The raw Ed25519 point; `x` of a JWK is this in base64url.
    pub public: [u8; 32],
}

impl SigningKey {
    /// PKCS#8 as `jsonwebtoken::EncodingKey::from_ed_der` takes it.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8_der
    }

    /// The raw public key as `jsonwebtoken::DecodingKey::from_ed_der` takes it.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn read(pkcs8_der: Vec<u8>) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8_der).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self {
            kid: kid_of(&public),
            pkcs8_der,
            public,
        })
    }

    fn verifying(&self) -> VerifyingKey {
        VerifyingKey {
            kid: self.kid.clone(),
            public: self.public,
        }
    }
}

pub(super) struct Signing {
    dir: PathBuf,
    master: Arc<Master>,
    keys: RwLock<(Arc<SigningKey>, Vec<VerifyingKey>)>,
}

impl Signing {
    pub fn open(keys_dir: &Path, master: Arc<Master>) -> Result<Self, KeysError> {
        let dir = keys_dir.join("signing");
        files::private_dir(&dir)?;
        let path = dir.join("current.key");
        if files::read(&path)?.is_none() {
            files::create(&path, &master.wrap(&fresh(), PURPOSE))?;
        }
        files::private_file(&path)?;
        let wrapped = files::read(&path)?.ok_or_else(|| KeysError::BadFile(path.clone()))?;
        let document = master
            .unwrap(&wrapped, PURPOSE)
            .ok_or_else(|| KeysError::WrongMaster(path.clone()))?;
        let current = SigningKey::read(document).ok_or(KeysError::BadFile(path))?;
        let older = older(&dir, &current.kid)?;
        Ok(Self {
            dir,
            master,
            keys: RwLock::new((Arc::new(current), older)),
        })
    }

    pub fn current(&self) -> Arc<SigningKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub fn verifying(&self) -> Vec<VerifyingKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(keys.0.verifying())
            .chain(keys.1.iter().cloned())
            .collect()
    }

    /// The old public key is durable before the new private one is in place, so a token signed a moment ago is
    /// accepted after a crash at any point.
    pub fn rotate(&self) -> Result<(), KeysError> {
        let next = SigningKey::read(fresh()).expect("a key just generated can be read");
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let public = self.dir.join(format!("{since:016}-{}.pub", keys.0.kid));
        files::replace(&public, &keys.0.public)?;
        files::replace(
            &self.dir.join("current.key"),
            &self.master.wrap(&next.pkcs8_der, PURPOSE),
        )?;
        let before = keys.0.verifying();
        keys.1.insert(0, before);
        keys.0 = Arc::new(next);
        Ok(())
    }
}

fn fresh() -> Vec<u8> {
    let pair = Ed25519KeyPair::generate().expect("the system has randomness once it has started");
    pair.to_pkcs8()
        .expect("a key just generated can be written")
        .as_ref()
        .to_vec()
}

/// Newest first. A rotation cut short leaves the current key among them too; it is counted once.
fn older(dir: &Path, current_kid: &str) -> Result<Vec<VerifyingKey>, KeysError> {
    let entries = std::fs::read_dir(dir).map_err(files::io("listing", dir))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pub"))
        .collect();
    paths.sort_unstable_by(|a, b| b.cmp(a));
    let mut found: Vec<VerifyingKey> = Vec::new();
    for path in paths {
        let bytes = files::read(&path)?.unwrap_or_default();
        let public: [u8; 32] = bytes.try_into().map_err(|_| KeysError::BadFile(path))?;
        let kid = kid_of(&public);
        if kid != current_kid && found.iter().all(|key| key.kid != kid) {
            found.push(VerifyingKey { kid, public });
        }
    }
    Ok(found)
}

fn kid_of(public: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, public).as_ref()[..12])
}
