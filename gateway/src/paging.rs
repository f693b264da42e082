//! Lists: how many, and where to go on.

use crate::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

pub const LIMIT_DEFAULT: usize = 20;
pub const LIMIT_MAX: usize = 100;
const CURSOR_MAX_BYTES: usize = 512;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins: send it back as `cursor`. Absent at the end.
    pub next_cursor: Option<String>,
}

/// `limit` and `cursor` as the query gave them, checked.
pub fn checked(limit: Option<&str>, cursor: Option<String>) -> Result<(usize, Option<String>), Problem> {
    let limit = match limit {
        None => LIMIT_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| {
                Problem::invalid("/limit", format!("must be a whole number from 1 to {LIMIT_MAX}"))
            })?,
    };
    match cursor {
        Some(cursor) if cursor.len() > CURSOR_MAX_BYTES => Err(bad_cursor()),
        cursor => Ok((limit, cursor.filter(|cursor| !cursor.is_empty()))),
    }
}

pub fn bad_cursor() -> Problem {
    Problem::invalid("/cursor", "must be a next_cursor of this list")
}
