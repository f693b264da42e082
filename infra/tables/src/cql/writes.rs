//! What one commit is to write, apart from the batch it was taken from; and the same as bytes.
use bytes::Bytes;

use super::names::stored_key;
use crate::batch::Sorted;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Writes {
    /// The logical tables, which the rows name by number.
    pub tables: Vec<String>,
    /// Sorted by table and keys, so that the rows of one partition follow each other.
    pub rows: Vec<Write>,
    /// The checkpoints that rise, by log partition. Where there are rows, there is one for each partition of theirs.
    pub checkpoints: Vec<(u16, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub table: usize,
    /// As it is stored.
    pub pk: String,
    pub sk: String,
    /// `None` deletes the row.
    pub value: Option<Bytes>,
    pub partition: u16,
    pub offset: u64,
}

impl Writes {
    pub fn new(sorted: &[Sorted<'_>], checkpoints: Vec<(u16, u64)>) -> Self {
        let mut tables: Vec<String> = Vec::new();
        let mut rows = Vec::with_capacity(sorted.len());
        for Sorted { table, pk, sk, write } in sorted {
            if tables.last().is_none_or(|last| last != table) {
                tables.push((*table).to_owned());
            }
            rows.push(Write {
                table: tables.len() - 1,
                pk: stored_key(pk).to_owned(),
                sk: (*sk).to_owned(),
                value: write.value.clone(),
                partition: write.at.partition,
                offset: write.at.offset,
            });
        }
        Self {
            tables,
            rows,
            checkpoints,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.checkpoints.is_empty()
    }

    /// The lowest partition, and how far it comes.
    pub fn slot(&self) -> (u16, u64) {
        let lowest = self.checkpoints.iter().min();
        *lowest.expect("rows past a checkpoint make it rise")
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let length = |count: usize| {
            u32::try_from(count)
                .expect("a batch fits into memory")
                .to_le_bytes()
        };
        let text = |bytes: &mut Vec<u8>, text: &[u8]| {
            bytes.extend(length(text.len()));
            bytes.extend(text);
        };
        bytes.extend(length(self.checkpoints.len()));
        for (partition, next) in &self.checkpoints {
            bytes.extend(partition.to_le_bytes());
            bytes.extend(next.to_le_bytes());
        }
        bytes.extend(length(self.tables.len()));
        for table in &self.tables {
            text(&mut bytes, table.as_bytes());
        }
        bytes.extend(length(self.rows.len()));
        for row in &self.rows {
            bytes.extend(length(row.table));
            bytes.extend(row.partition.to_le_bytes());
            bytes.extend(row.offset.to_le_bytes());
            text(&mut bytes, row.pk.as_bytes());
            text(&mut bytes, row.sk.as_bytes());
            bytes.push(u8::from(row.value.is_some()));
            if let Some(value) = &row.value {
                text(&mut bytes, value);
            }
        }
        bytes
    }

    /// `None` when these are no bytes of `encode`.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let checkpoints = (0..rest.length()?).map(|_| Some((rest.partition()?, rest.offset()?)));
        let checkpoints = checkpoints.collect::<Option<_>>()?;
        let tables = (0..rest.length()?).map(|_| rest.string());
        let tables: Vec<String> = tables.collect::<Option<_>>()?;
        let row = |rest: &mut Rest<'_>| {
            Some(Write {
                table: Some(rest.length()?).filter(|table| *table < tables.len())?,
                partition: rest.partition()?,
                offset: rest.offset()?,
                pk: rest.string()?,
                sk: rest.string()?,
                value: match rest.take(1)? {
                    [0] => None,
                    _ => Some(Bytes::copy_from_slice(rest.text()?)),
                },
            })
        };
        let rows = (0..rest.length()?)
            .map(|_| row(&mut rest))
            .collect::<Option<_>>()?;
        Some(Self {
            tables,
            rows,
            checkpoints,
        })
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn length(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn partition(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn offset(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn string(&mut self) -> Option<String> {
        String::from_utf8(self.text()?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_down_is_read_back_or_refused() {
        let write = |table, pk: &str, value: Option<&'static str>| Write {
            table,
            pk: pk.to_owned(),
            sk: "ß".to_owned(),
            value: value.map(Bytes::from),
            partition: 7,
            offset: u64::MAX,
        };
        let writes = Writes {
            tables: vec!["t".to_owned(), "u".to_owned()],
            rows: vec![
                write(0, "a", Some("1")),
                write(1, "\0", None),
                write(1, "b", Some("")),
            ],
            checkpoints: vec![(7, u64::MAX), (65_535, 0)],
        };
        let bytes = writes.encode();
        assert_eq!(Writes::decode(&bytes), Some(writes.clone()));
        assert_eq!(writes.slot(), (7, u64::MAX));
        for end in 0..bytes.len() {
            assert_eq!(Writes::decode(&bytes[..end]), None, "cut at {end}");
        }
    }
}
