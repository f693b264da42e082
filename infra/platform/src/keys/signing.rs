//! The Ed25519 key that signs tokens, and the public halves of those before it: in a folder of this node, or in a register
//! that all nodes share.
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use spool_tables::Registers;

use super::KeysError;
use super::master::Master;

mod folder;
mod shared;

use folder::Folder;
use shared::Shared;

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

/// The key that signs, and what else is accepted, newest first.
#[derive(Clone)]
struct Ring {
    current: Arc<SigningKey>,
    others: Vec<VerifyingKey>,
}

pub(super) struct Signing {
    place: Place,
    ring: Arc<RwLock<Ring>>,
}

enum Place {
    Folder(Folder),
    Shared(Shared),
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

    fn fresh() -> Self {
        let pair = Ed25519KeyPair::generate().expect("the system has randomness once it has started");
        let document = pair.to_pkcs8().expect("a key just generated can be written");
        Self::read(document.as_ref().to_vec()).expect("a key just generated can be read")
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
        VerifyingKey::of(self.public)
    }
}

impl VerifyingKey {
    fn of(public: [u8; 32]) -> Self {
        Self {
            kid: kid_of(&public),
            public,
        }
    }
}

/// So many keys before the one that signs are accepted: no token lives as long as two of them sign.
const ACCEPTED: usize = 4;

impl Ring {
    /// Signs with `next` from now on.
    fn turn(&mut self, next: Arc<SigningKey>) {
        let before = std::mem::replace(&mut self.current, next);
        self.others.retain(|other| other.kid != self.current.kid);
        self.others.insert(0, before.verifying());
        self.others.truncate(ACCEPTED);
    }
}

impl Signing {
    pub fn open(keys_dir: &Path, master: Arc<Master>) -> Result<Self, KeysError> {
        let (folder, ring) = Folder::open(keys_dir, master)?;
        Ok(Self {
            place: Place::Folder(folder),
            ring: Arc::new(RwLock::new(ring)),
        })
    }

    pub fn shared(registers: &Registers, master: Arc<Master>) -> Result<Self, KeysError> {
        let (shared, ring) = Shared::open(registers, master)?;
        Ok(Self {
            place: Place::Shared(shared),
            ring,
        })
    }

    /// Copies what is in the folder to the register.
    pub fn promote(keys_dir: &Path, registers: &Registers, master: Arc<Master>) -> Result<(), KeysError> {
        let (_, ring) = Folder::open(keys_dir, master.clone())?;
        Shared::promote(registers, master, &ring)
    }

    pub fn current(&self) -> Arc<SigningKey> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.current.clone()
    }

    pub fn verifying(&self) -> Vec<VerifyingKey> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let current = std::iter::once(ring.current.verifying());
        current.chain(ring.others.iter().cloned()).collect()
    }

    pub fn rotate(&self) -> Result<(), KeysError> {
        let next = Arc::new(SigningKey::fresh());
        match &self.place {
            Place::Folder(folder) => {
                let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
                folder.put(&ring.current, &next)?;
                ring.turn(next);
                Ok(())
            }
            Place::Shared(shared) => shared.rotate(&self.ring, &next),
        }
    }
}

impl Signing {
    /// Rotates if the key has signed for `age`. Of several nodes that share the keys, one does so.
    pub fn rotate_when_older(&self, age: Duration) -> Result<bool, KeysError> {
        let is_due = match &self.place {
            Place::Folder(folder) => folder.age()? >= age,
            Place::Shared(shared) => shared.claim_rotation(age)?,
        };
        if is_due {
            self.rotate()?;
        }
        Ok(is_due)
    }
}

fn kid_of(public: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, public).as_ref()[..12])
}
