//! Which versions of views there are, which tables each has, and how far it has come.
//!
//! Without transactions, everything here only grows: a version that is made again gets the next generation, with tables of its
//! own, so that nothing late or left over from before can appear in it. Two nodes that do the same at once write the same.
use std::collections::BTreeMap;

use super::schema::{self, CHECKPOINTS, JOURNAL, TABLES, VERSIONS};
use super::server::Server;
use crate::TablesError;

/// One making of a version of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub view: String,
    pub version: u32,
    pub number: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live,
    /// Its tables are going, or went halfway.
    Dropped,
    /// Nothing of it is left but the number.
    Swept,
}

impl Generation {
    /// All generations of a version, the newest last.
    pub async fn all(server: &Server, view: &str, version: u32) -> Result<Vec<(Self, State)>, TablesError> {
        let select = format!(
            "SELECT generation, dropped, swept FROM {}.{VERSIONS} WHERE view_name = ? AND version = ?",
            server.keyspace
        );
        let found: Vec<(i64, Option<bool>, Option<bool>)> = server
            .all(READING, &select, (view, version.cast_signed()))
            .await?;
        let generation = |(number, dropped, swept)| {
            let view = view.to_owned();
            (
                Self {
                    view,
                    version,
                    number,
                },
                state(dropped, swept),
            )
        };
        Ok(found.into_iter().map(generation).collect())
    }

    pub async fn is_live(&self, server: &Server) -> Result<bool, TablesError> {
        let select = format!(
            "SELECT dropped, swept FROM {}.{VERSIONS} WHERE view_name = ? AND version = ? AND generation = ?",
            server.keyspace
        );
        let found: Option<(Option<bool>, Option<bool>)> = server.first(READING, &select, self.key()).await?;
        Ok(found.is_some_and(|(dropped, swept)| state(dropped, swept) == State::Live))
    }

    /// The one that lives, or the next one.
    pub async fn live_or_new(server: &Server, view: &str, version: u32) -> Result<Self, TablesError> {
        let all = Self::all(server, view, version).await?;
        let number = match all.last() {
            Some((newest, State::Live)) => return Ok(newest.clone()),
            Some((newest, _)) => newest.number + 1,
            None => 1,
        };
        let view = view.to_owned();
        let new = Self {
            view,
            version,
            number,
        };
        let insert = format!(
            "INSERT INTO {}.{VERSIONS} (view_name, version, generation) VALUES (?, ?, ?)",
            server.keyspace
        );
        server.write("registering a version", &insert, new.key()).await?;
        Ok(new)
    }

    /// Removes everything but the number. Killed at any point, it can be done again.
    pub async fn remove(&self, server: &Server) -> Result<(), TablesError> {
        self.mark(server, "dropped").await?;
        for stored_as in self.tables(server).await?.values() {
            schema::drop_table(server, stored_as).await?;
        }
        for table in [TABLES, CHECKPOINTS, JOURNAL] {
            let delete = format!(
                "DELETE FROM {}.{table} WHERE view_name = ? AND version = ? AND generation = ?",
                server.keyspace
            );
            server.write("dropping a version", &delete, self.key()).await?;
        }
        self.mark(server, "swept").await
    }

    async fn mark(&self, server: &Server, column: &str) -> Result<(), TablesError> {
        let insert = format!(
            "INSERT INTO {}.{VERSIONS} (view_name, version, generation, {column}) VALUES (?, ?, ?, true)",
            server.keyspace
        );
        server.write("dropping a version", &insert, self.key()).await
    }

    /// Each logical table with the name of the one that holds it.
    pub async fn tables(&self, server: &Server) -> Result<BTreeMap<String, String>, TablesError> {
        let select = format!(
            "SELECT table_name, stored_as FROM {}.{TABLES} WHERE view_name = ? AND version = ? AND generation = ?",
            server.keyspace
        );
        let found: Vec<(String, String)> = server.all(READING, &select, self.key()).await?;
        Ok(found.into_iter().collect())
    }

    pub async fn add_table(&self, server: &Server, table: &str, stored_as: &str) -> Result<(), TablesError> {
        let insert = format!(
            "INSERT INTO {}.{TABLES} (view_name, version, generation, table_name, stored_as) VALUES (?, ?, ?, ?, ?)",
            server.keyspace
        );
        let (view, version, number) = self.key();
        let values = (view, version, number, table, stored_as);
        server.write("registering a table", &insert, values).await
    }

    pub async fn checkpoints(&self, server: &Server) -> Result<BTreeMap<u16, u64>, TablesError> {
        let select = format!(
            "SELECT log_partition, next_offset FROM {}.{CHECKPOINTS}
             WHERE view_name = ? AND version = ? AND generation = ?",
            server.keyspace
        );
        let found: Vec<(i32, i64)> = server.all("reading the checkpoints", &select, self.key()).await?;
        let checkpoint =
            |(partition, next): (i32, i64)| Some((u16::try_from(partition).ok()?, next.cast_unsigned()));
        Ok(found.into_iter().filter_map(checkpoint).collect())
    }

    /// View, version and number, as every table has them.
    pub fn key(&self) -> (&str, i32, i64) {
        (&self.view, self.version.cast_signed(), self.number)
    }
}

/// The versions of a view of which anything is left.
pub(super) async fn versions(server: &Server, view: &str) -> Result<Vec<u32>, TablesError> {
    let select = format!(
        "SELECT version, dropped, swept FROM {}.{VERSIONS} WHERE view_name = ?",
        server.keyspace
    );
    let found: Vec<(i32, Option<bool>, Option<bool>)> = server.all(READING, &select, (view,)).await?;
    let left = found
        .into_iter()
        .filter(|(_, dropped, swept)| state(*dropped, *swept) != State::Swept);
    let mut versions: Vec<u32> = left.map(|(version, ..)| version.cast_unsigned()).collect();
    versions.sort_unstable();
    versions.dedup();
    Ok(versions)
}

/// The views of which anything is left.
pub(super) async fn views(server: &Server) -> Result<Vec<String>, TablesError> {
    let select = format!(
        "SELECT view_name, dropped, swept FROM {}.{VERSIONS}",
        server.keyspace
    );
    let found: Vec<(String, Option<bool>, Option<bool>)> = server.all(READING, &select, ()).await?;
    let left = found
        .into_iter()
        .filter(|(_, dropped, swept)| state(*dropped, *swept) != State::Swept);
    let mut views: Vec<String> = left.map(|(view, ..)| view).collect();
    views.sort_unstable();
    views.dedup();
    Ok(views)
}

fn state(dropped: Option<bool>, swept: Option<bool>) -> State {
    match (dropped, swept) {
        (_, Some(true)) => State::Swept,
        (Some(true), _) => State::Dropped,
        _ => State::Live,
    }
}

const READING: &str = "reading which versions there are";
