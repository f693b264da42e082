//! All versions of all views in one keyspace: opened, listed and dropped.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::blocking::Threads;
use super::register::{self, Generation, State};
use super::server::Server;
use super::settings::CqlSettings;
use super::version::Version;
use super::{View, schema};
use crate::TablesError;
use crate::error::{check_keyspace, check_name};

/// A connection to the server. Clones share it, and what is open.
#[derive(Clone)]
pub(crate) struct Keyspace(Arc<Shared>);

struct Shared {
    threads: Arc<Threads>,
    server: Arc<Server>,
    open: Mutex<HashMap<(String, u32), View>>,
}

impl Keyspace {
    pub fn open(settings: CqlSettings) -> Result<Self, TablesError> {
        check_keyspace(&settings.keyspace)?;
        let threads = Threads::start()?;
        let server = threads.run(async move {
            let server = Server::connect(&settings).await?;
            schema::ensure(&server, &settings, &schema::FOR_VIEWS).await?;
            Ok(server)
        })?;
        Ok(Self(Arc::new(Shared {
            threads: Arc::new(threads),
            server: Arc::new(server),
            open: Mutex::default(),
        })))
    }

    pub fn view(&self, name: &str, version: u32) -> Result<View, TablesError> {
        check_name(name)?;
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = open.get(&(name.to_owned(), version)) {
            return Ok(view.clone());
        }
        let (server, view) = (self.0.server.clone(), name.to_owned());
        let version_of = async move {
            let generation = Generation::live_or_new(&server, &view, version).await?;
            Version::open(server, generation).await
        };
        let view = View::new(self.0.threads.clone(), self.0.threads.run(version_of)?);
        open.insert((name.to_owned(), version), view.clone());
        Ok(view)
    }

    pub fn versions(&self, name: &str) -> Result<Vec<u32>, TablesError> {
        check_name(name)?;
        let (server, view) = (self.0.server.clone(), name.to_owned());
        self.0
            .threads
            .run(async move { register::versions(&server, &view).await })
    }

    pub fn views(&self) -> Result<Vec<String>, TablesError> {
        let server = self.0.server.clone();
        self.0.threads.run(async move { register::views(&server).await })
    }

    pub fn drop_version(&self, name: &str, version: u32) -> Result<(), TablesError> {
        check_name(name)?;
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = open.remove(&(name.to_owned(), version)) {
            view.set_dropped();
        }
        drop(open);
        let (server, view) = (self.0.server.clone(), name.to_owned());
        self.0.threads.run(async move {
            for (generation, state) in Generation::all(&server, &view, version).await? {
                if state != State::Swept {
                    generation.remove(&server).await?;
                }
            }
            Ok(())
        })
    }
}
