//! The same decoding and folding without tables and disk, for the benchmark to compare a rebuild with.

use crate::facts::Facts;
use crate::rows::Rows;
use crate::runtime::registry;
use crate::view::ViewError;
use spool_tables::{Batch, Position};

/// Folds `records` into rows that stay in memory, and returns how many rows there are.
pub fn fold_in_memory<'a>(
    view: &str,
    records: impl Iterator<Item = (Position, &'a [u8])>,
) -> Result<usize, ViewError> {
    let view = registry::all()
        .into_iter()
        .find(|known| known.name() == view)
        .ok_or_else(|| ViewError::poison("there is no such view"))?;
    let mut rows = Rows::new(None, usize::MAX);
    for (at, payload) in records {
        let facts = Facts::decode(payload).map_err(|error| ViewError::poison(error.to_string()))?;
        rows.begin(at);
        view.apply(&facts, at, &mut rows)?;
    }
    let mut batch = Batch::new();
    rows.drain(&mut batch, |_, _| {});
    Ok(batch.len())
}
