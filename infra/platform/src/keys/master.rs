//! The master key: 32 random bytes in one file, from which secrets are derived and by which keys are wrapped.
use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;

use super::sealing::{self, KEY_LEN, SealingKey};
use super::{KeysError, files};

pub(super) const FILE: &str = "master.key";
/// Whatever exists next to a missing master key was wrapped by it.
const WRAPPED: [&str; 2] = ["persons.db", "signing"];

pub(super) struct Master {
    derivation: Prk,
    wrapping: SealingKey,
}

impl Master {
    pub fn open(dir: &Path) -> Result<Self, KeysError> {
        let path = match Self::make(dir) {
            Ok(path) | Err(KeysError::MasterThere(path)) => path,
            Err(error) => return Err(error),
        };
        files::private_file(&path)?;
        let key = files::read(&path)?.and_then(|bytes| <[u8; KEY_LEN]>::try_from(bytes).ok());
        Ok(Self::new(&key.ok_or(KeysError::BadFile(path))?))
    }

    /// A new one in `dir`. Of two processes that make it at once, both end up with the first one's.
    pub fn make(dir: &Path) -> Result<PathBuf, KeysError> {
        let path = dir.join(FILE);
        if files::read(&path)?.is_some() {
            return Err(KeysError::MasterThere(path));
        }
        // A new one would make every sealed text unreadable for ever, so that is not done silently.
        if WRAPPED.iter().any(|name| dir.join(name).exists()) {
            return Err(KeysError::MasterMissing(path));
        }
        files::create(&path, &sealing::random::<KEY_LEN>())?;
        Ok(path)
    }

    /// The one in `dir`, which an operator has put there. Nothing is changed: it may be mounted read-only.
    pub fn given(dir: &Path) -> Result<Self, KeysError> {
        let path = dir.join(FILE);
        let bytes = files::read(&path)?.ok_or_else(|| KeysError::NoMaster(path.clone()))?;
        let key = <[u8; KEY_LEN]>::try_from(bytes).map_err(|_| KeysError::BadFile(path))?;
        Ok(Self::new(&key))
    }

    fn new(key: &[u8; KEY_LEN]) -> Self {
        let derivation = Salt::new(HKDF_SHA256, b"spool keys 1").extract(key);
        let wrapping = SealingKey::new(&expand(&derivation, "wrap"));
        Self { derivation, wrapping }
    }

    pub fn derive(&self, name: &str) -> [u8; 32] {
        expand(&self.derivation, &format!("name {name}"))
    }

    pub fn mac(&self, name: &str, data: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derive(name));
        hmac::sign(&key, data)
            .as_ref()
            .try_into()
            .expect("the tag of SHA-256 has 32 bytes")
    }

    /// Encrypts another key for storage; `purpose` binds it to its place.
    pub fn wrap(&self, key: &[u8], purpose: &[u8]) -> Vec<u8> {
        self.wrapping.seal(key, purpose)
    }

    pub fn unwrap(&self, wrapped: &[u8], purpose: &[u8]) -> Option<Vec<u8>> {
        self.wrapping.open(wrapped, purpose)
    }
}

fn expand(derivation: &Prk, info: &str) -> [u8; 32] {
    let mut secret = [0; 32];
    derivation
        .expand(&[info.as_bytes()], HKDF_SHA256)
        .and_then(|output| output.fill(&mut secret))
        .expect("32 bytes are the length of this algorithm's output");
    secret
}
