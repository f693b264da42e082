//! Registers in the server: one row each, changed by lightweight transactions only, so that all changes of one are in an order.
use std::sync::Arc;

use bytes::Bytes;
use scylla::statement::SerialConsistency;
use scylla::statement::unprepared::Statement;
use scylla::value::{CqlValue, Row};

use super::blocking::Threads;
use super::schema::{self, REGISTERS};
use super::server::Server;
use super::settings::CqlSettings;
use crate::error::check_keyspace;
use crate::{Swapped, TablesError};

const SWAPPING: &str = "changing a register";

pub(crate) struct Registers {
    threads: Threads,
    server: Arc<Server>,
}

impl Registers {
    pub fn open(settings: CqlSettings) -> Result<Self, TablesError> {
        check_keyspace(&settings.keyspace)?;
        let threads = Threads::start()?;
        let server = threads.run(async move {
            let server = Server::connect(&settings).await?;
            schema::ensure(&server, &settings, &schema::FOR_REGISTERS).await?;
            Ok(server)
        })?;
        Ok(Self {
            threads,
            server: Arc::new(server),
        })
    }

    pub fn get(&self, name: &str) -> Result<Option<Bytes>, TablesError> {
        let (server, name) = (self.server.clone(), name.to_owned());
        self.threads.run(async move {
            let select = format!("SELECT value FROM {}.{REGISTERS} WHERE name = ?", server.keyspace);
            let found: Option<(Vec<u8>,)> = server.first("reading a register", &select, (&name,)).await?;
            Ok(found.map(|(value,)| Bytes::from(value)))
        })
    }

    pub fn swap(&self, name: &str, expected: Option<&[u8]>, new: &[u8]) -> Result<Swapped, TablesError> {
        let (server, name) = (self.server.clone(), name.to_owned());
        let (expected, new) = (expected.map(<[u8]>::to_vec), new.to_vec());
        self.threads.run(async move {
            let table = format!("{}.{REGISTERS}", server.keyspace);
            let answer = match &expected {
                None => {
                    let insert = format!("INSERT INTO {table} (name, value) VALUES (?, ?) IF NOT EXISTS");
                    server.conditional(SWAPPING, &insert, (&name, &new)).await
                }
                Some(expected) => {
                    let update = format!("UPDATE {table} SET value = ? WHERE name = ? IF value = ?");
                    server
                        .conditional(SWAPPING, &update, (&new, &name, expected))
                        .await
                }
            };
            answer.map(|stands| match stands {
                None => Swapped::Done,
                // The server may have begun it twice; then it stands already.
                Some(Some(stands)) if stands == new => Swapped::Done,
                Some(stands) => Swapped::Stands(stands),
            })
        })
    }
}

impl Server {
    /// Says something with a condition on the column `value`. Nothing when it was done; otherwise what stands there.
    async fn conditional(
        &self,
        doing: &'static str,
        cql: &str,
        values: impl scylla::serialize::row::SerializeRow,
    ) -> Result<Option<Option<Bytes>>, TablesError> {
        let mut statement = Statement::new(cql);
        // In every data centre: a register that two of them have made is no agreement.
        statement.set_serial_consistency(Some(SerialConsistency::Serial));
        let rows = self.rows(doing, statement, values).await?;
        let value = rows.column_specs().get_by_name("value").map(|(index, _)| index);
        let row: Row = rows
            .first_row()
            .map_err(|error| super::error::server(doing, error))?;
        if matches!(row.columns.first(), Some(Some(CqlValue::Boolean(true)))) {
            return Ok(None);
        }
        let mut columns = row.columns;
        match value.and_then(|index| columns.get_mut(index)?.take()) {
            Some(CqlValue::Blob(stands)) => Ok(Some(Some(Bytes::from(stands)))),
            _ => Ok(Some(None)),
        }
    }
}
