//! Writing an object: chunks go to a temporary file and a running hash, `finish` moves the file to its place.
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use aws_lc_rs::digest::{self, SHA256};
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::disk::{Disk, not_found, sync};
use crate::error::{blocking, io, joined};
use crate::{BlobError, Durability, Stored, key};

/// Chunks are collected up to this size before the disk is asked; as much again may be on its way there.
const TOGETHER_BYTES: usize = 1 << 20;
/// After so much the room left is looked at again, and a durable object is synced, so that `finish` finds little left
/// to do however large the object is.
const STEP_BYTES: u64 = 32 << 20;

pub struct Writer {
    disk: Arc<Disk>,
    key: String,
    durability: Durability,
    /// Not handed to the disk yet.
    collected: Vec<Bytes>,
    collected_bytes: usize,
    written: u64,
    state: State,
}

enum State {
    Idle(Temporary),
    Busy(JoinHandle<Result<Temporary, BlobError>>),
    Broken,
}

impl Writer {
    pub async fn begin(disk: Arc<Disk>, key: String, durability: Durability) -> Result<Self, BlobError> {
        let opening = disk.clone();
        let temporary = blocking(move || Temporary::create(opening, durability)).await?;
        let state = State::Idle(temporary);
        Ok(Self {
            disk,
            key,
            durability,
            collected: Vec::new(),
            collected_bytes: 0,
            written: 0,
            state,
        })
    }

    /// Waits only while the disk is behind by more than a megabyte.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), BlobError> {
        self.written += chunk.len() as u64;
        self.collected_bytes += chunk.len();
        self.collected.push(chunk);
        if self.collected_bytes < TOGETHER_BYTES {
            Ok(())
        } else {
            self.hand_over().await
        }
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    pub async fn finish(mut self) -> Result<Stored, BlobError> {
        self.hand_over().await?;
        let temporary = self.idle().await?;
        blocking(move || temporary.publish(&self.disk, self.key, self.durability)).await
    }

    pub async fn abort(mut self) {
        // A failure removed the temporary file already.
        if let Ok(temporary) = self.idle().await {
            let _ = spawn_blocking(move || drop(temporary)).await;
        }
    }

    async fn hand_over(&mut self) -> Result<(), BlobError> {
        let mut temporary = self.idle().await?;
        let chunks = std::mem::take(&mut self.collected);
        self.collected_bytes = 0;
        self.state = State::Busy(spawn_blocking(move || {
            temporary.append(&chunks).map(|()| temporary)
        }));
        Ok(())
    }

    /// Waits until the disk is done with what it was given. Cancelled, it can be asked again.
    async fn idle(&mut self) -> Result<Temporary, BlobError> {
        let outcome = match &mut self.state {
            State::Busy(busy) => joined(busy.await),
            _ => match std::mem::replace(&mut self.state, State::Broken) {
                State::Idle(temporary) => Ok(temporary),
                _ => Err(io("writing after a failure to", Path::new(&self.key))(
                    ErrorKind::BrokenPipe.into(),
                )),
            },
        };
        self.state = State::Broken;
        outcome
    }
}

impl Disk {
    pub async fn copy(self: &Arc<Self>, from: &str, to: &str) -> Result<Stored, BlobError> {
        let (disk, from, to) = (self.clone(), from.to_owned(), to.to_owned());
        blocking(move || {
            let path = disk.path(&from);
            let mut source = File::open(&path).map_err(not_found(&from, "opening", &path))?;
            let mut temporary = Temporary::create(disk.clone(), Durability::Durable)?;
            loop {
                let mut chunk = Vec::with_capacity(TOGETHER_BYTES);
                let read = (&mut source).take(TOGETHER_BYTES as u64).read_to_end(&mut chunk);
                if read.map_err(not_found(&from, "reading", &path))? == 0 {
                    return temporary.publish(&disk, to, Durability::Durable);
                }
                temporary.append(&[Bytes::from(chunk)])?;
            }
        })
        .await
    }
}

/// The file, removed when dropped unless it was published.
struct Temporary {
    disk: Arc<Disk>,
    file: File,
    path: PathBuf,
    hash: digest::Context,
    size: u64,
    durability: Durability,
    since_step: u64,
    published: bool,
}

impl Temporary {
    fn create(disk: Arc<Disk>, durability: Durability) -> Result<Self, BlobError> {
        disk.check_room()?;
        let path = disk.temporary.join(temporary_name());
        let file = File::create_new(&path).map_err(io("creating", &path))?;
        let hash = digest::Context::new(&SHA256);
        Ok(Self {
            disk,
            file,
            path,
            hash,
            size: 0,
            durability,
            since_step: 0,
            published: false,
        })
    }

    fn append(&mut self, chunks: &[Bytes]) -> Result<(), BlobError> {
        for chunk in chunks {
            self.file.write_all(chunk).map_err(io("writing", &self.path))?;
            self.hash.update(chunk);
            self.size += chunk.len() as u64;
            self.since_step += chunk.len() as u64;
        }
        if self.since_step < STEP_BYTES {
            return Ok(());
        }
        self.since_step = 0;
        if self.durability == Durability::Durable {
            self.file.sync_data().map_err(io("syncing", &self.path))?;
        }
        self.disk.check_room()
    }

    fn publish(mut self, disk: &Disk, key: String, durability: Durability) -> Result<Stored, BlobError> {
        let durable = durability == Durability::Durable;
        if durable {
            self.file.sync_all().map_err(io("syncing", &self.path))?;
        }
        let path = disk.path(&key);
        self.rename(&path)
            .map_err(|error| misplaced(&key, error, &path))?;
        if durable {
            // Folders on the way may be new, made by this writer or by another that has not synced them yet.
            disk.folders_of(&path).try_for_each(sync)?;
        }
        let sha256 = self
            .hash
            .clone()
            .finish()
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes");
        Ok(Stored {
            key,
            size: self.size,
            sha256,
        })
    }

    fn rename(&mut self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().expect("an object lies below the folder of objects");
        // A folder made a moment ago must not be removed as empty before the file is in it.
        let _kept = self.disk.folders.read().unwrap_or_else(PoisonError::into_inner);
        std::fs::create_dir_all(folder)?;
        std::fs::rename(&self.path, path)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn misplaced(key: &str, error: std::io::Error, path: &Path) -> BlobError {
    match error.kind() {
        ErrorKind::IsADirectory => key::invalid(key, "it is a folder of other objects"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            key::invalid(key, "it is below another object")
        }
        _ => io("placing", path)(error),
    }
}

/// Random, so that two processes on one folder (which the lock lets through with a warning) do not meet.
pub(super) fn temporary_name() -> String {
    let mut name = [0; 16];
    aws_lc_rs::rand::fill(&mut name).expect("the system has randomness once it has started");
    name.iter().map(|byte| format!("{byte:02x}")).collect()
}
