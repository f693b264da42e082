//! The writes of many events, of which only the last value of each row is kept.
use std::collections::BTreeMap;

use bytes::Bytes;
use foldhash::HashMap;

use crate::error::check_name;
use crate::joined::{join, parts};
use crate::{Position, TablesError};

/// Writes to be made together by `ViewTables::commit`.
///
/// All rows that one commit of the log changes must go into the same batch: once its checkpoint is past that commit,
/// further writes for it are taken for a repetition and ignored.
#[derive(Debug, Default)]
pub struct Batch {
    /// By joined keys.
    pub(crate) writes: HashMap<String, Write>,
    pub(crate) next: BTreeMap<u16, u64>,
    /// Reused to look up without allocating.
    scratch: String,
    /// A key with a NUL would be taken for another one; `commit` refuses the batch.
    pub(crate) bad_key: bool,
}

#[derive(Debug)]
pub(crate) struct Write {
    /// `None` deletes the row.
    pub value: Option<Bytes>,
    pub at: Position,
}

/// A write with its parts, in the order of the rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sorted<'a> {
    pub table: &'a str,
    pub pk: &'a str,
    pub sk: &'a str,
    pub write: &'a Write,
}

/// The writes past the checkpoints, and the checkpoints that rise.
pub(crate) type Past<'a> = (Vec<Sorted<'a>>, Vec<(u16, u64)>);

/// What a batch would do to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending<'a> {
    Put { value: &'a Bytes, position: Position },
    Deleted { position: Position },
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the row as of the commit at `at`, in place of what this batch held for it.
    pub fn put(&mut self, table: &str, pk: &str, sk: &str, value: impl Into<Bytes>, at: Position) {
        self.write(
            table,
            pk,
            sk,
            Write {
                value: Some(value.into()),
                at,
            },
        );
    }

    /// The same for a key that is [joined](crate::joined) already.
    pub fn put_joined(&mut self, key: String, value: impl Into<Bytes>, at: Position) {
        self.bad_key |= memchr::memchr_iter(0, key.as_bytes()).count() != 2;
        self.advance(at.partition, at.offset + 1);
        let value = Some(value.into());
        self.writes.insert(key, Write { value, at });
    }

    /// Deletes the row as of the commit at `at`.
    pub fn delete(&mut self, table: &str, pk: &str, sk: &str, at: Position) {
        self.write(table, pk, sk, Write { value: None, at });
    }

    /// Says that everything of `partition` below `next_offset` is in the rows, for commits that change none.
    pub fn advance(&mut self, partition: u16, next_offset: u64) {
        let next = self.next.entry(partition).or_default();
        *next = (*next).max(next_offset);
    }

    /// What this batch would write; look here before reading the row's previous value from the view.
    pub fn get(&mut self, table: &str, pk: &str, sk: &str) -> Option<Pending<'_>> {
        self.point_at(table, pk, sk);
        let write = self.writes.get(&self.scratch)?;
        let position = write.at;
        Some(match &write.value {
            Some(value) => Pending::Put { value, position },
            None => Pending::Deleted { position },
        })
    }

    /// The number of distinct rows to be written.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there is nothing to commit, not even a checkpoint.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.next.is_empty()
    }

    /// Empties the batch and keeps its memory for the next one.
    pub fn clear(&mut self) {
        self.writes.clear();
        self.next.clear();
        self.bad_key = false;
    }

    /// The writes that are past these checkpoints, sorted by table and keys, and the checkpoints that rise.
    pub(crate) fn past<'a>(&'a self, checkpoints: &BTreeMap<u16, u64>) -> Result<Past<'a>, TablesError> {
        if self.bad_key {
            return Err(TablesError::BadKey);
        }
        let done = |partition: u16| checkpoints.get(&partition).copied().unwrap_or(0);
        let is_new = |(_, write): &(&String, &Write)| done(write.at.partition) <= write.at.offset;
        let mut keyed: Vec<(&String, &Write)> = self.writes.iter().filter(is_new).collect();
        keyed.sort_unstable_by_key(|(key, _)| *key);
        let split = |(key, write): (&'a String, &'a Write)| {
            let (table, pk, sk) = parts(key);
            Sorted { table, pk, sk, write }
        };
        let sorted: Vec<Sorted<'_>> = keyed.into_iter().map(split).collect();
        for group in sorted.chunk_by(|a, b| a.table == b.table) {
            check_name(group[0].table)?;
        }
        let rising = self.next.iter().map(|(partition, next)| (*partition, *next));
        let rising = rising.filter(|(partition, next)| done(*partition) < *next);
        Ok((sorted, rising.collect()))
    }

    fn write(&mut self, table: &str, pk: &str, sk: &str, write: Write) {
        self.bad_key |= [table, pk, sk].iter().any(|part| part.as_bytes().contains(&0));
        self.advance(write.at.partition, write.at.offset + 1);
        self.point_at(table, pk, sk);
        match self.writes.get_mut(&self.scratch) {
            Some(before) => *before = write,
            None => {
                self.writes.insert(self.scratch.clone(), write);
            }
        }
    }

    fn point_at(&mut self, table: &str, pk: &str, sk: &str) {
        self.scratch.clear();
        join(&mut self.scratch, table, pk, sk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(offset: u64) -> Position {
        Position { partition: 3, offset }
    }

    #[test]
    fn only_the_last_value_of_a_row_is_kept() {
        let mut batch = Batch::new();
        batch.put("videos", "a", "", "1", at(0));
        batch.put("videos", "a", "", "2", at(4));
        batch.put("videos", "b", "", "3", at(5));
        batch.delete("videos", "b", "", at(6));
        batch.advance(9, 2);
        assert_eq!(batch.len(), 2);
        let two = Bytes::from("2");
        assert_eq!(
            batch.get("videos", "a", ""),
            Some(Pending::Put {
                value: &two,
                position: at(4)
            })
        );
        assert_eq!(
            batch.get("videos", "b", ""),
            Some(Pending::Deleted { position: at(6) })
        );
        assert_eq!(batch.get("videos", "c", ""), None);
        assert_eq!(batch.next, BTreeMap::from([(3, 7), (9, 2)]));
        batch.clear();
        assert!(batch.is_empty());
    }
}
