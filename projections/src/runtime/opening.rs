//! Which versions of a view there are at start: the one to serve, the one before it, and what is to go.

use super::serving::Version;
use crate::view::View;
use spool_log::Log;
use spool_tables::{Opened, Tables, TablesError};
use std::sync::Arc;

/// The versions of one view as found.
pub(super) struct Found {
    /// The one the log says is to answer.
    pub wanted: Arc<Version>,
    /// Whether its rows are missing, so that it cannot answer before it is filled.
    pub empty: bool,
    /// Kept for a way back.
    pub before: Option<Arc<Version>>,
}

/// The name the tables know a view by. Rows of another schema are under another name, so that an older program
/// finds its own again.
pub(super) fn stored_name(view: &dyn View) -> String {
    format!("{}_r{}", view.name(), view.schema())
}

/// Opens version `number` of `view` and the one before it, and drops the others: fills that were never switched
/// to, and what is older than that.
pub(super) fn open(log: &Log, tables: &Tables, view: &dyn View, number: u32) -> Result<Found, TablesError> {
    let name = stored_name(view);
    let stored = tables.versions(&name)?;
    let before = stored.iter().copied().filter(|version| *version < number).max();
    for version in stored {
        if version != number && Some(version) != before {
            tables.drop_version(&name, version)?;
        }
    }
    drop_old_schemas(tables, view)?;
    let (wanted, found_empty) = open_version(log, tables, &name, number)?;
    let before = match before {
        Some(version) => Some(open_version(log, tables, &name, version)?),
        None => None,
    };
    // An older version whose rows are gone is no way back.
    let before = match before {
        Some((gone, true)) => {
            tables.drop_version(&name, gone.number)?;
            None
        }
        Some((version, false)) => Some(version),
        None => None,
    };
    let log_is_empty = (0..log.partitions()).all(|partition| log.head(partition) == 0);
    Ok(Found {
        wanted,
        empty: found_empty && !log_is_empty,
        before,
    })
}

/// Opens or creates one version, and says whether it has no rows yet.
pub(super) fn open_version(
    log: &Log,
    tables: &Tables,
    name: &str,
    number: u32,
) -> Result<(Arc<Version>, bool), TablesError> {
    let mut opened = tables.view(name, number)?;
    opened.refresh()?;
    if is_ahead(log, &opened) {
        tracing::warn!(
            view = name,
            version = number,
            "the rows know more than the log; they are made anew"
        );
        tables.drop_version(name, number)?;
        opened = tables.view(name, number)?;
    }
    if let Opened::Replaced { reason, moved_to } = opened.opened() {
        tracing::warn!(view = name, version = number, %reason, moved_to = ?moved_to,
            "the rows could not be used and are made anew");
    }
    let empty = !matches!(opened.opened(), Opened::Existing) && opened.checkpoints().is_empty();
    Ok((Version::new(number, opened, log.partitions()), empty))
}

/// Rows of a longer log than this one: it was restored from a backup.
pub(super) fn is_ahead(log: &Log, tables: &spool_tables::ViewTables) -> bool {
    let ahead = |(partition, next): (u16, u64)| partition >= log.partitions() || next > log.head(partition);
    tables.checkpoints().into_iter().any(ahead)
}

/// Keeps the rows of the schema before this one, for the program before this one.
fn drop_old_schemas(tables: &Tables, view: &dyn View) -> Result<(), TablesError> {
    let schema_of = |stored: &str| {
        let schema = stored.strip_prefix(view.name())?.strip_prefix("_r")?;
        schema.parse::<u32>().ok()
    };
    let mut others: Vec<(u32, String)> = tables
        .views()?
        .into_iter()
        .filter_map(|stored| Some((schema_of(&stored)?, stored)))
        .filter(|(schema, _)| *schema != view.schema())
        .collect();
    others.sort();
    others.pop();
    for (_, name) in others {
        for version in tables.versions(&name)? {
            tables.drop_version(&name, version)?;
        }
    }
    Ok(())
}
