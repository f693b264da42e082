//! The driver's session: statements that are prepared once, and answers as rows of ours.
use std::time::Duration;

use futures_util::TryStreamExt;
use scylla::client::caching_session::{CachingSession, CachingSessionBuilder};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::pager::TypedRowStream;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;

use super::error::{connecting, execution, next_row, paging, prepare, server, unavailable};
use super::settings::{Consistency, CqlSettings};
use crate::TablesError;

/// A change of the schema goes through all servers and writes to their disks.
pub(super) const SCHEMA_TIMEOUT: Duration = Duration::from_secs(30);
/// Rows in one answer of a longer reading: bounds the memory on both sides.
const PAGE_ROWS: i32 = 1_000;
/// Statements kept prepared: a dozen for each table of rows.
const STATEMENTS: usize = 2_000;

pub(super) struct Server {
    session: CachingSession,
    pub keyspace: String,
}

impl Server {
    pub async fn connect(settings: &CqlSettings) -> Result<Self, TablesError> {
        let mut policy = DefaultPolicy::builder().token_aware(true);
        if let Some(datacenter) = &settings.datacenter {
            policy = policy.prefer_datacenter(datacenter.clone());
        }
        let profile = ExecutionProfile::builder()
            .consistency(match settings.consistency {
                Consistency::LocalQuorum => scylla::statement::Consistency::LocalQuorum,
                Consistency::Quorum => scylla::statement::Consistency::Quorum,
                Consistency::All => scylla::statement::Consistency::All,
            })
            .request_timeout(Some(settings.request_timeout))
            .load_balancing_policy(policy.build())
            .build();
        let mut builder = SessionBuilder::new()
            .known_nodes(&settings.contact_points)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(settings.request_timeout)
            .schema_agreement_timeout(SCHEMA_TIMEOUT)
            .keyspaces_to_fetch([settings.keyspace.clone()])
            // It is told of every change anyway, and finds the way to a row without knowing the columns.
            .fetch_full_schema_metadata(false)
            .refresh_metadata_on_auto_schema_agreement(false);
        if let Some(credentials) = &settings.credentials {
            builder = builder.user(&credentials.user, &credentials.password);
        }
        let patience = settings.request_timeout * 2;
        let session = tokio::time::timeout(patience, builder.build())
            .await
            .map_err(|_| {
                let at = settings.contact_points.join(", ");
                unavailable("connecting", format!("{at}: no answer within {patience:?}"))
            })?
            .map_err(|error| connecting(&settings.contact_points, error))?;
        let session = CachingSessionBuilder::new(session)
            .max_capacity(STATEMENTS)
            .build();
        Ok(Self {
            session,
            keyspace: settings.keyspace.clone(),
        })
    }

    pub fn session(&self) -> &scylla::client::session::Session {
        self.session.get_session()
    }

    /// The first row of the answer, for questions with one.
    pub async fn first<R>(
        &self,
        doing: &'static str,
        cql: &str,
        values: impl SerializeRow,
    ) -> Result<Option<R>, TablesError>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        let rows = self.rows(doing, repeatable(cql), values).await?;
        rows.maybe_first_row().map_err(|error| server(doing, error))
    }

    /// The answer to a question with few rows.
    pub async fn rows(
        &self,
        doing: &'static str,
        statement: Statement,
        values: impl SerializeRow,
    ) -> Result<QueryRowsResult, TablesError> {
        let asked = self.session.execute_unpaged(statement, values).await;
        let rows = asked.map_err(execution(doing))?.into_rows_result();
        rows.map_err(|error| server(doing, error))
    }

    /// All rows of the answer, for questions whose answers are bounded.
    pub async fn all<R>(
        &self,
        doing: &'static str,
        cql: &str,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, TablesError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + 'static,
    {
        let rows = self.stream(doing, cql, values).await?;
        rows.try_collect().await.map_err(next_row(doing))
    }

    /// The rows of the answer, a page in memory at a time.
    pub async fn stream<R>(
        &self,
        doing: &'static str,
        cql: &str,
        values: impl SerializeRow,
    ) -> Result<TypedRowStream<R>, TablesError>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let pages = self.session.execute_iter(repeatable(cql), values).await;
        let pages = pages.map_err(paging(doing))?;
        pages.rows_stream().map_err(|error| server(doing, error))
    }

    pub async fn write(
        &self,
        doing: &'static str,
        cql: &str,
        values: impl SerializeRow,
    ) -> Result<(), TablesError> {
        let done = self.session.execute_unpaged(repeatable(cql), values).await;
        done.map(drop).map_err(execution(doing))
    }

    pub async fn prepared(&self, doing: &'static str, cql: &str) -> Result<PreparedStatement, TablesError> {
        let statement = repeatable(cql);
        let prepared = self.session.add_prepared_statement(&statement).await;
        prepared.map_err(prepare(doing))
    }

    /// Changes the schema and waits until all servers have it.
    pub async fn define(&self, doing: &'static str, cql: &str) -> Result<(), TablesError> {
        let mut statement = Statement::new(cql);
        statement.set_request_timeout(Some(SCHEMA_TIMEOUT));
        let done = self.session().query_unpaged(statement, ()).await;
        done.map(drop).map_err(execution(doing))
    }

    /// Waits until all servers have what anybody changed in the schema.
    pub async fn agree(&self) -> Result<(), TablesError> {
        let agreed = self.session().await_schema_agreement().await;
        agreed
            .map(drop)
            .map_err(|error| unavailable("waiting until all servers have the schema", error))
    }
}

/// Everything we say may be said twice: reads, and writes that are absolute. So the driver may ask another node.
fn repeatable(cql: &str) -> Statement {
    let mut statement = Statement::new(cql).with_page_size(PAGE_ROWS);
    statement.set_is_idempotent(true);
    statement
}
