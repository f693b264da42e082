//! A bounded pool of connections that read, each with its prepared statements.
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

use crate::TablesError;
use crate::error::store;

/// Reads are short and computed by cores, so more than a few at once only cost memory.
const MOST: usize = 8;

pub(super) struct Readers {
    path: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    open: usize,
}

/// A connection on loan; it goes back when dropped.
struct Loan<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Runs `read` on a connection of its own, waiting for one when all are busy.
    pub fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, TablesError> {
        let loan = self.borrow()?;
        let connection = loan.connection.as_ref().expect("it is given back only on drop");
        read(connection).map_err(store("reading", &self.path))
    }

    fn borrow(&self) -> Result<Loan<'_>, TablesError> {
        let full = |state: &mut State| state.idle.is_empty() && state.open >= MOST;
        let mut state = self
            .returned
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = state.idle.pop() {
            return Ok(Loan {
                readers: self,
                connection: Some(connection),
            });
        }
        state.open += 1;
        drop(state);
        // From here on the loan gives the place back, also when opening fails.
        let mut loan = Loan {
            readers: self,
            connection: None,
        };
        loan.connection = Some(self.connect()?);
        Ok(loan)
    }

    fn connect(&self) -> Result<Connection, TablesError> {
        // Not opened read-only: the first reader of a write-ahead log may have to create its index file.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&self.path, flags).map_err(store("opening", &self.path))?;
        connection
            .execute_batch("PRAGMA query_only = ON; PRAGMA busy_timeout = 10000; PRAGMA cache_size = -4096;")
            .map_err(store("setting up", &self.path))?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.lock();
        match self.connection.take() {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        self.readers.returned.notify_one();
    }
}
