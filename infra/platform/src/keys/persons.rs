//! One data key for each person, wrapped by the master key: in a file of this node, or in registers that all nodes share. What
//! was opened is kept in memory for a while.
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use spool_tables::Registers;
use uuid::Uuid;

use super::KeysError;
use super::master::Master;
use super::sealing::{self, KEY_LEN, SealingKey};

mod file;
mod shared;

use file::File;
use shared::Shared;

/// How many opened keys are kept in memory (some 900 bytes each).
const CACHED: usize = 50_000;
/// Another node may erase a key, and does not tell us: after this long we look again. Counted from before we looked.
const SHARED_FOR: Duration = Duration::from_millis(900);
/// While nobody can be asked, nobody can erase there either: for so long after we last looked, a key is used as it was.
const AWAY_FOR: Duration = Duration::from_secs(600);

pub(super) struct Persons {
    master: Arc<Master>,
    store: Store,
    opened: RwLock<Opened>,
}

enum Store {
    File(File),
    Shared(Shared),
}

/// What is known of a person of whom anything is.
enum Stored {
    Wrapped(Vec<u8>),
    Erased,
}

#[derive(Default)]
struct Opened {
    keys: HashMap<Uuid, (Arc<SealingKey>, Instant)>,
    /// How many keys were erased here. What was read before the last one is used, but not kept.
    erasures: u64,
    /// When the store was last asked and did not answer.
    away_at: Option<Instant>,
}

/// When somebody looked into the store.
struct Looked {
    at: Instant,
    erasures: u64,
}

impl Persons {
    pub fn in_file(path: &Path, master: Arc<Master>) -> Result<Self, KeysError> {
        let file = File::open(path, &master)?;
        Ok(Self::new(Store::File(file), master))
    }

    pub fn shared(registers: &Registers, master: Arc<Master>) -> Self {
        Self::new(Store::Shared(Shared(registers.clone())), master)
    }

    /// Copies all keys, and marks of erasures, from the file to the registers.
    pub fn promote(
        path: &Path,
        registers: &Registers,
        master: &Master,
        mut told: impl FnMut(u64),
    ) -> Result<u64, KeysError> {
        let shared = Shared(registers.clone());
        let mut count = 0;
        for (person, stored) in File::open(path, master)?.all()? {
            match stored {
                Stored::Wrapped(wrapped) => shared.put(person, &wrapped)?,
                Stored::Erased => shared.erase(person)?,
            }
            count += 1;
            told(count);
        }
        Ok(count)
    }

    fn new(store: Store, master: Arc<Master>) -> Self {
        Self {
            master,
            store,
            opened: RwLock::default(),
        }
    }

    pub fn key(&self, person: Uuid) -> Result<Arc<SealingKey>, KeysError> {
        let looked = match self.remembered(person) {
            Ok(key) => return Ok(key),
            Err(looked) => looked,
        };
        match self.store.get(person) {
            Ok(Some(stored)) => self.open(person, &stored, &looked),
            Ok(None) => Err(KeysError::Erased),
            Err(error) => self.while_away(person, error),
        }
    }

    pub fn key_or_new(&self, person: Uuid) -> Result<Arc<SealingKey>, KeysError> {
        let looked = match self.remembered(person) {
            Ok(key) => return Ok(key),
            Err(looked) => looked,
        };
        let stored = match self.store.get(person) {
            Ok(Some(stored)) => stored,
            Err(error) => return self.while_away(person, error),
            Ok(None) => {
                let key = sealing::random::<KEY_LEN>();
                self.store
                    .add(person, self.master.wrap(&key, person.as_bytes()))?
            }
        };
        self.open(person, &stored, &looked)
    }

    pub fn erase(&self, person: Uuid) -> Result<(), KeysError> {
        self.store.erase(person)?;
        {
            let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
            opened.keys.remove(&person);
            opened.erasures += 1;
        }
        self.store.sweep()
    }

    pub fn is_erased(&self, person: Uuid) -> Result<bool, KeysError> {
        Ok(matches!(self.store.get(person)?, Some(Stored::Erased)))
    }

    pub fn at_hand(&self, person: Uuid) -> Option<Arc<SealingKey>> {
        self.remembered(person).ok()
    }

    fn remembered(&self, person: Uuid) -> Result<Arc<SealingKey>, Looked> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match opened.keys.get(&person) {
            Some((key, looked_at)) if self.store.is_still_so(now - *looked_at) => Ok(key.clone()),
            Some((key, looked_at)) if opened.is_away(now) && now - *looked_at < AWAY_FOR => Ok(key.clone()),
            _ => Err(Looked {
                at: now,
                erasures: opened.erasures,
            }),
        }
    }

    /// The key as it was, if the store is one that others share and it was looked at not long ago.
    fn while_away(&self, person: Uuid, error: KeysError) -> Result<Arc<SealingKey>, KeysError> {
        if !matches!(error, KeysError::Shared(_)) {
            return Err(error);
        }
        let now = Instant::now();
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        opened.away_at = Some(now);
        match opened.keys.get(&person) {
            Some((key, looked_at)) if now - *looked_at < AWAY_FOR => Ok(key.clone()),
            _ => Err(error),
        }
    }

    fn open(&self, person: Uuid, stored: &Stored, looked: &Looked) -> Result<Arc<SealingKey>, KeysError> {
        let Stored::Wrapped(wrapped) = stored else {
            return Err(KeysError::Erased);
        };
        let key = self.master.unwrap(wrapped, person.as_bytes());
        let key = key.and_then(|key| <[u8; KEY_LEN]>::try_from(key).ok());
        let key = Arc::new(SealingKey::new(
            &key.ok_or_else(|| self.store.unreadable(person))?,
        ));
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.erasures == looked.erasures {
            if opened.keys.len() >= CACHED {
                opened.keys.clear();
            }
            opened.keys.insert(person, (key.clone(), looked.at));
        }
        Ok(key)
    }
}

impl Opened {
    /// Whether the store was away a moment ago, so that not everybody has to wait to be told so.
    fn is_away(&self, now: Instant) -> bool {
        self.away_at.is_some_and(|away_at| now - away_at < SHARED_FOR)
    }
}

impl Store {
    fn get(&self, person: Uuid) -> Result<Option<Stored>, KeysError> {
        match self {
            Self::File(file) => file.get(person),
            Self::Shared(shared) => shared.get(person),
        }
    }

    /// Stores the key unless there is one; whichever it is then.
    fn add(&self, person: Uuid, wrapped: Vec<u8>) -> Result<Stored, KeysError> {
        match self {
            Self::File(file) => file.add(person, &wrapped),
            Self::Shared(shared) => shared.add(person, wrapped),
        }
    }

    fn erase(&self, person: Uuid) -> Result<(), KeysError> {
        match self {
            Self::File(file) => file.erase(person),
            Self::Shared(shared) => shared.erase(person),
        }
    }

    /// Removes what is left of erased keys.
    fn sweep(&self) -> Result<(), KeysError> {
        match self {
            Self::File(file) => file.sweep(),
            // The server does so by itself, in its own time.
            Self::Shared(_) => Ok(()),
        }
    }

    /// Whether what was seen so long ago can be relied on.
    fn is_still_so(&self, age: Duration) -> bool {
        match self {
            Self::File(_) => true,
            Self::Shared(_) => age < SHARED_FOR,
        }
    }

    fn unreadable(&self, person: Uuid) -> KeysError {
        match self {
            Self::File(file) => KeysError::BadFile(file.path.clone()),
            Self::Shared(_) => KeysError::BadShared(shared::register(person)),
        }
    }
}
