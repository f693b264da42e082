//! The rows a fold works on: decoded once, kept while they are hot, written once a batch.

use crate::ViewError;
use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use spool_tables::joined::{join, parts};
use spool_tables::{Batch, Position, TablesError, ViewTables};
use std::any::Any;

/// What one row may cost in memory beyond its encoded bytes: key, map entry, pointers.
const ENTRY_BYTES: usize = 256;
/// Decoded rows take about this many times their encoded size.
const DECODED: usize = 2;

/// The rows of one version of a view, read through the unwritten changes, the cache and the table.
///
/// All rows of one table are of one type. Memory: the cache keeps two generations of rows, each about half of
/// `cache_bytes`; a row that is used moves to the younger one, and the older is dropped whole.
pub struct Rows {
    /// None for rows that live in memory only.
    tables: Option<ViewTables>,
    /// By joined keys.
    young: HashMap<String, Entry>,
    old: HashMap<String, Entry>,
    young_bytes: usize,
    cache_bytes: usize,
    changed: Vec<String>,
    /// Encoded, as they will be written.
    appended: Vec<Appended>,
    scratch: String,
    /// The commit being folded.
    at: Position,
}

struct Appended {
    key: String,
    row: Bytes,
    at: Position,
}

struct Entry {
    slot: Box<dyn Slot>,
    bytes: usize,
    changed: Option<Position>,
}

/// An `Option<Row>` whose type only the view knows.
trait Slot: Any + Send {
    fn encode(&self) -> Option<Vec<u8>>;
}

impl<T: Serialize + Send + 'static> Slot for Option<T> {
    fn encode(&self) -> Option<Vec<u8>> {
        self.as_ref().map(encoded)
    }
}

impl Rows {
    pub(crate) fn new(tables: Option<ViewTables>, cache_bytes: usize) -> Self {
        Self {
            tables,
            young: HashMap::new(),
            old: HashMap::new(),
            young_bytes: 0,
            cache_bytes,
            changed: vec![],
            appended: vec![],
            scratch: String::new(),
            at: Position {
                partition: 0,
                offset: 0,
            },
        }
    }

    /// The row as it is before this change. One that knows the commit being folded already was written by another
    /// writer of the same version: that is `TablesError::Overtaken`, and the feeder goes on from where that one is.
    pub fn get<T>(&mut self, table: &str, pk: &str, sk: &str) -> Result<Option<&T>, ViewError>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.load::<T>(table, pk, sk)?;
        Ok(slot::<T>(self.loaded()).as_ref())
    }

    /// The row, to be changed in place; `None` is a row that is not there, and setting it to `None` deletes it.
    pub fn edit<T>(&mut self, table: &str, pk: &str, sk: &str) -> Result<&mut Option<T>, ViewError>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.load::<T>(table, pk, sk)?;
        self.note_change();
        Ok(slot::<T>(self.loaded()))
    }

    /// Writes or deletes the row whatever it was before, also when another writer is ahead: the tables leave a row alone
    /// that is past the write.
    pub fn set<T>(&mut self, table: &str, pk: &str, sk: &str, row: Option<T>)
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.point_at(table, pk, sk);
        self.promote();
        match self.young.get_mut(&self.scratch) {
            Some(entry) => *slot::<T>(entry) = row,
            None => self.insert(row, 0),
        }
        self.note_change();
    }

    /// Writes a row, as JSON, that is written once and never looked at by a fold again, also when another writer is ahead: the
    /// tables leave a row alone that is past the write.
    pub fn append(&mut self, table: &str, pk: &str, sk: &str, row: Bytes) {
        let mut key = String::with_capacity(table.len() + pk.len() + sk.len() + 2);
        join(&mut key, table, pk, sk);
        let at = self.at;
        self.appended.push(Appended { key, row, at });
    }

    pub(crate) fn begin(&mut self, at: Position) {
        self.at = at;
    }

    pub(crate) fn changed_count(&self) -> usize {
        self.changed.len() + self.appended.len()
    }

    /// Puts everything changed since the last time into `batch`; `each` is told table and partition key.
    pub(crate) fn drain(&mut self, batch: &mut Batch, mut each: impl FnMut(&str, &str)) {
        for key in std::mem::take(&mut self.changed) {
            let Some(entry) = self.young.get_mut(&key) else {
                continue;
            };
            let at = entry.changed.take().expect("what is listed as changed says when");
            let (table, pk, sk) = parts(&key);
            each(table, pk);
            match entry.slot.encode() {
                Some(bytes) => {
                    self.young_bytes += (bytes.len() * DECODED).saturating_sub(entry.bytes);
                    entry.bytes = bytes.len() * DECODED;
                    batch.put(table, pk, sk, bytes, at);
                }
                None => batch.delete(table, pk, sk, at),
            }
        }
        for Appended { key, row, at } in self.appended.drain(..) {
            let (table, pk, _) = parts(&key);
            each(table, pk);
            batch.put_joined(key, row, at);
        }
    }

    /// After a successful write: gives memory back when the cache has grown enough.
    pub(crate) fn settle(&mut self) {
        if self.young_bytes > self.cache_bytes / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }

    /// Drops unwritten changes and the cache, as a crash would.
    pub(crate) fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
        self.changed.clear();
        self.appended.clear();
        self.young_bytes = 0;
    }

    fn load<T>(&mut self, table: &str, pk: &str, sk: &str) -> Result<(), ViewError>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.point_at(table, pk, sk);
        self.promote();
        if self.young.contains_key(&self.scratch) {
            return Ok(());
        }
        let stored = match &self.tables {
            Some(tables) => tables.get(table, pk, sk)?,
            None => None,
        };
        let (row, bytes) = match stored {
            // Folded once more it would count twice, and what follows from it would be taken for unchanged.
            Some(stored) if self.is_ahead(stored.position) => {
                return Err(TablesError::Overtaken(stored.position).into());
            }
            Some(stored) => {
                let row: T = serde_json::from_slice(&stored.value)
                    .map_err(|error| ViewError::poison(format!("row {table} {pk} {sk}: {error}")))?;
                (Some(row), stored.value.len() * DECODED)
            }
            None => (None, 0),
        };
        self.insert(row, bytes);
        Ok(())
    }

    /// Whether a row that is stored so knows the commit being folded already. (Those of other partitions are none of its
    /// business.)
    const fn is_ahead(&self, stored: Position) -> bool {
        stored.partition == self.at.partition && stored.offset >= self.at.offset
    }

    fn insert<T: Serialize + Send + 'static>(&mut self, row: Option<T>, bytes: usize) {
        self.young_bytes += ENTRY_BYTES + bytes;
        let entry = Entry {
            slot: Box::new(row),
            bytes,
            changed: None,
        };
        self.young.insert(self.scratch.clone(), entry);
    }

    /// A row of the older generation that is used again becomes young.
    fn promote(&mut self) {
        if self.old.is_empty() {
            return;
        }
        if let Some((key, entry)) = self.old.remove_entry(&self.scratch) {
            self.young_bytes += ENTRY_BYTES + entry.bytes;
            self.young.insert(key, entry);
        }
    }

    fn loaded(&mut self) -> &mut Entry {
        self.young.get_mut(&self.scratch).expect("it was loaded just now")
    }

    fn note_change(&mut self) {
        let at = self.at;
        if self.loaded().changed.replace(at).is_none() {
            self.changed.push(self.scratch.clone());
        }
    }

    fn point_at(&mut self, table: &str, pk: &str, sk: &str) {
        self.scratch.clear();
        join(&mut self.scratch, table, pk, sk);
    }
}

fn encoded<T: Serialize>(row: &T) -> Vec<u8> {
    serde_json::to_vec(row).expect("rows have string keys only and no value that can fail")
}

fn slot<T: Serialize + Send + 'static>(entry: &mut Entry) -> &mut Option<T> {
    let slot: &mut dyn Any = entry.slot.as_mut();
    slot.downcast_mut()
        .expect("all rows of one table are of one type")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(partition: u16, offset: u64) -> Position {
        Position { partition, offset }
    }

    /// The row `a`, written by another writer at offset 5 of partition 0.
    fn overtaken() -> (tempfile::TempDir, Rows) {
        let dir = tempfile::tempdir().expect("the temporary folder can be written");
        let tables = spool_tables::Tables::open(dir.path()).and_then(|tables| tables.view("v", 1));
        let tables = tables.expect("the view opens");
        let mut batch = Batch::new();
        batch.put("t", "a", "", "5", at(0, 5));
        tables.commit(&batch).expect("the batch is kept");
        (dir, Rows::new(Some(tables), 1 << 20))
    }

    fn check(position: Position, expected: Option<u64>) {
        let (_dir, mut rows) = overtaken();
        rows.begin(position);
        let edited = rows.edit::<u64>("t", "a", "").map(|row| *row);
        match (edited, expected) {
            (Ok(found), Some(expected)) => assert_eq!(found, Some(expected)),
            (Err(ViewError::Tables(TablesError::Overtaken(by))), None) => {
                assert_eq!((by, rows.changed_count()), (at(0, 5), 0));
            }
            (found, _) => panic!("{position:?}: {found:?}"),
        }
    }

    #[test]
    fn a_row_that_knows_the_commit_already_is_not_folded_again() {
        check(at(0, 4), None);
        check(at(0, 5), None);
        check(at(0, 6), Some(5));
        check(at(1, 0), Some(5));
    }

    #[test]
    fn a_row_that_is_only_set_needs_no_look_at_what_it_was() {
        let (_dir, mut rows) = overtaken();
        rows.begin(at(0, 3));
        rows.set("t", "a", "", Some(3u64));
        // What follows is folded on the value that the commit gave it, as everywhere.
        rows.begin(at(0, 4));
        assert_eq!(
            rows.get::<u64>("t", "a", "").expect("it is in the cache"),
            Some(&3)
        );
    }

    #[test]
    fn a_row_that_is_only_appended_is_written_without_a_look_at_what_it_was() {
        let (_dir, mut rows) = overtaken();
        rows.begin(at(0, 6));
        rows.append("t", "b", "1", Bytes::from_static(b"7"));
        rows.append("t", "a", "", Bytes::from_static(b"3"));
        assert_eq!(rows.changed_count(), 2);
        let (mut batch, mut told) = (Batch::new(), vec![]);
        rows.drain(&mut batch, |table, pk| told.push(format!("{table} {pk}")));
        assert_eq!(told, ["t b", "t a"]);
        assert_eq!(rows.changed_count(), 0);
        let tables = rows.tables.clone().expect("there are tables below");
        tables.commit(&batch).expect("the batch is kept");
        let value = |pk, sk| tables.get("t", pk, sk).map(|row| row.map(|row| row.value));
        assert_eq!(value("b", "1").expect("it can be read"), Some("7".into()));
        assert_eq!(value("a", "").expect("it can be read"), Some("3".into()));
    }

    #[test]
    fn what_was_appended_is_forgotten_with_all_else_that_is_unwritten() {
        let (_dir, mut rows) = overtaken();
        rows.begin(at(0, 6));
        rows.append("t", "b", "1", Bytes::from_static(b"7"));
        rows.forget();
        let mut batch = Batch::new();
        rows.drain(&mut batch, |_, _| panic!("nothing is left"));
        assert!(batch.is_empty());
    }
}
