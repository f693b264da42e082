//! The layout of the keyspace: made, migrated, and refused when a newer program made it.
use std::time::{Duration, Instant};

use super::error::{is_missing_table, server};
use super::names::TableName;
use super::server::{SCHEMA_TIMEOUT, Server};
use super::settings::CqlSettings;
use crate::TablesError;

/// What a keyspace is laid out for. Each purpose has tables, a number and migrations of its own.
pub(super) struct Layout {
    component: &'static str,
    /// What this program writes. A change of it gets the next number and a step in `migrations`.
    pub number: i32,
    /// What brings each layout to the next one: the first belongs to layout 1. Each step may be run again, and by several
    /// nodes.
    migrations: &'static [&'static [&'static str]],
    /// Views cannot be called `spool_…`, so no table of rows is ever in the way of these.
    tables: &'static [(&'static str, &'static str)],
}

pub(super) const FOR_VIEWS: Layout = Layout {
    component: "tables",
    number: 1,
    migrations: &[],
    tables: &[
        (
            VERSIONS,
            "view_name text, version int, generation bigint, dropped boolean, swept boolean,
             PRIMARY KEY (view_name, version, generation)",
        ),
        (
            TABLES,
            "view_name text, version int, generation bigint, table_name text, stored_as text,
             PRIMARY KEY ((view_name, version, generation), table_name)",
        ),
        (
            CHECKPOINTS,
            "view_name text, version int, generation bigint, log_partition int, next_offset bigint,
             PRIMARY KEY ((view_name, version, generation), log_partition)",
        ),
        (
            JOURNAL,
            "view_name text, version int, generation bigint, chunk int, slot int,
             next_offset bigint, commit_id bigint, chunks int, data blob,
             PRIMARY KEY ((view_name, version, generation), chunk, slot)",
        ),
    ],
};

pub(super) const FOR_REGISTERS: Layout = Layout {
    component: "registers",
    number: 1,
    migrations: &[],
    tables: &[(REGISTERS, "name text PRIMARY KEY, value blob")],
};

const LAYOUTS: (&str, &str) = (SCHEMA, "component text PRIMARY KEY, version int");
const SCHEMA: &str = "spool_schema";
pub(super) const VERSIONS: &str = "spool_versions";
pub(super) const TABLES: &str = "spool_tables";
pub(super) const CHECKPOINTS: &str = "spool_checkpoints";
pub(super) const JOURNAL: &str = "spool_journal";
pub(super) const REGISTERS: &str = "spool_registers";

/// Makes what is missing. Several nodes may do so at once, and one that may not create anything can use what is there.
pub(super) async fn ensure(
    server: &Server,
    settings: &CqlSettings,
    layout: &Layout,
) -> Result<(), TablesError> {
    let keyspace = &server.keyspace;
    if !keyspace_exists(server).await? {
        let replication = settings.replication.literal()?;
        let create = format!("CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}");
        server.define("creating the keyspace", &create).await?;
    }
    let found = tables(server).await?;
    let has = |name: &str| found.iter().any(|found| found == name);
    if has(SCHEMA) {
        until_usable(server, SCHEMA).await?;
        check_not_newer(server, layout).await?;
    }
    let ours = || std::iter::once(&LAYOUTS).chain(layout.tables);
    for (name, columns) in ours() {
        if !has(name) {
            create_table(server, &TableName::of_ours(keyspace, name), columns, "of Spool").await?;
        }
    }
    // What another node is creating may not have reached the server that is asked next.
    server.agree().await?;
    for (name, _) in ours() {
        until_usable(server, name).await?;
    }
    migrate(server, layout).await
}

/// Creates the table unless it is there.
pub(super) async fn create_table(
    server: &Server,
    table: &TableName,
    columns: &str,
    comment: &str,
) -> Result<(), TablesError> {
    let (keyspace, TableName { name, id }) = (&server.keyspace, table);
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {keyspace}.{name} ({columns}) WITH ID = {id} AND comment = '{comment}'"
    );
    match server.define("creating a table", &create).await {
        // Somebody else was faster, and the server did not say so in the usual way.
        Err(TablesError::Server { .. }) if tables(server).await?.contains(name) => {
            server.agree().await?;
            until_usable(server, name).await
        }
        other => other,
    }
}

/// A table can be listed for a moment before it can be used.
async fn until_usable(server: &Server, name: &str) -> Result<(), TablesError> {
    let select = format!("SELECT * FROM {}.{name} LIMIT 1", server.keyspace);
    let deadline = Instant::now() + SCHEMA_TIMEOUT;
    loop {
        match server.prepared("waiting for a table", &select).await {
            Err(error) if is_missing_table(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            prepared => return prepared.map(drop),
        }
    }
}

pub(super) async fn drop_table(server: &Server, name: &str) -> Result<(), TablesError> {
    let drop = format!("DROP TABLE IF EXISTS {}.{name}", server.keyspace);
    server.define("dropping a table", &drop).await
}

async fn keyspace_exists(server: &Server) -> Result<bool, TablesError> {
    let select = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let found: Option<(String,)> = server
        .first("looking for the keyspace", select, (&server.keyspace,))
        .await?;
    Ok(found.is_some())
}

/// The names of all tables in the keyspace.
pub(super) async fn tables(server: &Server) -> Result<Vec<String>, TablesError> {
    let select = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
    let found: Vec<(String,)> = server
        .all("listing the tables", select, (&server.keyspace,))
        .await?;
    Ok(found.into_iter().map(|(name,)| name).collect())
}

async fn check_not_newer(server: &Server, layout: &Layout) -> Result<i32, TablesError> {
    let select = format!(
        "SELECT version FROM {}.{SCHEMA} WHERE component = ?",
        server.keyspace
    );
    let found: Option<(i32,)> = server
        .first("reading the layout's version", &select, (layout.component,))
        .await?;
    let (found,) = found.unwrap_or((0,));
    let known = layout.number;
    if found > known {
        return Err(TablesError::Setup(format!(
            "the keyspace {} has layout {found} of a newer program, and this one knows {known}: start the newer \
             program, or choose another keyspace and let it be filled from the log",
            server.keyspace
        )));
    }
    Ok(found)
}

async fn migrate(server: &Server, layout: &Layout) -> Result<(), TablesError> {
    let found = check_not_newer(server, layout).await?;
    if found == layout.number {
        return Ok(());
    }
    // One that is new has no layout yet, and was made as the newest.
    let from = if found == 0 { layout.number } else { found };
    for step in &layout.migrations[usize::try_from(from - 1).map_err(|_| odd(found))?..] {
        for statement in *step {
            let statement = statement.replace("{keyspace}", &server.keyspace);
            server.define("migrating the layout", &statement).await?;
        }
    }
    // The number is its own timestamp, so that an older program cannot set it back.
    let insert = format!(
        "INSERT INTO {}.{SCHEMA} (component, version) VALUES (?, ?) USING TIMESTAMP ?",
        server.keyspace
    );
    let values = (layout.component, layout.number, i64::from(layout.number));
    server
        .write("recording the layout's version", &insert, values)
        .await
}

fn odd(layout: i32) -> TablesError {
    server("reading the layout's version", format!("{layout} is none"))
}
