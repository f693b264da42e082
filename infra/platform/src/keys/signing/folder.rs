//! The signing keys of a single node: `signing/current.key` is the wrapped PKCS#8 document, `signing/<since>-<kid>.pub` the
//! public keys rotated out.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::master::Master;
use super::super::{KeysError, files};
use super::{ACCEPTED, Ring, SigningKey, VerifyingKey};

const PURPOSE: &[u8] = b"token signing";

pub(super) struct Folder {
    dir: PathBuf,
    master: Arc<Master>,
}

impl Folder {
    pub fn open(keys_dir: &Path, master: Arc<Master>) -> Result<(Self, Ring), KeysError> {
        let dir = keys_dir.join("signing");
        files::private_dir(&dir)?;
        let path = dir.join("current.key");
        if files::read(&path)?.is_none() {
            files::create(&path, &master.wrap(SigningKey::fresh().pkcs8_der(), PURPOSE))?;
        }
        files::private_file(&path)?;
        let wrapped = files::read(&path)?.ok_or_else(|| KeysError::BadFile(path.clone()))?;
        let document = master
            .unwrap(&wrapped, PURPOSE)
            .ok_or_else(|| KeysError::WrongMaster(path.display().to_string()))?;
        let current = SigningKey::read(document).ok_or(KeysError::BadFile(path))?;
        let others = older(&dir, &current.kid)?;
        let current = Arc::new(current);
        Ok((Self { dir, master }, Ring { current, others }))
    }

    /// For how long the current key has been there, by the file's time.
    pub fn age(&self) -> Result<Duration, KeysError> {
        let path = self.dir.join("current.key");
        let made = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
        let made = made.map_err(files::io("looking at", &path))?;
        Ok(made.elapsed().unwrap_or_default())
    }

    /// The old public key is durable before the new private one is in place, so a token signed a moment ago is
    /// accepted after a crash at any point.
    pub fn put(&self, before: &SigningKey, next: &SigningKey) -> Result<(), KeysError> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let public = self.dir.join(format!("{since:016}-{}.pub", before.kid));
        files::replace(&public, before.public())?;
        files::replace(
            &self.dir.join("current.key"),
            &self.master.wrap(next.pkcs8_der(), PURPOSE),
        )
    }
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
        let key = VerifyingKey::of(public);
        if key.kid != current_kid && found.iter().all(|other| other.kid != key.kid) {
            found.push(key);
        }
    }
    found.truncate(ACCEPTED);
    Ok(found)
}
