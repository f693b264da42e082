//! The signing keys that all nodes share: one register with the wrapped private key and the public ones. Every node looks at
//! it each second, and no node signs with a key before all had the time to accept it.
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use spool_tables::{Registers, Swapped};

use super::super::KeysError;
use super::super::master::Master;
use super::{Ring, SigningKey, VerifyingKey};

const REGISTER: &str = "signing";
/// When the current key began to sign, in seconds since 1970.
const SINCE: &str = "signing-since";
const PURPOSE: &[u8] = b"token signing of all nodes";

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After this long every node that can see the register has looked.
const SEEN_WITHIN: Duration = Duration::from_secs(3);

pub(super) struct Shared {
    place: Place,
    /// The thread that looks ends when this is dropped.
    _looking: Sender<()>,
}

#[derive(Clone)]
struct Place {
    registers: Registers,
    master: Arc<Master>,
}

impl Shared {
    /// Of several nodes that start for the first time, one makes the key.
    pub fn open(registers: &Registers, master: Arc<Master>) -> Result<(Self, Arc<RwLock<Ring>>), KeysError> {
        let registers = registers.clone();
        let place = Place { registers, master };
        let (stands, ring) = place.read_or_make(|| Ring {
            current: Arc::new(SigningKey::fresh()),
            others: vec![],
        })?;
        let ring = Arc::new(RwLock::new(ring));
        let (looking, ends) = channel();
        let (its_place, its_ring) = (place.clone(), Arc::clone(&ring));
        std::thread::Builder::new()
            .name("spool-keys".to_owned())
            .spawn(move || its_place.look(&its_ring, &ends, stands))
            .map_err(|source| KeysError::Io {
                doing: "starting a thread that looks at",
                path: REGISTER.into(),
                source,
            })?;
        let shared = Self {
            place,
            _looking: looking,
        };
        Ok((shared, ring))
    }

    /// Makes the register with what is in `ring`. One that is there with another key to sign with was made by a node that was
    /// started too early; it accepts those of `ring` as well then.
    pub fn promote(registers: &Registers, master: Arc<Master>, ring: &Ring) -> Result<(), KeysError> {
        let registers = registers.clone();
        let place = Place { registers, master };
        let (_, stands) = place.read_or_make(|| ring.clone())?;
        let is_known = |ring: &Ring, key: &VerifyingKey| {
            let kids = ring.others.iter().map(|other| &other.kid);
            kids.chain([&ring.current.kid]).any(|kid| *kid == key.kid)
        };
        let mut to_accept = ring.others.clone();
        to_accept.insert(0, ring.current.verifying());
        if to_accept.iter().any(|key| !is_known(&stands, key)) {
            place.change(|ring| {
                for key in &to_accept {
                    if !is_known(ring, key) {
                        ring.others.push(key.clone());
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Whether the current key has signed for `age`, and it is this node that shall make the next. The first node that asks
    /// begins to count.
    pub fn claim_rotation(&self, age: Duration) -> Result<bool, KeysError> {
        let registers = &self.place.registers;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let stands = registers.get(SINCE)?;
        let since = stands
            .as_deref()
            .and_then(|text| std::str::from_utf8(text).ok()?.split(' ').next()?.parse().ok())
            .map(Duration::from_secs);
        if since.is_some_and(|since| now.saturating_sub(since) < age) {
            return Ok(false);
        }
        // With something of its own: who writes what stands there already is told that it was done.
        let next = format!("{} {}", now.as_secs(), uuid::Uuid::new_v4());
        let swapped = registers.swap(SINCE, stands.as_deref(), next.as_bytes())?;
        Ok(since.is_some() && matches!(swapped, Swapped::Done))
    }

    /// First everybody accepts the new key, then it signs. Cut short in between, it is accepted and never used.
    pub fn rotate(&self, ring: &RwLock<Ring>, next: &Arc<SigningKey>) -> Result<(), KeysError> {
        let accept = |ring: &mut Ring| ring.others.insert(0, next.verifying());
        put(ring, self.place.change(accept)?);
        std::thread::sleep(SEEN_WITHIN);
        put(ring, self.place.change(|ring| ring.turn(next.clone()))?);
        Ok(())
    }
}

impl Place {
    fn read_or_make(&self, make: impl FnOnce() -> Ring) -> Result<(Bytes, Ring), KeysError> {
        let stands = match self.registers.get(REGISTER)? {
            Some(stands) => stands,
            None => {
                let wrapped = self.wrap(&make());
                match self.registers.swap(REGISTER, None, &wrapped)? {
                    Swapped::Done => Bytes::from(wrapped),
                    Swapped::Stands(stands) => stands.unwrap_or_default(),
                }
            }
        };
        let ring = self.unwrap(&stands)?;
        Ok((stands, ring))
    }

    /// Repeated on top of what other nodes have changed meanwhile.
    fn change(&self, change: impl Fn(&mut Ring)) -> Result<Ring, KeysError> {
        let mut stands = self.registers.get(REGISTER)?;
        loop {
            let before = stands.unwrap_or_default();
            let mut ring = self.unwrap(&before)?;
            change(&mut ring);
            match self.registers.swap(REGISTER, Some(&before), &self.wrap(&ring))? {
                Swapped::Done => return Ok(ring),
                Swapped::Stands(now) => stands = now,
            }
        }
    }

    /// Until `ends` does.
    fn look(&self, ring: &RwLock<Ring>, ends: &Receiver<()>, mut seen: Bytes) {
        let mut is_away = false;
        while ends.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            let looked = self.registers.get(REGISTER).map_err(KeysError::from);
            let changed = looked.map(|stands| stands.filter(|stands| *stands != seen));
            let read = changed.and_then(|changed| match changed {
                Some(stands) => self.unwrap(&stands).map(|ring| Some((stands, ring))),
                None => Ok(None),
            });
            match read {
                Ok(Some((stands, new))) => {
                    tracing::info!(kid = new.current.kid, "the signing keys were changed");
                    put(ring, new);
                    seen = stands;
                }
                Ok(None) => {}
                Err(error) => {
                    if !is_away {
                        tracing::warn!(%error, "the signing keys cannot be looked at; those known are used");
                    }
                    is_away = true;
                    continue;
                }
            }
            is_away = false;
        }
    }

    /// The length of the private key's document in two bytes, the document, and 32 bytes for each public key.
    fn wrap(&self, ring: &Ring) -> Vec<u8> {
        let document = ring.current.pkcs8_der();
        let length = u16::try_from(document.len()).expect("it has some 80 bytes");
        let mut text = length.to_le_bytes().to_vec();
        text.extend(document);
        for other in &ring.others {
            text.extend(other.public);
        }
        self.master.wrap(&text, PURPOSE)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Ring, KeysError> {
        let bad = || KeysError::BadShared(REGISTER.to_owned());
        let text = self.master.unwrap(wrapped, PURPOSE).ok_or_else(bad)?;
        let (length, rest) = text.split_first_chunk().ok_or_else(bad)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (document, publics) = rest.split_at_checked(length).ok_or_else(bad)?;
        let (publics, cut) = publics.as_chunks::<32>();
        let current = SigningKey::read(document.to_vec()).filter(|_| cut.is_empty());
        Ok(Ring {
            current: Arc::new(current.ok_or_else(bad)?),
            others: publics.iter().map(|public| VerifyingKey::of(*public)).collect(),
        })
    }
}

fn put(ring: &RwLock<Ring>, new: Ring) {
    *ring.write().unwrap_or_else(PoisonError::into_inner) = new;
}
