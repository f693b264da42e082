//! Authenticated encryption with one key: AES-256-GCM, a random nonce before each text.
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};

pub(super) const KEY_LEN: usize = 32;
const TAG_LEN: usize = 16;
/// Nonce and tag.
pub(super) const ADDED_BYTES: usize = NONCE_LEN + TAG_LEN;

/// Random nonces are safe for 2^32 texts under one key; a person writes fewer in a lifetime.
pub(super) struct SealingKey {
    texts: LessSafeKey,
    /// Makes the nonce of a text that is to become the same each time.
    nonces: hmac::Key,
}

impl SealingKey {
    pub fn new(key: &[u8; KEY_LEN]) -> Self {
        let texts = UnboundKey::new(&AES_256_GCM, key).expect("the length is that of the algorithm");
        let nonces = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), b"nonces");
        Self {
            texts: LessSafeKey::new(texts),
            nonces: hmac::Key::new(HMAC_SHA256, nonces.as_ref()),
        }
    }

    /// Nonce, ciphertext and tag in one.
    pub fn seal(&self, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
        self.seal_with(random(), plaintext, aad)
    }

    /// The same, and the same each time. Nonces are a keyed hash of all that is sealed, so that one serves one text only.
    pub fn seal_same(&self, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
        let mut hash = hmac::Context::with_key(&self.nonces);
        for part in [&(aad.len() as u64).to_be_bytes()[..], aad, plaintext] {
            hash.update(part);
        }
        let hash = hash.sign();
        let nonce = hash.as_ref().first_chunk().expect("a hash is longer");
        self.seal_with(*nonce, plaintext, aad)
    }

    fn seal_with(&self, nonce: [u8; NONCE_LEN], plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + ADDED_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self
            .texts
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut sealed[NONCE_LEN..],
            )
            .expect("texts are far below the 64 GiB this cipher can take");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// `None` when altered or sealed under another key or `aad`.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .texts
            .open_in_place(nonce, Aad::from(aad), &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness once it has started");
    bytes
}
