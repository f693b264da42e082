//! The key store: a master key, secrets derived from it, the key that signs tokens, one data key for each person.
//!
//! On one node all of it is a folder (0700) apart from the data, so that a backup of the data without it reads no personal
//! datum, and so that destroying a person's key erases what was sealed with it wherever the copies are. The nodes of a
//! cluster are each given the same `master.key`, and share the others in registers of the CQL server: see
//! `infra/docs/decisions/0015-shared-keys.md`. The master key wraps all others and never leaves the process.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use spool_tables::{Registers, TablesError};
use uuid::Uuid;

mod check;
mod files;
mod master;
mod persons;
mod promotion;
mod sealing;
mod signing;

use master::Master;
use persons::Persons;
pub use promotion::Given;
use sealing::SealingKey;
use signing::Signing;
pub use signing::{SigningKey, VerifyingKey};

/// The handle. Clones share the same keys.
#[derive(Clone)]
pub struct Keys(Arc<Store>);

struct Store {
    master: Arc<Master>,
    signing: Signing,
    persons: Persons,
}

/// What can go wrong with keys. `Erased` is an answer, the others are trouble of the operator's.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("the person's key was erased")]
    Erased,
    /// Altered, cut, or sealed for another person or purpose.
    #[error("the sealed text is damaged or belongs elsewhere")]
    Damaged,
    #[error("no room to store a key; nothing was changed")]
    Full,
    #[error("{} is missing while keys wrapped by it exist; put it back from its backup", .0.display())]
    MasterMissing(PathBuf),
    #[error(
        "{} is missing; give every node of the cluster the same file of 32 random bytes there (`spool keys new` makes one), \
         and keep a backup of it",
        .0.display()
    )]
    NoMaster(PathBuf),
    #[error("{} is there already; another one would make unreadable what it wraps", .0.display())]
    MasterThere(PathBuf),
    #[error(
        "{} is another master key, and was left alone; if nothing was ever wrapped by it, take it away",
        .0.display()
    )]
    OtherMaster(PathBuf),
    #[error("the master key is not the one that wraps {0}")]
    WrongMaster(String),
    #[error("{} is not a key file", .0.display())]
    BadFile(PathBuf),
    #[error("the cluster has another {0} already: its keys are those of another installation")]
    Foreign(String),
    /// Opened by the master key, but not what this program puts there.
    #[error("the shared key {0} is none")]
    BadShared(String),
    #[error("{doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the key file persons.db")]
    Persons(#[source] rusqlite::Error),
    /// The server is away, or something about it has to be put right.
    #[error("the keys that the nodes share")]
    Shared(#[from] TablesError),
}

impl Keys {
    /// Opens the keys in `dir`, and makes them at the first start. Blocking. All of it is durable on return.
    pub fn open(dir: &Path) -> Result<Self, KeysError> {
        files::private_dir(dir)?;
        let master = Arc::new(Master::open(dir)?);
        let signing = Signing::open(dir, master.clone())?;
        let persons = Persons::in_file(&dir.join("persons.db"), master.clone())?;
        Ok(Self(Arc::new(Store {
            master,
            signing,
            persons,
        })))
    }

    /// Opens the keys that the nodes of a cluster share: `master.key` in `dir`, which must be there and is the same on
    /// every node, and all others in `registers`, where they are made at the first start of the first node. Blocking; the
    /// server must answer. What another node changes is seen here within a second: no key is used for longer after its
    /// erasure, wherever that was asked for. While the server is away, nobody can erase; keys that were used in the last ten
    /// minutes are used as they were.
    pub fn shared(dir: &Path, registers: &Registers) -> Result<Self, KeysError> {
        let master = Arc::new(Master::given(dir)?);
        check::shared(registers, &master)?;
        let signing = Signing::shared(registers, master.clone())?;
        let persons = Persons::shared(registers, master.clone());
        Ok(Self(Arc::new(Store {
            master,
            signing,
            persons,
        })))
    }

    /// Makes the master key that the nodes of a new cluster are given, in `dir`, and returns its file. One that is there is never
    /// replaced.
    pub fn new_master(dir: &Path) -> Result<PathBuf, KeysError> {
        files::private_dir(dir)?;
        Master::make(dir)
    }

    /// A secret of its own for each name, always the same under the same master key (HKDF-SHA256).
    pub fn derive(&self, name: &str) -> [u8; 32] {
        self.0.master.derive(name)
    }

    /// HMAC-SHA256 of `data` under the secret derived for `name`.
    pub fn mac(&self, name: &str, data: &[u8]) -> [u8; 32] {
        self.0.master.mac(name, data)
    }

    /// The key that signs tokens now.
    pub fn signing(&self) -> Arc<SigningKey> {
        self.0.signing.current()
    }

    /// All keys whose signatures are accepted: the current one first, then those rotated out, newest first.
    pub fn verifying(&self) -> Vec<VerifyingKey> {
        self.0.signing.verifying()
    }

    /// Signs with a new key from now on; the public half of the old one is kept. Blocking; where nodes share the keys, for a
    /// few seconds, until all of them accept the new one.
    pub fn rotate_signing(&self) -> Result<(), KeysError> {
        self.0.signing.rotate()
    }

    /// The same if the current key has signed for `age`; true if so. Of several nodes that ask, one rotates. Blocking.
    pub fn rotate_signing_when_older(&self, age: Duration) -> Result<bool, KeysError> {
        self.0.signing.rotate_when_older(age)
    }

    /// Seals `plaintext` under the person's key (AES-256-GCM) to URL-safe text. `aad` is authenticated and not stored:
    /// the same must be given to open it (the name of the field, say). Blocking when the person is new: the key is
    /// durable before this returns. Errors: `Erased`, `Full`, and trouble with the store.
    pub fn seal(&self, person: Uuid, plaintext: &[u8], aad: &[u8]) -> Result<String, KeysError> {
        let key = self.0.persons.key_or_new(person)?;
        Ok(URL_SAFE_NO_PAD.encode(key.seal(plaintext, &bound(person, aad))))
    }

    /// The person's key, for whoever seals several texts at once. Blocking when the person is new, as [`Keys::seal`]; the same errors.
    pub fn of_person(&self, person: Uuid) -> Result<PersonKey, KeysError> {
        let key = self.0.persons.key_or_new(person)?;
        Ok(PersonKey { person, key })
    }

    /// The same if it is in memory, so that it does not block.
    pub fn at_hand(&self, person: Uuid) -> Option<PersonKey> {
        let key = self.0.persons.at_hand(person)?;
        Some(PersonKey { person, key })
    }

    /// Opens what [`Keys::seal`] made for the same person and `aad`. `Erased` also when there never was a key: it
    /// cannot be read either way. Blocking when the key is not in memory.
    pub fn open_sealed(&self, person: Uuid, sealed: &str, aad: &[u8]) -> Result<Vec<u8>, KeysError> {
        let key = self.0.persons.key(person)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| KeysError::Damaged)?;
        key.open(&sealed, &bound(person, aad)).ok_or(KeysError::Damaged)
    }

    /// Seals what a browser keeps for us under the secret derived for `name` (AES-256-GCM) to URL-safe text. Any node with the same
    /// master key opens it.
    pub fn seal_for(&self, name: &str, plaintext: &[u8]) -> String {
        let key = SealingKey::new(&self.derive(name));
        URL_SAFE_NO_PAD.encode(key.seal(plaintext, name.as_bytes()))
    }

    /// Opens what [`Keys::seal_for`] made for the same name; nothing when it was altered or sealed for another one.
    pub fn open_for(&self, name: &str, sealed: &str) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        SealingKey::new(&self.derive(name)).open(&sealed, name.as_bytes())
    }

    /// Destroys the person's key for ever; durable on return, and quiet when done before. A later seal is refused
    /// instead of making a new key. Blocking.
    pub fn erase(&self, person: Uuid) -> Result<(), KeysError> {
        self.0.persons.erase(person)
    }

    /// Whether [`Keys::erase`] was called for the person. Blocking.
    pub fn is_erased(&self, person: Uuid) -> Result<bool, KeysError> {
        self.0.persons.is_erased(person)
    }
}

/// The key of one person. To be used at once and not kept: it does not know when it is erased.
pub struct PersonKey {
    person: Uuid,
    key: Arc<SealingKey>,
}

impl PersonKey {
    /// How much longer than a text its sealed form is, before Base64: nonce and tag.
    pub const ADDED_BYTES: usize = sealing::ADDED_BYTES;

    /// Seals as [`Keys::seal`] does, onto the end of `out`, and the same text becomes the same each time: whoever has two sees
    /// whether they are equal, and nothing else.
    pub fn seal_same_onto(&self, out: &mut String, plaintext: &[u8], aad: &[u8]) {
        let sealed = self.key.seal_same(plaintext, &bound(self.person, aad));
        URL_SAFE_NO_PAD.encode_string(sealed, out);
    }
}

/// 256 random bits as 43 URL-safe characters, for refresh tokens, links and the like.
pub fn secret_token() -> String {
    URL_SAFE_NO_PAD.encode(sealing::random::<32>())
}

/// What is stored of a [`secret_token`]: SHA-256 as URL-safe text. Only for random tokens, never for passwords.
pub fn hash_token(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// A text moved from one person to another must not open, even under the same key.
fn bound(person: Uuid, aad: &[u8]) -> Vec<u8> {
    [person.as_bytes(), aad].concat()
}

#[cfg(test)]
mod tests;
