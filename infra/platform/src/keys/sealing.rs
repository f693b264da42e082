//! Authenticated encryption with one key: AES-256-GCM, a random nonce before each text.
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

pub(super) const KEY_LEN: usize = 32;

/// Random nonces are safe for 2^32 texts under one key; a person writes fewer in a lifetime.
pub(super) struct SealingKey(LessSafeKey);

impl SealingKey {
    pub fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, key).expect("the length is that of the algorithm"),
        ))
    }

    /// Nonce, ciphertext and tag in one.
    pub fn seal(&self, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE_LEN>();
        let mut text = plaintext.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut text)
            .expect("texts are far below the 64 GiB this cipher can take");
        [&nonce[..], &text].concat()
    }

    /// `None` when altered or sealed under another key or `aad`.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(aad), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness once it has started");
    bytes
}
