//! Reading rows and pages of them.

use crate::error::QueryError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use spool_domain::time::Timestamp;
use spool_tables::ViewTables;
use uuid::Uuid;

/// One row, decoded.
pub fn row<T: DeserializeOwned>(
    tables: &ViewTables,
    table: &'static str,
    pk: &str,
    sk: &str,
) -> Result<Option<T>, QueryError> {
    match tables.get(table, pk, sk)? {
        Some(row) => decode(table, &row.value).map(Some),
        None => Ok(None),
    }
}

pub fn decode<T: DeserializeOwned>(table: &'static str, value: &[u8]) -> Result<T, QueryError> {
    serde_json::from_slice(value).map_err(|source| QueryError::Row { table, source })
}

/// A sort key by time, then by id, so that a place in the list stays what it is while others come.
pub fn by_time(at: Timestamp, id: Uuid) -> String {
    format!("{:015}-{id}", at.as_millis().max(0))
}

/// The id in a key that [`by_time`] made.
pub fn id_of(key: &str) -> Option<Uuid> {
    Uuid::try_parse(key.get(16..)?).ok()
}

/// A place in a list as outsiders see it.
pub fn cursor(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// The place that a cursor stands for.
pub fn place(cursor: &str) -> Result<String, QueryError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| QueryError::BadCursor)?;
    let key = String::from_utf8(bytes).map_err(|_| QueryError::BadCursor)?;
    let (time, _) = key.split_once('-').ok_or(QueryError::BadCursor)?;
    let is_time = time.len() == 15 && time.bytes().all(|byte| byte.is_ascii_digit());
    let is_place = is_time && id_of(&key).is_some();
    is_place.then_some(key).ok_or(QueryError::BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_leads_to_one_place(text in "[A-Za-z0-9_-]{0,80}", key in "[0-9]{14,16}-[0-9a-f-]{34,37}") {
            for given in [text, cursor(&key)] {
                if let Ok(found) = place(&given) {
                    prop_assert_eq!(place(&cursor(&found)).ok(), Some(found));
                }
            }
        }
    }

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_taken() {
        let key = by_time(Timestamp::from_millis(1_700_000_000_123), Uuid::from_u128(5));
        assert_eq!(place(&cursor(&key)).ok(), Some(key.clone()));
        assert_eq!(id_of(&key), Some(Uuid::from_u128(5)));
        for text in [
            "",
            "abc",
            "../..",
            &cursor("1-2"),
            &cursor("é-"),
            &cursor("0000000000000é-x"),
        ] {
            assert!(matches!(place(text), Err(QueryError::BadCursor)), "{text}");
        }
    }
}
