//! What the driver says, as the kinds of trouble our callers know.
use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError,
    MetadataError, NewSessionError, NextPageError, NextRowError, PagerExecutionError, PrepareError,
    RequestAttemptError, RequestError,
};

use crate::TablesError;

pub(super) fn unavailable(doing: &'static str, reason: impl ToString) -> TablesError {
    let reason = reason.to_string();
    TablesError::Unavailable { doing, reason }
}

pub(super) fn server(doing: &'static str, reason: impl ToString) -> TablesError {
    let reason = reason.to_string();
    TablesError::Server { doing, reason }
}

/// The server has no such table, or does not know it yet: it was dropped, or is being made. (The first is what Cassandra
/// says, the second ScyllaDB. The third is Cassandra's when the schema has the table already and the storage engine has
/// not, or has it no longer. None has a code for it.)
pub(super) fn is_missing_table(error: &TablesError) -> bool {
    let TablesError::Server { reason, .. } = error else {
        return false;
    };
    ["does not exist", "unconfigured table", "Unknown CF "]
        .iter()
        .any(|sign| reason.contains(sign))
}

pub(super) fn execution(doing: &'static str) -> impl FnOnce(ExecutionError) -> TablesError {
    move |error| match error {
        ExecutionError::LastAttemptError(error) => attempt(doing, &error),
        ExecutionError::PrepareError(error) => prepare(doing)(error),
        ExecutionError::BadQuery(_) | ExecutionError::UseKeyspaceError(_) => server(doing, error),
        other => unavailable(doing, other),
    }
}

pub(super) fn prepare(doing: &'static str) -> impl FnOnce(PrepareError) -> TablesError {
    move |error| match error {
        PrepareError::AllAttemptsFailed { first_attempt } => attempt(doing, &first_attempt),
        PrepareError::PreparedStatementIdsMismatch => server(doing, error),
        other => unavailable(doing, other),
    }
}

pub(super) fn paging(doing: &'static str) -> impl FnOnce(PagerExecutionError) -> TablesError {
    move |error| match error {
        PagerExecutionError::PrepareError(error) => prepare(doing)(error),
        PagerExecutionError::NextPageError(error) => next_page(doing, error),
        PagerExecutionError::SerializationError(_) => server(doing, error),
        other => unavailable(doing, other),
    }
}

pub(super) fn next_row(doing: &'static str) -> impl FnOnce(NextRowError) -> TablesError {
    move |error| match error {
        NextRowError::NextPageError(error) => next_page(doing, error),
        other => server(doing, other),
    }
}

fn next_page(doing: &'static str, error: NextPageError) -> TablesError {
    match error {
        NextPageError::RequestFailure(RequestError::LastAttemptError(error)) => attempt(doing, &error),
        NextPageError::RequestFailure(error) => unavailable(doing, error),
        other => server(doing, other),
    }
}

fn attempt(doing: &'static str, error: &RequestAttemptError) -> TablesError {
    match error {
        RequestAttemptError::DbError(kind, message) => match kind {
            DbError::Unauthorized => {
                TablesError::Setup(format!("{doing}: the CQL server does not allow it: {message}"))
            }
            DbError::Unavailable { .. }
            | DbError::Overloaded
            | DbError::IsBootstrapping
            | DbError::TruncateError
            | DbError::ReadTimeout { .. }
            | DbError::WriteTimeout { .. }
            | DbError::ReadFailure { .. }
            | DbError::WriteFailure { .. }
            | DbError::RateLimitReached { .. } => unavailable(doing, kind),
            _ => server(doing, message),
        },
        RequestAttemptError::BrokenConnectionError(_) | RequestAttemptError::UnableToAllocStreamId => {
            unavailable(doing, error)
        }
        other => server(doing, other),
    }
}

/// One line for whoever starts the program.
pub(super) fn connecting(contact_points: &[String], error: NewSessionError) -> TablesError {
    let at = contact_points.join(", ");
    let pool = match &error {
        NewSessionError::MetadataError(MetadataError::ConnectionPoolError(pool)) => Some(pool),
        NewSessionError::IllegalConfig(_) | NewSessionError::EmptyKnownNodesList => {
            return TablesError::Setup(format!("connecting to the CQL server: {error}"));
        }
        _ => None,
    };
    match pool.and_then(refused) {
        Some(reason) => TablesError::Setup(format!(
            "the CQL server at {at} refuses the credentials: {reason}; check cql.user and cql.password"
        )),
        None => unavailable("connecting", format!("{at}: {error}")),
    }
}

/// Why the server does not let us in, if that is what it said.
fn refused(error: &ConnectionPoolError) -> Option<String> {
    let ConnectionPoolError::Broken {
        last_connection_error: ConnectionError::ConnectionSetupRequestError(setup),
    } = error
    else {
        return None;
    };
    match setup.get_error() {
        ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, message) => {
            Some(message.clone())
        }
        ConnectionSetupRequestErrorKind::MissingAuthentication => {
            Some("it wants some, and none are set".to_owned())
        }
        _ => None,
    }
}
